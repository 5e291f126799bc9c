"""What the engine says beside built and failed is where a user would look for it, in every mode."""

from collections.abc import Callable

import dagster as dg
import pytest

from dagster_rocky.planning.plan import PlannedRun, Unit
from dagster_rocky.planning.requests import Requests
from dagster_rocky.planning.selection import StepPlan
from dagster_rocky.resource import RockyResource
from dagster_rocky.step.execution import execute_plan
from support.stand_in import run_step, table_asset

Make = Callable[..., RockyResource]
A, B = table_asset("a"), table_asset("b")


def test_figures_are_on_the_materialization_and_the_rest_is_in_the_log(make_engine: Make, mode: str) -> None:
    tries = [{"attempt": 1, "error": "boom"}, {"attempt": 2}]
    run = run_step(
        make_engine(f"""
        drift = [{{"table": "wh.kept__x.a", "action": action, "reason": "because " + action}}
                 for action in ("alter_column_types", "add_columns")]
        tries = {tries!r}
        say(result([table("a", attempts=tries, bytes_scanned=7, bytes_written=5, column_lineage_unavailable="views")],
            status="PartialFailure", attempts=tries, tables_failed=1,
            errors=[{{"asset_key": ["duckdb", "x", "b"], "error": "boom", "failure_kind": "transient",
                      "attempts": tries + [{{}}]}}],
            drift={{"actions_taken": drift}}, permissions={{"grants_added": 2, "schemas_created": 1}},
            partition_summaries=[{{"model": "m", "partitions_planned": 3, "partitions_failed": 1}}],
            cost_summary={{"total_cost_usd": 0.25}}, scheduling_warnings=["no order between x and y"]))
        sys.exit(2)
    """),
        mode,
        [A, B],
    )

    told = run.materialized["a"]
    assert {name: told[f"rocky/{name}"] for name in ("attempts", "bytes_scanned", "bytes_written")} == {
        "attempts": 2,
        "bytes_scanned": 7,
        "bytes_written": 5,
    }
    assert told["rocky/column_lineage_unavailable"] == "views"
    drifted = [facts["rocky/drift_action"] for _, facts in run.observed if "rocky/drift_action" in facts]
    assert drifted == ["alter_column_types", "add_columns"]
    assert run.failure is not None
    assert run.failure.metadata["rocky/failure_kinds"].value == ["transient"]
    log = "\n".join(run.logs)
    for text in (
        "permissions: 2 grants added",
        "m: 1 of 3 partitions failed",
        "the run cost 0.2500 US dollars",
        "scheduling: no order between x and y",
        "the run: 2 attempts",
        "duckdb/x/b: 3 attempts",
    ):
        assert text in log


@pytest.mark.parametrize(
    ("partition", "version"), [("x", "version of x"), ("y", "version of y"), ("z", None)]
)
def test_unchanged_is_told_of_the_partition_that_is_known(
    make_engine: Make, mode: str, partition: str, version: str | None
) -> None:
    engine = make_engine("""
        if "state" in sys.argv:
            say({"version": "1.71.0", "command": "state", "watermarks": []}); sys.exit(0)
        left = [{"asset_key": ["duckdb", "x", "a"], "table_name": "a", "reason": "unchanged_since_last_copy"}]
        say(result([], excluded_tables=left))
    """)
    tag = "dagster/data_version"
    instance = dg.DagsterInstance.ephemeral()
    for known in ("x", "y"):
        told = dg.AssetMaterialization(A.asset_key, partition=known, tags={tag: f"version of {known}"})
        instance.report_runless_asset_event(told)

    @dg.multi_asset(
        specs=[dg.AssetSpec(A.asset_key, skippable=True)],
        partitions_def=dg.StaticPartitionsDefinition(["x", "y", "z"]),
        can_subset=True,
    )
    def step(context: dg.AssetExecutionContext):
        planned = PlannedRun(request=Requests(options=engine.options()).make(), units=(Unit(A, partition),))
        yield from execute_plan(context, engine, StepPlan(runs=(planned,)), mode=mode)

    result = dg.materialize([step], instance=instance, partition_key=partition, raise_on_error=False)

    assert result.success is (version is not None)
    versions = [
        (event.materialization.tags or {})[tag] for event in result.get_asset_materialization_events()
    ]
    assert versions == ([version] if version else [])


def test_every_table_is_counted_once_however_fast_they_come(make_engine: Make, mode: str) -> None:
    names = [f"t{number}" for number in range(12)]
    engine = make_engine(f"""
        names = {names!r}
        for name in names[:9]:
            hook(name)
        say(result(names))
    """)
    run = run_step(engine, mode, [table_asset(name) for name in names])

    counted = [line.split("]")[0] for text in run.logs for line in text.splitlines() if "/12]" in line]
    assert counted == [f"rocky: [{number}/12" for number in range(1, 13)]
