"""What a run tells is true, however the engine ends: nothing failed is green, nothing unbuilt is built."""

from collections.abc import Callable
from dataclasses import replace

import dagster as dg
import pytest

from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.planning.plan import PlannedRun, Unit
from dagster_rocky.planning.selection import StepPlan
from dagster_rocky.resource import RockyResource
from dagster_rocky.step.execution import execute_plan
from dagster_rocky.vocabulary import CheckDeclaration, EngineAsset
from support.stand_in import StepRun, run_step, table_asset

Make = Callable[..., RockyResource]
A, B, C = table_asset("a"), table_asset("b"), table_asset("c")


def with_checks(asset: EngineAsset, *declared: CheckDeclaration) -> EngineAsset:
    return replace(asset, checks=declared)


def model(name: str, **more: object) -> EngineAsset:
    key = ("wh", "marts", name)
    return EngineAsset(
        engine_key=key, asset_key=dg.AssetKey(key), kind="model", name=name, target=".".join(key), **more
    )


def outcomes(run: StepRun) -> dict[str, str]:
    """The failure's table of outcomes, by asset name."""
    assert run.failure is not None
    table = run.failure.metadata["rocky/outcomes"].records
    return {row.data["asset"].rsplit("/", 1)[-1]: row.data["outcome"] for row in table}


# --- results of checks ---------------------------------------------------------------------------


def named(name: str, occurrence: int = 0, spelled: str | None = None, **more: object) -> CheckDeclaration:
    spelled = spelled or f"check_{occurrence}"
    return CheckDeclaration(engine_name=name, name=spelled, occurrence=occurrence, **more)


def checking(*verdicts: tuple[str, bool]) -> str:
    checks = [{"name": name, "passed": passed, "severity": "error"} for name, passed in verdicts]
    return f"""
checks = {checks!r}
for c in checks:
    pipes("report_asset_check", {{"asset_key": "duckdb/x/a", "check_name": "expression__", "passed": c["passed"],
          "severity": "ERROR", "metadata": {{"name": c["name"], "passed": c["passed"], "severity": "error"}}}})
say(result(["a"], check_results=[{{"asset_key": ["duckdb", "x", "a"], "checks": checks}}]))
"""


def test_checks_of_one_name_are_told_apart_by_their_order(make_engine: Make, mode: str) -> None:
    asset = with_checks(A, named("expression:-"), named("expression:-", 1))
    run = run_step(make_engine(checking(("expression:-", True), ("expression:-", False))), mode, [asset])

    assert run.checks == {("a", "check_0"): (True, "ERROR"), ("a", "check_1"): (False, "ERROR")}


@pytest.mark.parametrize("verdicts", [(False,), (True, True, False), (False, True, True)])
def test_results_that_do_not_fit_count_for_all_of_their_name(
    make_engine: Make, mode: str, verdicts: tuple[bool, ...]
) -> None:
    asset = with_checks(A, named("expression:-"), named("expression:-", 1))
    run = run_step(make_engine(checking(*(("expression:-", passed) for passed in verdicts))), mode, [asset])

    assert run.checks == {("a", "check_0"): (False, "ERROR"), ("a", "check_1"): (False, "ERROR")}


def test_a_blocking_check_without_a_result_blocks(make_engine: Make, mode: str) -> None:
    asset = with_checks(A, named("freshness", blocking=True), named("row_count", 1))
    run = run_step(make_engine('say(result(["a"]))'), mode, [asset])

    assert run.checks == {("a", "check_0"): (False, "ERROR")}
    assert dict(run.observed)["a"]["rocky/checks_not_evaluated"] == ["check_1"]


def test_an_overlap_between_sources_is_told_on_every_sibling(make_engine: Make, mode: str) -> None:
    name = "cross_source_overlap:duckdb.a"
    assets = [with_checks(asset, named(name, spelled="overlap", shared=True)) for asset in (A, B)]
    engine = make_engine(f"""
        overlap = {{"name": "{name}", "passed": False, "severity": "error", "overlap_count": 3}}
        say(result(["a", "b"], check_results=[{{"asset_key": ["duckdb", "x", "b"], "checks": [overlap]}}]))
    """)
    run = run_step(engine, mode, assets)

    assert run.checks == {("a", "overlap"): (False, "ERROR"), ("b", "overlap"): (False, "ERROR")}


