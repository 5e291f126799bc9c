"""A quality pipeline runs through the same executor as everything else, with the same outcomes."""

from collections.abc import Callable

import dagster as dg

from dagster_rocky.engine.options import RunOptions
from dagster_rocky.resource import RockyResource
from dagster_rocky.step.body import Running, run_checks
from dagster_rocky.vocabulary import CheckDeclaration, EngineAsset, Mode

Make = Callable[..., RockyResource]
KEY = dg.AssetKey(["wh", "marts", "t"])
CHECKS = (
    CheckDeclaration(engine_name="row_count", name="row_count"),
    CheckDeclaration(engine_name="expression:-", name="expression__"),
    CheckDeclaration(engine_name="expression:-", name="expression___2", occurrence=1),
)
TABLE = EngineAsset(
    engine_key=("wh", "marts", "t"),
    asset_key=KEY,
    kind="quality",
    name="t",
    pipeline="tasting",
    target="wh.marts.t",
    checks=CHECKS,
)
RESULTS = """
checks = [{"name": "row_count", "passed": True, "severity": "error"},
          {"name": "expression:-", "passed": True, "severity": "error"},
          {"name": "expression:-", "passed": False, "severity": "error"}]
found = [{"asset_key": ["wh", "marts", "t"], "checks": checks}]
"""


def evaluated(
    engine: RockyResource, mode: str, **options: object
) -> tuple[dg.ExecuteInProcessResult, dict[str, bool]]:
    """A check op around the engine, and what it showed."""
    running = Running(
        mode=Mode(mode), options=RunOptions.model_validate({**engine.options().model_dump(), **options})
    )

    @dg.multi_asset_check(specs=[dg.AssetCheckSpec(c.name, asset=KEY) for c in CHECKS], can_subset=True)
    def tasting(context: dg.AssetCheckExecutionContext):
        yield from run_checks(context, engine, [TABLE], "tasting", running)

    defs = dg.Definitions(
        asset_checks=[tasting], jobs=[dg.define_asset_job("tested", dg.AssetSelection.all_asset_checks())]
    )
    result = defs.resolve_job_def("tested").execute_in_process(raise_on_error=False)
    return result, {e.check_name: e.passed for e in result.get_asset_check_evaluations()}


def failure(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return str(event.step_failure_data.user_failure_data.description)


def test_a_failed_check_explains_the_exit_code(make_engine: Make, mode: str) -> None:
    engine = make_engine(
        RESULTS
        + """
say(result([], check_results=found, pipeline_type=None))
sys.stderr.write("Error: quality pipeline failed: 1 error-severity check(s) failed\\n"); sys.exit(1)
"""
    )
    result, checks = evaluated(engine, mode)
    assert result.success
    assert checks == {"row_count": True, "expression__": True, "expression___2": False}


def test_a_quarantine_that_failed_is_red_and_says_why(make_engine: Make, mode: str) -> None:
    engine = make_engine(
        RESULTS
        + """
checks[2]["passed"] = True
say(result([], check_results=found, quarantine=[{"asset_key": ["wh", "marts", "t"], "mode": "split", "ok": False,
    "error": "disk is full", "quarantined_rows": 0}]))
sys.exit(1)
"""
    )
    result, checks = evaluated(engine, mode)
    assert not result.success
    assert len(checks) == 3
    assert "could not be quarantined: disk is full" in failure(result)


def test_a_run_that_was_done_before_keeps_the_checks_results(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        if "state" in sys.argv:
            say({"command": "state", "watermarks": [{"table": "wh.marts.t"}]}); sys.exit(0)
        assert "--idempotency-key" in sys.argv
        say(result([], status="SkippedIdempotent", skipped_by_run_id="run-0", idempotency_key="k"))
    """)
    result, checks = evaluated(engine, mode, idempotency_key="nightly-{run_id}")
    assert result.success
    assert checks == {}
    told = [e for e in result.all_events if e.event_type_value == "ASSET_OBSERVATION"]
    assert "run-0 finished the same request" in str(
        told[0].asset_observation_data.asset_observation.description
    )


def test_a_key_in_flight_is_no_result(make_engine: Make, mode: str) -> None:
    engine = make_engine(
        'say(result([], status="SkippedInFlight", skipped_by_run_id="run-0", idempotency_key="k"))'
    )
    result, checks = evaluated(engine, mode)
    assert not result.success
    assert checks == {}
    assert "held by run-0" in failure(result)


def test_a_cooldown_asks_dagster_to_wait(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        say(result([], errors=[{"asset_key": ["wh", "marts", "t"], "error": "slow down",
            "failure_kind": "quota-exceeded", "cooldown_seconds": 0.1}])); sys.exit(1)
    """)
    result, _ = evaluated(engine, mode)
    assert not result.success
    assert any(event.event_type_value == "STEP_UP_FOR_RETRY" for event in result.all_events)


def test_a_check_without_a_result_has_neither_passed_nor_failed(make_engine: Make, mode: str) -> None:
    engine = make_engine(RESULTS + "\ncheck = checks.pop(0); say(result([], check_results=found))")
    result, checks = evaluated(engine, mode)
    assert not result.success
    assert "row_count" not in checks
    assert "gave no result for row_count" in failure(result)
