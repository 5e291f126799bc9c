"""Live events: hooks and Pipes messages while the engine runs, and what the end adds to them."""

from collections.abc import Callable
from dataclasses import replace

import dagster as dg
import pytest

from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.planning.plan import PlannedRun, Unit
from dagster_rocky.resource import RockyResource
from support.stand_in import MODES, run_step, table_asset

Make = Callable[..., RockyResource]
A, B = table_asset("a", checks=["row_count", "null_rate:email"]), table_asset("b")

RUN_WITH_HOOKS = """
    for name in "ab":
        log("copying data", table="wh.kept__x." + name, strategy="full_refresh")
        hook(name, duration_ms=1200)
        pipes("report_asset_materialization", {"asset_key": "duckdb/x/" + name, "data_version": None,
              "metadata": {"duration_ms": 1200, "strategy": "full_refresh", "watermark": "2026-01-01T00:00:00+00:00",
                           "target_table_full_name": "wh.kept__x." + name}})
        time.sleep(0.4)
    check = {"name": "null_rate:email", "passed": False, "severity": "warning", "column": "email",
             "null_rate": 0.2, "threshold": 0.1}
    pipes("report_asset_check", {"asset_key": "duckdb/x/a", "check_name": "null_rate_email", "passed": False,
          "severity": "ERROR", "metadata": check})
    say(result([table(n, duration_ms=1200, cost_usd=0.5) for n in "ab"], check_results=[
        {"asset_key": ["duckdb", "x", "a"], "checks": [check]}]))
"""


@pytest.mark.parametrize("live_after", [0, 60], ids=["at-once", "held"])
def test_modes_end_with_the_same_events(make_engine: Make, live_after: float) -> None:
    engine = make_engine(RUN_WITH_HOOKS)
    runs = {
        mode: run_step(engine, mode, [A, B], options=RunOptions(live_after_seconds=live_after))
        for mode in MODES
    }

    reference = runs["buffered"]
    assert reference.success
    for run in runs.values():
        assert run.materialized == reference.materialized
        assert run.observed == reference.observed
        assert run.checks == reference.checks
    assert reference.materialized["a"]["rocky/duration_seconds"] == 1.2
    completed = reference.materialized["b"] if live_after else dict(reference.observed)["b"]
    assert completed["rocky/cost_usd"] == 0.5
    assert completed["rocky/strategy"] == "full_refresh"
    assert completed["rocky/watermark"] == "2026-01-01T00:00:00Z"
    assert reference.checks == {("a", "null_rate_email"): (False, "WARN")}


def test_a_hook_makes_a_materialization_while_the_engine_runs(make_engine: Make, mode: str) -> None:
    run = run_step(make_engine(RUN_WITH_HOOKS), mode, [A, B], options=RunOptions(live_after_seconds=0))

    first = run.instance.all_logs(run.result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)[0]
    end = run.instance.all_logs(run.result.run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)[0]
    assert end.timestamp - first.timestamp > 0.3
    assert "rocky: [1/2] duckdb/x/a in 1.2 s" in run.logs


def test_checks_without_a_result_are_said_to_be_so(make_engine: Make, mode: str) -> None:
    run = run_step(make_engine('say(result(["a"]))'), mode, [A])

    assert run.success
    assert run.checks == {}
    assert dict(run.observed)["a"]["rocky/checks_not_evaluated"] == ["null_rate_email", "row_count"]


def test_a_check_whose_query_failed_keeps_its_severity_and_says_so(make_engine: Make, mode: str) -> None:
    asset = table_asset("a", checks=["no_negative"])
    engine = make_engine("""
        say(result(["a"], check_results=[{"asset_key": ["duckdb", "x", "a"], "checks": [
            {"name": "no_negative", "passed": False, "severity": "error", "query": "SELECT nope",
             "result_value": 0, "threshold": 0}]}]))
    """)
    run = run_step(engine, mode, [asset])
    assert run.checks == {("a", "no_negative"): (False, "ERROR")}
    (evaluation,) = run.result.get_asset_check_evaluations()
    assert "could not evaluate" in (evaluation.description or "")
    assert evaluation.metadata["rocky/evaluated"].value is False


