"""Local tests: every model is built in memory on seed data, and unit tests compare rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rocky_local import tracing
from rocky_local.errors import DatabaseError

if TYPE_CHECKING:
    from rocky_local.adapter import DuckDBAdapter
    from rocky_local.compiler import Compiled
    from rocky_local.models import Model

SEED = Path("data", "seed.sql")
_RUNNER = "rocky_engine::test_runner"
_EXECUTOR = "rocky_engine::executor"


@dataclass
class LocalTests:
    """What the local tests found.

    Attributes:
        results: One entry a model, in the order in which they were built.
    """

    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def failures(self) -> list[dict[str, str]]:
        """The models that could not be built, with the reason."""
        return [
            {"name": entry["model"], "error": entry["error"]}
            for entry in self.results
            if entry["status"] == "fail"
        ]

    @property
    def passed(self) -> int:
        """How many models could be built."""
        return len(self.results) - len(self.failures)


def run_models(compiled: Compiled, variables: dict[str, str], only: str | None = None) -> LocalTests:
    """Build every model in memory under its own bare name, after the seed script.

    Args:
        compiled: The project.
        variables: The run variables.
        only: Report this model alone; the others are built all the same.

    Raises:
        DatabaseError: The seed script fails.
    """
    from rocky_local.adapter import DuckDBAdapter  # noqa: PLC0415

    adapter = DuckDBAdapter(":memory:")
    found = LocalTests()
    if SEED.is_file():
        adapter.execute(SEED.read_text(encoding="utf-8"))
        tracing.info(_RUNNER, "loaded seed data", path=tracing.Display(SEED))
    for model in compiled.order:
        error = _build(adapter, model, variables)
        if error is None:
            tracing.info(_EXECUTOR, "model executed locally", model=tracing.Display(model.name))
        if only not in (None, model.name):
            continue
        if error is None:
            found.results.append({"model": model.name, "status": "pass"})
        else:
            found.results.append({"model": model.name, "status": "fail", "error": error})
    adapter.close()
    tracing.info(
        _RUNNER,
        "test run complete",
        total=len(found.results),
        passed=found.passed,
        failed=len(found.failures),
        filter=tracing.Display(only or "<none>"),
    )
    return found


def _build(adapter: DuckDBAdapter, model: Model, variables: dict[str, str]) -> str | None:
    """Build a model in memory; return why it failed, or None."""
    try:
        adapter.execute(f"CREATE OR REPLACE TABLE {model.name} AS\n{model.rendered(variables)}")
    except DatabaseError as error:
        return error.brief
    return None


def run_unit_tests(compiled: Compiled, variables: dict[str, str], only: str | None) -> dict[str, Any] | None:
    """Run the `[[test]]` entries of the models; None when there are none.

    Returns:
        The `unit_tests` object of the `test` command.
    """
    results = [
        _unit_test(model, test, variables)
        for model in compiled.project.models
        if only in (None, model.name)
        for test in model.unit_tests
    ]
    if not results:
        return None
    passed = sum(entry["passed"] for entry in results)
    tracing.info(_RUNNER, "unit test run complete", total=len(results), passed=passed)
    failed = len(results) - passed
    return {"total": len(results), "passed": passed, "failed": failed, "results": results}


def _unit_test(model: Model, test: dict[str, Any], variables: dict[str, str]) -> dict[str, Any]:
    from rocky_local.adapter import DuckDBAdapter  # noqa: PLC0415

    entry: dict[str, Any] = {"model": model.name, "test": test.get("name", "unnamed"), "passed": False}
    adapter = DuckDBAdapter(":memory:")
    try:
        for given in test.get("given", []):
            adapter.execute(f"CREATE TABLE {given['ref']} AS {_values(given.get('rows', []))}")
        error = _build(adapter, model, variables)
        if error is not None:
            return {**entry, "error": f"model execution failed: {error}", "mismatches": []}
        expected = test.get("expect", {}).get("rows", [])
        mismatches = _mismatches(adapter, model.name, expected)
    except DatabaseError as problem:
        return {**entry, "error": problem.brief, "mismatches": []}
    finally:
        adapter.close()
    return {**entry, "passed": not mismatches, "mismatches": mismatches}


def _values(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "SELECT 1 AS empty WHERE FALSE"
    names = list(rows[0])
    lines = ", ".join("(" + ", ".join(_literal(row.get(name)) for name in names) + ")" for row in rows)
    return f"SELECT * FROM (VALUES {lines}) AS given({', '.join(names)})"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def _mismatches(adapter: DuckDBAdapter, table: str, expected: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compare rows without regard to their order; the columns are those that are expected."""
    if not expected:
        count = adapter.query(f"SELECT COUNT(*) FROM {table}")[0][0]
        return [{"kind": "unexpected_rows", "expected": 0, "actual": count}] if count else []
    names = ", ".join(expected[0])
    actual = f"SELECT {names} FROM {table}"
    wanted = f"SELECT {names} FROM ({_values(expected)}) AS expected"
    found = []
    for kind, left, right in (("missing_row", wanted, actual), ("unexpected_row", actual, wanted)):
        for row in adapter.query(f"({left}) EXCEPT ALL ({right})"):
            values = dict(zip(expected[0], (str(value) for value in row), strict=True))
            found.append({"kind": kind, "row": values})
    return found