# --- exit codes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1, 2, 130])
def test_an_exit_code_that_nothing_explains_is_red_after_all_was_told(
    make_engine: Make, mode: str, code: int
) -> None:
    engine = make_engine(f"""
        say(result(["a"], budget_breaches=[{{"limit_type": "max_duration_ms", "limit": 0, "actual": 184}}],
            interrupted={code == 130}))
        sys.stderr.write("Error: budget exceeded — max_duration_ms: actual 184 > limit 0\\n")
        sys.exit({code})
    """)
    run = run_step(engine, mode, [A])

    assert not run.success
    assert set(run.materialized) == {"a"}
    assert run.failure is not None
    assert (run.failure.description or "").startswith("Error: budget exceeded")


def test_an_unusual_row_count_is_told_of_its_table(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        say(result(["a", "b"], anomalies_detected=1, anomalies=[{"table": "wh.kept__x.a", "current_count": 20,
            "baseline_avg": 324.0, "deviation_pct": 93.8, "reason": "dropped to 20 from 324"}]))
    """)
    run = run_step(engine, mode, [A, B])

    assert run.success
    assert [(name, found) for name, found in run.observed if "rocky/anomaly" in found] == [
        (
            "a",
            {
                "rocky/anomaly": "dropped to 20 from 324",
                "rocky/anomaly_row_count": 20,
                "rocky/anomaly_baseline": 324.0,
                "rocky/anomaly_deviation_percent": 93.8,
            },
        )
    ]


def test_a_failure_without_an_error_shows_the_engines_last_lines(make_engine: Make, mode: str) -> None:
    engine = make_engine('log("the disk made a noise"); say(result([], status="Failure")); sys.exit(1)')
    run = run_step(engine, mode, [A])

    assert outcomes(run) == {"a": "not reported"}
    assert run.failure is not None
    assert "exit code 1, and its result names no error" in (run.failure.description or "")
    assert "the disk made a noise" in str(run.failure.metadata["stderr_tail"].value)


def test_an_error_outside_the_selection_is_told_and_does_not_fail_it(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        say(result(["a"], status="PartialFailure", tables_failed=1,
            errors=[{"asset_key": [], "error": "boom in wh.kept__x.b", "failure_kind": "unknown"}]))
        sys.exit(2)
    """)
    plan = [PlannedRun(request=RunRequest(), units=(Unit(A),), extras=(B,))]
    run = run_step(engine, mode, [A], plan=plan)

    assert run.success
    assert "boom" in str(dict(run.observed)["a"]["rocky/errors_outside_selection"])
    assert any("not selected" in line and "boom" in line for line in run.logs)