def test_an_undeclared_check_becomes_an_observation(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        checks = [{"name": "surprise", "passed": True, "severity": "error"}]
        pipes("report_asset_check", {"asset_key": "duckdb/x/b", "check_name": "surprise", "passed": True,
              "severity": "ERROR", "metadata": checks[0]})
        say(result(["b"], check_results=[{"asset_key": ["duckdb", "x", "b"], "checks": checks}]))
    """)
    run = run_step(engine, mode, [B])

    assert run.success
    assert [(n, m["rocky/check"]) for n, m in run.observed] == [("b", "surprise")]


@pytest.mark.parametrize(
    "mess",
    [
        'raw(\'{"method": "report_asset_mat\')',
        'raw("not json\\n")',
        'pipes("report_asset_materialization", {"asset_key": "duckdb/none/such", "metadata": {}})',
        'pipes("report_asset_materialization", {"asset_key": None})',
        'pipes("nonsense", 7)',
        'pipes("report_asset_check", {"asset_key": "duckdb/x/b", "check_name": "nope", "passed": "maybe"})',
        'for _ in range(3): pipes("report_asset_materialization", {"asset_key": "duckdb/x/b", "metadata": '
        '{"duration_ms": {"raw_value": 5, "type": "int"}, "strategy": "full_refresh", '
        '"watermark": "2026-01-01T00:00:00Z", "target_table_full_name": "wh.kept__x.b"}})',
        "os.remove(messages_path())",
    ],
    ids=[
        "cut",
        "garbage",
        "unknown-key",
        "null-key",
        "unknown-method",
        "undeclared",
        "duplicated",
        "file-gone",
    ],
)
def test_bad_pipes_messages_change_nothing(make_engine: Make, mess: str) -> None:
    engine = make_engine(f"""
        def raw(text):
            with open(messages_path(), "a") as f:
                f.write(text)
        {mess}
        time.sleep(0.3)
        say(result(["b"]))
    """)
    run = run_step(engine, "pipes", [B])

    assert run.success
    assert list(run.materialized) == ["b"]
    assert run.materialized["b"]["rocky/strategy"] == "full_refresh"


def test_silence_over_pipes_is_said_once(make_engine: Make) -> None:
    run = run_step(make_engine('say(result(["b"]))'), "pipes", [B])

    assert run.success
    assert [line for line in run.logs if "sent no Pipes messages" in line] == [
        "rocky: the engine sent no Pipes messages; its results are taken from its JSON output instead"
    ]


def test_drift_with_a_table_name_finds_its_asset(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        drift = {"table": "wh.kept__x.b", "action": "add_columns", "reason": "added column 'lux' (INTEGER)"}
        pipes("report_asset_check", {"asset_key": "wh.kept__x.b", "check_name": "drift", "passed": True,
              "severity": "WARN", "metadata": drift})
        say(result(["b"], drift={"tables_checked": 1, "tables_drifted": 1, "actions_taken": [drift]}))
    """)
    run = run_step(engine, mode, [B])

    assert [m["rocky/drift_action"] for _, m in run.observed] == ["add_columns"]


def test_what_was_copied_besides_the_selection_is_reported_as_what_it_is(
    make_engine: Make, mode: str
) -> None:
    run = run_step(
        make_engine('say(result(["a", "b"]))'),
        mode,
        [A],
        plan=[PlannedRun(request=RunRequest(), units=(Unit(A),), extras=(B,))],
    )

    assert run.success
    assert run.materialized["b"]["rocky/selected"] is False


def test_unknown_enums_and_fields_are_kept(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        say(result([table("b", new_thing=[1, 2])], status="Splendid", novelty={"x": 1},
                   errors=[]))
    """)
    assert set(run_step(engine, mode, [B]).materialized) == {"b"}


def test_unchanged_keeps_its_data_version(make_engine: Make, mode: str) -> None:
    model = table_asset("m")
    model = replace(model, kind="model", name="m")
    instance = dg.DagsterInstance.ephemeral()
    built = run_step(make_engine('say(result(["m"]))'), mode, [model], instance=instance)
    skipped = run_step(
        make_engine(
            'say(result([], model_decisions=[{"model": "m", "decision": "skip", "reason": "same inputs"}]))'
        ),
        mode,
        [model],
        instance=instance,
    )

    assert built.success
    assert skipped.success
    assert skipped.materialized["m"]["rocky/outcome"] == "unchanged"

    def version(run) -> str:
        event = next(e for e in run.result.all_events if e.is_step_materialization)
        return event.materialization.tags["dagster/data_version"]

    assert version(skipped) == version(built)


def test_row_count_is_what_was_counted(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        check = {"name": "row_count", "passed": True, "severity": "error", "source_count": 7, "target_count": 7}
        say(result(["a", table("b", rows_copied=3), table("c", rows_copied=2, metadata={"strategy": "incremental"})],
                   check_results=[{"asset_key": ["duckdb", "x", "a"], "checks": [check]}]))
    """)
    facts = run_step(engine, mode, [A, B, table_asset("c")]).materialized

    assert facts["a"]["dagster/row_count"] == 7
    assert facts["b"]["dagster/row_count"] == 3
    assert "dagster/row_count" not in facts["c"]
    assert facts["c"]["rocky/rows_copied"] == 2
