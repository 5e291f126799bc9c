"""The law of the package: the same run ends with the same events in all three modes."""

import re
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pytest

from dagster_rocky.events import COMPLETES
from support.projects import definitions, make_project

VOLATILE = {"rocky/run_id", "rocky/duration_seconds", "rocky/lag_seconds", "dagster/data_version"}
CLOCK = re.compile(r"20\d\d-\d\d-\d\dT[0-9:.]+(Z|\+00:00)")
Event = tuple[str, str, str]


def facts(metadata: Mapping[str, dg.MetadataValue]) -> str:
    """Metadata without what differs from run to run."""
    return str(
        sorted(
            (
                name,
                sorted(value.value)
                if name in ("rocky/missing", "rocky/sample")
                else CLOCK.sub("<time>", str(value.value)),
            )
            for name, value in metadata.items()
            if name not in VOLATILE
        )
    )


def ended_with(result: dg.ExecuteInProcessResult) -> tuple[bool, set[Event], set[Event], set[Event]]:
    """Success, materializations with what completed them, check results, and the other observations of a run."""
    built: dict[tuple[str, str], dict[str, dg.MetadataValue]] = {}
    checks, observed = set(), set()
    for event in result.all_events:
        kind = event.event_type_value
        if kind == "ASSET_MATERIALIZATION":
            found = event.materialization
            built.setdefault((found.asset_key.to_user_string(), found.partition or ""), {}).update(
                found.metadata
            )
        elif kind == "ASSET_OBSERVATION":
            seen = event.asset_observation_data.asset_observation
            key = (seen.asset_key.to_user_string(), seen.partition or "")
            if COMPLETES in seen.metadata:
                built[key].update({k: v for k, v in seen.metadata.items() if k != COMPLETES})
            else:
                observed.add((*key, facts(seen.metadata)))
        elif kind == "ASSET_CHECK_EVALUATION":
            verdict = event.asset_check_evaluation_data
            checks.add(
                (
                    f"{verdict.asset_key.to_user_string()}:{verdict.check_name}",
                    f"{verdict.passed} {verdict.severity.value}",
                    facts(verdict.metadata),
                )
            )
    return result.success, {(*key, facts(metadata)) for key, metadata in built.items()}, checks, observed


CASES = {
    "replication": ("tenants", "*", {}),
    "one-table": ("tenants", "key:duckdb/lagoon/fleet/vessels", {}),
    "replication-models-quality": ("chained", "*", {}),
    "partial-copy": ("broken/copy_partial", "*", {}),
    "every-copy-fails": ("broken/copy_all_fail", "*", {}),
    "failing-model": ("broken/runtime_failure", "*", {}),
    "contained-model": ("broken/runtime_contained", "*", {}),
    "partition": ("marts", "key:bakery/marts/fct_daily_loaves", {"partition_key": "2026-05-02"}),
    "range": (
        "marts",
        "key:bakery/marts/fct_daily_loaves",
        {"tags": {
            "dagster/asset_partition_range_start": "2026-05-01",
            "dagster/asset_partition_range_end": "2026-05-03",
        }},
    ),
    "failing-partition": (
        "broken/partition_failure",
        "*",
        {"tags": {
            "dagster/asset_partition_range_start": "2026-01-01",
            "dagster/asset_partition_range_end": "2026-01-04",
        }},
    ),
}  # fmt: skip


def run(case: str, mode: str, folder: Path) -> dg.ExecuteInProcessResult:
    project, selection, options = CASES[case]
    config = make_project(project, folder)
    defs = definitions(config, mode=mode)
    instance = dg.DagsterInstance.ephemeral()
    if project == "marts":
        upstream = defs.resolve_implicit_global_asset_job_def().get_subset(
            asset_selection={dg.AssetKey(["bakery", "staging", "stg_deliveries"])}
        )
        assert upstream.execute_in_process(instance=instance).success
    job = dg.define_asset_job("job", selection=dg.AssetSelection.from_string(selection))
    resolved = dg.Definitions.merge(defs, dg.Definitions(jobs=[job])).resolve_job_def("job")
    return resolved.execute_in_process(instance=instance, raise_on_error=False, **options)


@pytest.mark.parametrize("case", CASES)
def test_modes_end_with_the_same_events(case: str, tmp_path: Path) -> None:
    ends = {}
    for mode in ("buffered", "streaming", "pipes"):
        folder = tmp_path / mode
        folder.mkdir()
        ends[mode] = ended_with(run(case, mode, folder))

    success, built, checks, observed = ends["buffered"]
    assert ends["streaming"] == ends["buffered"]
    assert ends["pipes"] == ends["buffered"]
    is_good = not any(word in case for word in ("partial", "fail", "contained"))
    assert success is is_good
    if case not in ("every-copy-fails",):
        assert built
    assert bool(checks) == (case in ("replication", "one-table", "replication-models-quality"))
    if case == "failing-partition":
        assert {partition for _, partition, _ in built} == {"2026-01-01", "2026-01-03", "2026-01-04"}
    if case == "replication":
        assert len(built) == 12
        assert observed