def test_a_nameless_error_with_nothing_missing_beside_is_red(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        say(result(["a"], errors=[{"asset_key": [], "error": "boom", "failure_kind": "unknown"}]))
        sys.exit(2)
    """)
    assert not run_step(engine, mode, [A]).success


def test_a_failed_lookback_partition_is_outside_the_selection(make_engine: Make, mode: str) -> None:
    daily = model("daily", granularity="day")
    engine = make_engine("""
        built = {"asset_key": ["wh", "marts", "daily"], "metadata": {"strategy": "time_interval"},
                 "partition": {"key": "2026-05-02"}}
        say(result([built], status="PartialFailure", errors=[{"asset_key": ["<runtime>"], "failure_kind": "unknown",
            "error": "model 'daily' failed: partition '2026-05-01' of model 'daily' failed: boom"}]))
        sys.exit(2)
    """)
    plan = [PlannedRun(request=RunRequest(), units=(Unit(daily, None, "2026-05-02"),))]
    run = run_step(engine, mode, [daily], plan=plan)

    assert run.success
    assert "2026-05-01" in str(dict(run.observed)["daily"]["rocky/errors_outside_selection"])


# --- what was left out ---------------------------------------------------------------------------

LEFT_OUT = """
say(result(["b"], excluded_tables=[{{"asset_key": ["duckdb", "x", "a"], "source_schema": "x", "table_name": "a",
    "reason": "{reason}"}}]))
"""


def test_only_a_table_that_the_project_switched_off_says_so(make_engine: Make, mode: str) -> None:
    run = run_step(make_engine(LEFT_OUT.format(reason="table_override_disabled")), mode, [A, B])
    assert run.success
    assert dict(run.observed)["a"]["rocky/outcome"] == "excluded"


def test_a_pruned_table_is_unchanged_and_keeps_its_data_version(make_engine: Make, mode: str) -> None:
    instance = dg.DagsterInstance.ephemeral()
    run_step(make_engine('say(result(["a", "b"]))'), mode, [A, B], instance=instance)
    before = instance.get_latest_materialization_event(A.asset_key)
    pruned = run_step(
        make_engine(LEFT_OUT.format(reason="unchanged_since_last_copy")), mode, [A, B], instance=instance
    )
    after = instance.get_latest_materialization_event(A.asset_key)

    assert pruned.success
    assert pruned.materialized["a"]["rocky/outcome"] == "unchanged"
    assert before and after and before.asset_materialization and after.asset_materialization
    tag = "dagster/data_version"
    assert (before.asset_materialization.tags or {})[tag] == (after.asset_materialization.tags or {})[tag]


def test_a_table_that_its_source_lacks_fails_only_when_it_is_all_that_was_asked_for(
    make_engine: Make, mode: str
) -> None:
    engine = make_engine(LEFT_OUT.format(reason="missing_from_source"))
    both, alone = run_step(engine, mode, [A, B]), run_step(engine, mode, [A])

    assert both.success
    assert dict(both.observed)["a"]["rocky/outcome"] == "not in this partition"
    assert "a" not in both.materialized
    assert not alone.success
    assert outcomes(alone) == {"a": "failed"}


def test_a_skip_of_what_nobody_knows_is_not_unchanged(make_engine: Make, mode: str) -> None:
    """As with an idempotency key that was inherited: nothing says that the table was ever there."""
    engine = make_engine("""
        if "state" in sys.argv:
            say({"version": "1.71.0", "command": "state", "watermarks": []}); sys.exit(0)
        say(result([], status="SkippedIdempotent", skipped_by_run_id="run-0", idempotency_key="k"))
    """)
    run = run_step(engine, mode, [A])
    assert not run.success
    assert outcomes(run) == {"a": "not reported"}


# --- live reports against the result --------------------------------------------------------------


def test_a_hook_that_said_built_where_the_result_says_failed_is_red_and_says_both(
    make_engine: Make, mode: str
) -> None:
    engine = make_engine("""
        hook("a"); hook("b"); time.sleep(0.4)
        say(result(["b"], status="PartialFailure",
            errors=[{"asset_key": [], "error": "lost wh.kept__x.a", "failure_kind": "unknown"}]))
        sys.exit(2)
    """)
    run = run_step(engine, mode, [A, B], options=RunOptions(live_after_seconds=0))

    assert not run.success
    assert outcomes(run) == {"a": "failed", "b": "materialized"}
    assert run.failure is not None
    assert "hook" in (run.failure.description or "") and "lost" in (run.failure.description or "")


# --- compile failures ------------------------------------------------------------------------------


def test_a_project_that_does_not_compile_is_met_once(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        open("calls", "a").write("x")
        say(result([], status="Failure", errors=[{"asset_key": ["<compile>"], "failure_kind": "compile-error",
            "error": "model compilation failed: dependency resolution failed: 1 model(s) failed to parse:\\n"
                     "  - bad: sql parser error: Expected: an SQL statement, found: SELEC at Line: 3, Column: 1"}]))
        sys.stderr.write("Error: 1 model(s) failed\\n"); sys.exit(1)
    """)
    models = [model("bad", path="models/bad.sql"), model("good"), model("other")]
    plan = [PlannedRun(request=RunRequest(model=m.name), units=(Unit(m),)) for m in models]
    run = run_step(engine, mode, models, plan=plan, universe=models)

    assert outcomes(run) == {"bad": "failed", "good": "blocked", "other": "blocked"}
    assert run.failure is not None
    first = (run.failure.description or "").split("\n")[0]
    assert "bad (models/bad.sql:3): sql parser error: Expected: an SQL statement, found: SELEC" in first
    assert engine.engine().folder.joinpath("calls").read_text() == "x"


