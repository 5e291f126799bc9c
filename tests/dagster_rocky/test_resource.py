"""`RockyResource` for Python users: three ways to run, the short commands, and their failures."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.resource import RockyResource
from support.projects import make_project
from support.stand_in import write_engine

ECHO = """
say(result(["a"], argv=sys.argv[1:], cwd=os.getcwd(), check_results=[
    {"asset_key": ["duckdb", "x", "a"], "checks": [{"name": "row_count", "passed": True, "severity": "error"}]}]))
"""
HOOK = """[[hook.on_after_materialize]]
command = 'cat >> "${DAGSTER_ROCKY_HOOK_FILE:-/dev/null}"'
"""
ALL_KEYWORDS = {
    "governance_override": {"grants": []},
    "pipeline": "landing",
    "run_models": True,
    "model": "m",
    "partition_from": "2026-01-01",
    "partition_to": "2026-01-02",
    "lookback": 0,
    "parallel": 4,
    "shadow_suffix": "_pr",
    "idempotency_key": "k",
    "env": "prod",
    "vars": {"region": "north"},
    "timeout_seconds": 30,
}


@pytest.fixture
def rocky(tmp_path: Path) -> Callable[..., RockyResource]:
    """Makes a resource whose engine is the body of a script, in a folder with an awkward name."""

    names = {"project": 'it\'s a "project" ünï', "script_name": "the engine"}
    return lambda body, **settings: write_engine(tmp_path, body, **names, **settings)


def test_every_keyword_becomes_its_flag(rocky: Callable[..., RockyResource]) -> None:
    result = rocky(ECHO, models_dir="sql", state_namespace="ns").run(filter="airport=jfk", **ALL_KEYWORDS)

    assert result.model_extra is not None
    line = " ".join(result.model_extra["argv"])
    assert line.startswith(
        "-c rocky.toml --state-namespace ns run --pipeline landing --filter airport=jfk --model m"
    )
    assert (
        "--from 2026-01-01 --to 2026-01-02 --lookback 0 --parallel 4 --idempotency-key k --env prod" in line
    )
    assert "--models sql --all --shadow --shadow-suffix _pr --var region=north" in line
    assert line.endswith('--governance-override {"grants": []} -o json')
    assert result.model_extra["cwd"].endswith("ünï")
    assert (result.exit_code, result.is_success) == (0, True)


def test_all_three_take_the_same_keywords_from_asset_and_op(rocky: Callable[..., RockyResource]) -> None:
    resource = rocky(ECHO)
    seen = {}

    def call(context) -> None:
        streamed = resource.run_streaming(context, filter="airport=jfk", **ALL_KEYWORDS)
        buffered = resource.run(filter="airport=jfk", **ALL_KEYWORDS)
        piped = resource.run_pipes(context, filter="airport=jfk", **ALL_KEYWORDS)
        assert streamed.materializations == buffered.materializations
        seen[type(context).__name__] = piped

    @dg.asset
    def an_asset(context: dg.AssetExecutionContext) -> None:
        call(context)

    @dg.op
    def an_op(context: dg.OpExecutionContext) -> None:
        call(context)

    @dg.job
    def a_job() -> None:
        an_op()

    assert dg.materialize([an_asset]).success
    assert a_job.execute_in_process().success
    assert all(isinstance(i, dg.PipesClientCompletedInvocation) for i in seen.values())
    assert [type(r).__name__ for r in seen["OpExecutionContext"].get_results()] == [
        "MaterializeResult",
        "AssetCheckResult",
    ]


def test_pipes_results_in_a_plain_asset_are_what_the_engine_reported(
    rocky: Callable[..., RockyResource],
) -> None:
    resource = rocky(ECHO)
    reported, silent = dg.AssetKey(["duckdb", "x", "a"]), dg.AssetKey("silent")

    @dg.multi_asset(
        specs=[dg.AssetSpec(reported), dg.AssetSpec(silent, skippable=True)],
        check_specs=[dg.AssetCheckSpec("row_count", asset=reported)],
    )
    def both(context: dg.AssetExecutionContext):
        yield from resource.run_pipes(context, filter="airport=jfk").get_results()

    result = dg.materialize([both])
    assert [e.asset_key for e in result.get_asset_materialization_events()] == [reported]
    assert [e.passed for e in result.get_asset_check_evaluations()] == [True]


@pytest.mark.parametrize("declared", [False, True])
def test_a_real_engine_that_reports_live_is_told_once(tmp_path: Path, declared: bool) -> None:
    config = make_project("brewery", tmp_path)
    config.write_text(f"{config.read_text()}\n{HOOK}")
    resource = RockyResource(binary_path="rocky-local", config_path=str(config))
    tables = {f"duckdb/{site}/{table}" for site in ("north", "south") for table in ("kegs", "pours")}
    specs = [dg.AssetSpec(key.split("/")) for key in sorted(tables)] if declared else [dg.AssetSpec("whole")]

    @dg.multi_asset(specs=specs, name="copies")
    def copies(context: dg.AssetExecutionContext):
        yield from resource.run_pipes(context, pipeline="taps").get_results()

    result = dg.materialize([copies])

    built = [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()]
    assert sorted(built) == sorted(tables if declared else {*tables, "whole"})
    checks = [(e.asset_key.to_user_string(), e.check_name) for e in result.get_asset_check_evaluations()]
    names = {"kegs": ("row_count", "expression__", "expression___2"), "pours": ("row_count",)}
    assert sorted(checks) == sorted((key, name) for key in tables for name in names[key.rpartition("/")[2]])


def test_pipes_results_beside_what_is_declared_are_told_under_their_own_keys(
    rocky: Callable[..., RockyResource],
) -> None:
    checks = [
        {"name": name, "passed": name != "b", "severity": "error"} for name in ("expression:-", "a", "b", "b")
    ]
    found = [{"asset_key": ["duckdb", "x", "a"], "checks": checks}]
    resource = rocky(f'say(result(["a", "b"], check_results={found!r}))')

    @dg.asset
    def whole(context: dg.AssetExecutionContext):
        yield from resource.run_pipes(context).get_results()

    @dg.asset
    def alone(context: dg.AssetExecutionContext):
        yield from resource.run_pipes(context).get_results(include_undeclared=False)

    result = dg.materialize([whole])
    told = {
        e.asset_key.to_user_string(): e.materialization for e in result.get_asset_materialization_events()
    }
    assert set(told) == {"duckdb/x/a", "duckdb/x/b", "whole"}
    assert told["duckdb/x/a"].metadata["rocky/strategy"].value == "full_refresh"
    evaluated = {(e.check_name, e.passed) for e in result.get_asset_check_evaluations()}
    assert evaluated == {("expression__", True), ("a", True), ("b", False), ("b_2", False)}
    assert [e.asset_key.path[-1] for e in dg.materialize([alone]).get_asset_materialization_events()] == [
        "alone"
    ]


def test_a_partial_success_is_a_result(rocky: Callable[..., RockyResource]) -> None:
    body = (
        'say(result(["a"], status="PartialFailure", errors=[{"asset_key": [], "error": "no"}])); sys.exit(2)'
    )
    result = rocky(body).run()

    assert (result.exit_code, result.is_success, len(result.materializations)) == (2, False, 1)
    assert result.errors[0].error == "no"


def test_short_commands_parse_and_fail_with_reasons(rocky: Callable[..., RockyResource]) -> None:
    resource = rocky("""
