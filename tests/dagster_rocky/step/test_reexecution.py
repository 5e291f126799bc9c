"""A re-execution from failure, as Dagster itself makes it, builds only what is missing and tells nothing twice."""

from dataclasses import dataclass, field

import dagster as dg
import pytest

from support.reconstructed import reconstructable
from support.recorded import collect
from support.seeding import opened

DAYS = {
    "dagster/asset_partition_range_start": "2026-01-01",
    "dagster/asset_partition_range_end": "2026-01-03",
}


@dataclass(frozen=True)
class Case:
    """A project that is broken, how it is mended, and what is missing after a first run."""

    project: str
    mend: str
    missing: set[tuple[str, str | None]]
    asked: str
    kept: int
    tags: dict[str, str] = field(default_factory=dict)


TABLES = Case(
    "broken/copy_partial",
    "DROP VIEW kept__is__peaks.names",
    {("duckdb/is/peaks/names", None)},
    "--filter table=names",
    kept=2,
)
PARTITIONS = Case(
    "broken/partition_failure",
    "UPDATE survey.log SET v = '1' WHERE v = 'oops'",
    {("atlas/drawn/daily", "2026-01-02")},
    "--partition 2026-01-02",
    kept=2,
    tags=DAYS,
)


@pytest.mark.parametrize("case", [TABLES, PARTITIONS], ids=["tables", "partitions"])
@pytest.mark.parametrize("mode", ["buffered", "streaming", "pipes"])
def test_from_failure_builds_what_is_missing_and_no_more(load, mode: str, case: Case) -> None:
    loaded = load(case.project, mode=mode)
    job, instance = reconstructable(loaded), loaded.instance

    first = dg.execute_job(job, instance, tags=case.tags)
    with opened(next(loaded.folder.glob("*.duckdb"))) as warehouse:
        warehouse.execute(case.mend)
    again = dg.ReexecutionOptions.from_failure(first.run_id, instance)
    second = dg.execute_job(job, instance, reexecution_options=again, tags=case.tags)

    assert not first.success
    assert second.success
    built, rebuilt = set(collect(first).materialized), set(collect(second).materialized)
    assert len(built) == case.kept
    assert rebuilt == case.missing | {("downstream", None)}
    assert len(loaded.calls()) == 2
    assert case.asked in loaded.calls()[1]
    left = [text for _, text in collect(second).observed if "Built earlier" in text]
    assert len(left) == case.kept
    assert all(first.run_id in text for text in left)
