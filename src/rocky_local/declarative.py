"""Declarative tests: the `[[tests]]` of the models, asked of the warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rocky_local import checks
from rocky_local.errors import DatabaseError

if TYPE_CHECKING:
    from rocky_local.adapter import DuckDBAdapter
    from rocky_local.models import Model


def run_declarative(adapter: DuckDBAdapter, models: list[Model]) -> dict[str, Any]:
    """Run every declared test of some models.

    Returns:
        The `declarative` object of the `test` command; a failing test of severity `warning` only warns.
    """
    results = [_test(adapter, model, test) for model in models for test in model.tests]
    statuses = [(entry["status"], entry["severity"]) for entry in results]
    failed = [severity for status, severity in statuses if status == "fail"]
    return {
        "total": len(results),
        "passed": sum(status == "pass" for status, _ in statuses),
        "failed": sum(severity == "error" for severity in failed),
        "warned": sum(severity != "error" for severity in failed),
        "errored": sum(status == "error" for status, _ in statuses),
        "results": results,
    }


def _test(adapter: DuckDBAdapter, model: Model, test: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"model": model.name, "table": model.target, "test_type": test["type"]}
    entry |= {"column": test["column"]} if "column" in test else {}
    sql = checks.assertion_sql(test, model.target)
    status, detail = "pass", None
    try:
        found = checks.failing_rows(test, adapter.query(sql))
        if not checks.holds(test, found):
            status, detail = "fail", f"{found} failing row(s)"
    except DatabaseError as error:
        status, detail = "error", error.brief
    entry |= {"status": status, "severity": test.get("severity", "error")}
    return entry | ({"detail": detail} if detail else {}) | {"sql": sql}