if "--version" in sys.argv: print("rocky 1.71.0"); sys.exit(0)
if "discover" in sys.argv: say({"version": "1.71.0", "command": "discover", "sources": [
    {"id": "s", "components": {}, "source_type": "duckdb", "last_sync_at": None, "tables": [{"name": "t"}]}]})
else: sys.stderr.write("Error: no models found in models\\n"); sys.exit(1)
""")
    assert resource.version() == "1.71.0"
    assert [t.name for t in resource.discover(pipeline="p").sources[0].tables] == ["t"]
    with pytest.raises(dg.Failure, match="no models found in models"):
        resource.compile()


def test_a_binary_that_hangs_on_version_is_given_up(rocky: Callable[..., RockyResource]) -> None:
    resource = rocky("", timeout_seconds=0.5)
    Path(resource.binary_path).write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(dg.Failure, match="timeout_seconds"):
        resource.version()


def test_a_missing_project_folder_is_named(tmp_path: Path) -> None:
    resource = RockyResource(binary_path=sys.executable, config_path=str(tmp_path / "gone" / "rocky.toml"))
    with pytest.raises(dg.Failure, match="folder of the engine's config does not exist"):
        resource.run()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"filter": "jfk"}, "filter must be `key=value`"),
        ({"partition_from": "2026-01-01"}, "go together"),
        ({"partition": "2026-01-01", "latest": True}, "choose one of partition, latest"),
    ],
)
def test_requests_that_the_engine_would_refuse_are_refused_here(
    fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        RunRequest(**fields)  # type: ignore[arg-type]


def test_the_docstring_example_of_a_request_holds() -> None:
    assert RunRequest(filter="airport=jfk", pipeline="landing").to_args() == [
        "run", "--pipeline", "landing", "--filter", "airport=jfk",
    ]  # fmt: skip
    assert json.loads(RunRequest(options=RunOptions(governance_override={"a": 1})).to_args()[-1]) == {"a": 1}


def test_a_plain_asset_stands_for_the_whole_run(rocky: Callable[..., RockyResource]) -> None:
    nothing = "say(result([]))"
    partial = 'say(result(["a"], status="PartialFailure", errors=[{"asset_key": [], "error": "no type"}])); sys.exit(2)'

    def run(body: str) -> dg.ExecuteInProcessResult:
        resource = rocky(body)

        @dg.asset
        def flights(context: dg.AssetExecutionContext):
            yield from resource.run_pipes(context, filter="airport=jfk").get_results()

        return dg.materialize([flights], raise_on_error=False)

    built = run(ECHO)
    assert built.success
    event = built.get_asset_materialization_events()[-1]
    assert event.asset_key == dg.AssetKey("flights")
    assert event.materialization.metadata["rocky/tables"].value == 1
    for body, reason in ((nothing, "built nothing"), (partial, "no type")):
        failed = run(body)
        assert not failed.success
        assert not failed.get_asset_materialization_events()
        failure = next(e for e in failed.all_events if e.is_step_failure)
        assert reason in failure.event_specific_data.user_failure_data.description