@pytest.mark.parametrize(("kind", "retried"), [("auth-failed", False), ("transient", True)])
def test_only_failures_that_may_pass_are_retried(
    make_engine: Make, mode: str, kind: str, retried: bool
) -> None:
    engine = make_engine(f"""
        open("calls", "a").write("x")
        say(result([], errors=[{{"asset_key": [], "error": "no", "failure_kind": "{kind}"}}])); sys.exit(1)
    """)
    run_step(engine, mode, [A], retry=dg.RetryPolicy(max_retries=1))
    assert engine.engine().folder.joinpath("calls").read_text() == ("xx" if retried else "x")


# --- partitions ----------------------------------------------------------------------------------


def test_partitions_beside_a_failed_sibling_are_told_by_their_own_key_with_versions(
    make_engine: Make, mode: str
) -> None:
    days = ("2026-05-01", "2026-05-02", "2026-05-03")
    daily = model("daily", granularity="day", code_version="v7")
    engine = make_engine("""
        built = [{"asset_key": ["wh", "marts", "daily"], "metadata": {"strategy": "time_interval"},
                  "partition": {"key": key}} for key in ("2026-05-01", "2026-05-03")]
        say(result(built, status="PartialFailure", errors=[{"asset_key": ["<runtime>"], "failure_kind": "unknown",
            "error": "model 'daily' failed: partition '2026-05-02' of model 'daily' failed: boom"}]))
        sys.exit(2)
    """)
    partitions = dg.DailyPartitionsDefinition(days[0])
    plan = StepPlan(
        runs=(PlannedRun(request=RunRequest(), units=tuple(Unit(daily, day, day) for day in days)),)
    )

    @dg.multi_asset(
        specs=[dg.AssetSpec(daily.asset_key, skippable=True, code_version="v7", partitions_def=partitions)],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def step(context: dg.AssetExecutionContext):
        yield from execute_plan(context, engine, plan, mode=mode)

    defs = dg.Definitions(assets=[step], jobs=[dg.define_asset_job("tested", "*")])
    tags = {"dagster/asset_partition_range_start": days[0], "dagster/asset_partition_range_end": days[-1]}
    result = defs.resolve_job_def("tested").execute_in_process(tags=tags, raise_on_error=False)

    told = [event.materialization for event in result.get_asset_materialization_events()]
    assert [found.partition for found in told] == ["2026-05-01", "2026-05-03"]
    for found in told:
        assert (found.tags or {})["dagster/code_version"] == "v7"
        assert (found.tags or {})["dagster/data_version"]
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "Failed partitions: 2026-05-02" in failure.step_failure_data.user_failure_data.description


# --- secrets -------------------------------------------------------------------------------------


def test_no_secret_of_a_failing_run_is_told_anywhere(
    make_engine: Make, mode: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WAREHOUSE_DSN", "opensesame-4711")
    engine = make_engine("""
        log("connecting", dsn="opensesame-4711", password="hunter2hunter2")
        check = {"name": "row_count", "passed": False, "severity": "error", "query": "SELECT 'opensesame-4711'"}
        say(result(["b"], errors=[{"asset_key": [], "error": "no way in: opensesame-4711 wh.kept__x.a"}],
            check_results=[{"asset_key": ["duckdb", "x", "b"], "checks": [check]}],
            scheduling_warnings=["opensesame-4711"],
            drift={"actions_taken": [{"table": "wh.kept__x.b", "action": "x", "reason": "opensesame-4711"}]}))
        sys.stderr.write("Error: opensesame-4711\\n"); sys.exit(2)
    """)
    run = run_step(
        engine, mode, [A, with_checks(B, named("row_count"))], options=RunOptions(mask_env=["WAREHOUSE_DSN"])
    )

    assert not run.success
    entries = [str(entry) for entry in run.instance.all_logs(run.result.run_id)]
    console = "".join(capfd.readouterr())
    assert any("no way in" in entry for entry in entries)
    for secret in ("opensesame-4711", "hunter2hunter2"):
        assert not [entry for entry in entries if secret in entry]
        assert secret not in console
