"""`rocky test`: build the models in memory and run their unit tests, or ask the warehouse; `ci` compiles, too."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rocky_local.adapter import DuckDBAdapter, literal
from rocky_local.args import Arguments
from rocky_local.errors import CompileError, DatabaseError, EngineError, NoQuery
from rocky_local.execution import checks
from rocky_local.output import Answer, Entry
from rocky_local.project.compiler import Compiled, compile_project
from rocky_local.project.config import load_config
from rocky_local.project.models import Model, load_project
from rocky_local.project.sidecar import UnitTest
from rocky_local.project.tables import Assertion
from rocky_local.tracing import Log

_SEED = Path("data", "seed.sql")
_RUNNER = Log("rocky_engine::test_runner")
_EXECUTOR = Log("rocky_engine::executor")
_COMMAND = Log("rocky_cli::commands::test")
_CI = Log("rocky_engine::ci")


class _ModelOutcome(Entry):
    model: str
    status: str = "pass"
    error: str | None = None


class _Failure(Entry):
    name: str
    error: str


class _Mismatch(Entry):
    kind: str
    expected: int | None = None
    actual: int | None = None
    row: dict[str, str] | None = None


class _UnitOutcome(Entry):
    model: str
    test: str
    passed: bool = False
    error: str | None = None
    mismatches: Sequence[_Mismatch] = ()


class _DeclaredOutcome(Entry):
    """How a declared test went; it could not run unless something else comes out."""

    model: str
    table: str
    test_type: str
    column: str | None = None
    status: str = "error"
    severity: str = "error"
    detail: str | None = None
    sql: str = ""


class Tally(Entry):
    """How many tests passed, and the tests; a command's own counts models, the tests are in others within."""

    total: int
    passed: int
    failed: int
    warned: int | None = None
    errored: int | None = None
    results: list[_UnitOutcome] | list[_DeclaredOutcome] | None = None
    failures: list[_Failure] | None = None
    model_results: list[_ModelOutcome] | None = None
    unit_tests: "Tally | None" = None
    declarative: "Tally | None" = None


def answer_test(args: Arguments) -> Answer:
    """Test and give the outcome; a failing test fails the command."""
    if args.has("declarative"):
        return _on_the_warehouse(args)
    only, variables = args.get("model"), args.variables
    compiled = compile_project(args.models, contracts_dir=args.get("contracts"), variables=variables)
    models = compiled.project.chosen(only)
    found = _build_all(compiled, variables, only)
    compiled.log()
    units = [_unit_test(model, test, variables) for model in models for test in model.sidecar.test]
    passed = sum(unit.passed for unit in units)
    if units:
        _RUNNER.info("unit test run complete", total=len(units), passed=passed)
        found.unit_tests = Tally(len(units), passed, len(units) - passed, results=units)
    failed = found.failed or passed < len(units)
    return Answer("test", vars(found)).unless(failed, "test failures detected")


def answer_ci(args: Arguments) -> Answer:
    """Compile, and test when that went well; give both outcomes in one."""
    _CI.info("running CI pipeline")
    _CI.info("step 1: compile")
    variables, contracts = args.variables, args.get("contracts")
    # The configuration is not looked at, so that no tag counts as masked.
    compiled = compile_project(args.models, contracts_dir=contracts, variables=variables, masked=())
    failures = [_Failure(finding.model, finding.message) for finding in compiled.errors]
    compiles, passed = not failures, 0
    if compiles:
        built = _build_all(compiled, variables)
        passed, failures = built.passed, built.failures or []
    # The engine counts outcomes here: findings that are errors, when there are any, and else models.
    code, count = int(bool(failures)), passed + len(failures)
    outcome = {"compile_ok": compiles, "tests_ok": not failures}
    told = {"models": count, "passed": passed, "failed": len(failures), "exit_code": code}
    _CI.info("CI pipeline complete", **outcome, **told)
    counts = {"models_compiled": count, "tests_passed": passed, "tests_failed": len(failures)}
    found = {"exit_code": code, "diagnostics": compiled.diagnostics, "failures": failures}
    return Answer("ci", {**outcome, **counts, **found}, code=code)


def _build_all(compiled: Compiled, variables: dict[str, str], only: str | None = None) -> Tally:
    """Build every model in memory under its own bare name; give counts, failures and outcomes, of all or one."""
    results = []
    with DuckDBAdapter(":memory:") as adapter:
        if _SEED.is_file():
            adapter.execute(_SEED.read_text(encoding="utf-8"))
            _RUNNER.info("loaded seed data", path=str(_SEED))
        for model in compiled.order:
            outcome = _ModelOutcome(model.name)
            try:
                _build(adapter, model, variables)
                _EXECUTOR.info("model executed locally", model=model.name)
            except DatabaseError as error:
                outcome.status, outcome.error = "fail", error.message
            results.append(outcome)
    results = [outcome for outcome in results if only in (None, outcome.model)]
    failures = [_Failure(outcome.model, outcome.error) for outcome in results if outcome.error is not None]
    found = Tally(len(results), len(results) - len(failures), len(failures))
    _RUNNER.info("test run complete", **vars(found), filter=only or "<none>")
    found.failures, found.model_results = failures, results
    return found


