"""The law of the package: the same run ends with the same events in all three modes."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from dagster_rocky import RockyComponent
from dagster_rocky.project.snapshot import ProjectSnapshot
from support.ends import ended_with
from support.projects import make_project

Snapshots = Callable[..., ProjectSnapshot]

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


def run(case: str, mode: str, folder: Path, snapshots: Snapshots) -> dg.ExecuteInProcessResult:
    project, selection, options = CASES[case]
    config = make_project(project, folder)
    component = RockyComponent(config_path=str(config), binary_path="rocky-local", mode=mode)
    defs = component.build_defs_from_snapshot(snapshots(project))
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
def test_modes_end_with_the_same_events(case: str, tmp_path: Path, snapshots: Snapshots) -> None:
    ends = {}
    for mode in ("buffered", "streaming", "pipes"):
        folder = tmp_path / mode
        folder.mkdir()
        ends[mode] = ended_with(run(case, mode, folder, snapshots))

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