def _build(adapter: DuckDBAdapter, model: Model, variables: dict[str, str]) -> None:
    adapter.execute(f"CREATE OR REPLACE TABLE {model.name} AS\n{model.rendered(variables)}")


def _unit_test(model: Model, test: UnitTest, variables: dict[str, str]) -> _UnitOutcome:
    outcome, blame = _UnitOutcome(model.name, test.name), ""
    with DuckDBAdapter(":memory:") as adapter:
        try:
            for given in test.given:
                adapter.execute(f"CREATE TABLE {given.ref} AS {_values(given.rows)}")
            blame = "model execution failed: "
            _build(adapter, model, variables)
            blame = ""
            outcome.mismatches = _mismatches(adapter, model.name, test.expect.rows)
            outcome.passed = not outcome.mismatches
        except DatabaseError as error:
            outcome.error = f"{blame}{error.message}"
    return outcome


def _values(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return "SELECT 1 AS empty WHERE FALSE"
    names = list(rows[0])
    lines = ", ".join("(" + ", ".join(literal(row.get(name)) for name in names) + ")" for row in rows)
    return f"SELECT * FROM (VALUES {lines}) AS given({', '.join(names)})"


def _mismatches(adapter: DuckDBAdapter, table: str, expected: Sequence[dict[str, Any]]) -> list[_Mismatch]:
    """Compare rows without regard to their order; the columns are those that are expected."""
    if not expected:
        count = adapter.count(table)
        return [_Mismatch("unexpected_rows", expected=0, actual=count)] if count else []
    names = ", ".join(expected[0])
    actual = f"SELECT {names} FROM {table}"
    wanted = f"SELECT {names} FROM ({_values(expected)}) AS expected"
    return [
        _Mismatch(kind, row=dict(zip(expected[0], map(str, row), strict=True)))
        for kind, left, right in (("missing_row", wanted, actual), ("unexpected_row", actual, wanted))
        for row in adapter.query(f"({left}) EXCEPT ALL ({right})")
    ]


def _on_the_warehouse(args: Arguments) -> Answer:
    """Run the declared tests of the models on their tables; one of severity `warning` only warns."""
    config, only = load_config(args.config), args.get("model")
    pipeline = config.select(args.get("pipeline"))
    try:
        models = [model for model in load_project(args.models).models if only in (None, model.name)]
    except CompileError as error:
        raise EngineError(f"failed to load models from {args.models}", error.message) from error
    with config.open(pipeline.adapter) as adapter:
        results = [_declared_test(adapter, model, test) for model in models for test in model.tests]
    found = Counter(
        "warn" if (outcome.status, outcome.severity) == ("fail", "warning") else outcome.status
        for outcome in results
    )
    declared = Tally(len(results), found["pass"], found["fail"], found["warn"], found["error"], results)
    result = Tally(0, 0, 0, failures=[], model_results=[], declarative=declared)
    problems = f"{found['fail']} hard failure(s), {found['error']} execution error(s)"
    failed = found["fail"] + found["error"]
    return Answer("test", vars(result)).unless(failed, f"declarative test failures: {problems}")


def _declared_test(adapter: DuckDBAdapter, model: Model, test: Assertion) -> _DeclaredOutcome:
    column, severity = test.column or None, test.severity
    outcome = _DeclaredOutcome(model.name, model.target, test.type, column, severity=severity)
    try:
        outcome.sql = checks.assertion_sql(test, model.target)
        found, passed = checks.judged(test, adapter.query(outcome.sql))
        outcome.status, outcome.detail = "pass" if passed else "fail", _detail(test, found, passed=passed)
    except NoQuery as error:
        outcome.detail = error.message
    except DatabaseError as error:
        outcome.detail = f"execution error: {error.message}"
        _COMMAND.warn(f"declarative test {outcome.detail}", model=model.name, test_type=test.type)
    return outcome


def _detail(test: Assertion, found: int, *, passed: bool) -> str | None:
    if test.type == "row_count_range":
        bounds = f"[{test.min or 0}, {'∞' if test.max is None else test.max}]"
        return f"row count: {found}" if passed else f"row count {found} outside range {bounds}"
    return None if passed else f"{found} {'NULL' if test.type == 'not_null' else 'failing'} row(s) found"
