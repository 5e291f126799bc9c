"""Checks on tables: what each kind asks the database, and what it reports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rocky_local import clock, tracing
from rocky_local.errors import DatabaseError, Unsupported

if TYPE_CHECKING:
    from rocky_local.adapter import Column, DuckDBAdapter

_RUN = "rocky_cli::commands::run"
_RUN_LOCAL = "rocky_cli::commands::run_local"


def column_match(source: list[Column], before: list[Column]) -> dict[str, Any]:
    """Compare a source's columns with those that its copy had before this run."""
    wanted, found = [column.name for column in source], [column.name for column in before]
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    return {
        "name": "column_match",
        "passed": not missing and not extra,
        "severity": "error",
        "missing": missing,
        "extra": extra,
    }


def row_count(source_count: int, target_count: int, severity: str = "error") -> dict[str, Any]:
    """Compare two row counts."""
    return {
        "name": "row_count",
        "passed": source_count == target_count,
        "severity": severity,
        "source_count": source_count,
        "target_count": target_count,
    }


def freshness(latest: datetime, config: dict[str, Any]) -> dict[str, Any]:
    """Say how old the latest row is.

    Args:
        latest: The latest row's time; one without a zone counts as UTC.
        config: `threshold_seconds` and perhaps `severity`.
    """
    lag = max(0, (clock.now_ns() - clock.from_datetime(latest)) // 1_000_000_000)
    threshold = config["threshold_seconds"]
    return {
        "name": "freshness",
        "passed": lag <= threshold,
        "severity": config.get("severity", "error"),
        "lag_seconds": lag,
        "threshold_seconds": threshold,
    }


def assertion_name(assertion: dict[str, Any]) -> str:
    """Return an assertion's own name, or the one made from its type and column.

    Example:
        >>> assertion_name({"type": "row_count_range"})
        'row_count_range:-'
    """
    return str(assertion.get("name") or f"{assertion['type']}:{assertion.get('column', '-')}")


def assertion_sql(assertion: dict[str, Any], table: str) -> str:
    """Return the query of an assertion.

    Raises:
        Unsupported: A type that only the real engine knows.

    Example:
        >>> assertion_sql({"type": "not_null", "column": "a"}, "s.t")
        'SELECT COUNT(*) FROM s.t WHERE a IS NULL'
    """
    kind, column = assertion["type"], assertion.get("column", "")
    if kind == "unique":
        return f"SELECT {column}, COUNT(*) FROM {table} GROUP BY {column} HAVING COUNT(*) > 1"
    if kind == "accepted_values":
        values = ", ".join(_literal(value) for value in assertion.get("values", ()))
        return f"SELECT DISTINCT {column} FROM {table} WHERE {column} NOT IN ({values})"
    if kind == "row_count_range":
        return f"SELECT COUNT(*) FROM {table}"
    if kind not in _FAILING_ROWS:
        raise Unsupported(f"the assertion type '{kind}'")
    return f"SELECT COUNT(*) FROM {table} WHERE {_FAILING_ROWS[kind](assertion, column)}"


def _out_of_range(assertion: dict[str, Any], column: str) -> str:
    bounds = [f"{column} < {assertion['min']}"] if "min" in assertion else []
    bounds += [f"{column} > {assertion['max']}"] if "max" in assertion else []
    return f"({' OR '.join(bounds) or 'FALSE'})"


def _without_partner(assertion: dict[str, Any], column: str) -> str:
    other, key = assertion["to_table"], assertion["to_column"]
    return f"{column} IS NOT NULL AND {column} NOT IN (SELECT {key} FROM {other} WHERE {key} IS NOT NULL)"


_FAILING_ROWS: dict[str, Callable[[dict[str, Any], str], str]] = {
    "not_null": lambda _, column: f"{column} IS NULL",
    "in_range": _out_of_range,
    "expression": lambda rule, _: f"NOT ({rule['expression']})",
    "relationships": _without_partner,
    "regex_match": lambda rule, column: f"NOT regexp_matches({column}, {_literal(rule['pattern'])})",
}


def failing_rows(assertion: dict[str, Any], rows: list[tuple[Any, ...]]) -> int:
    """Return what an assertion's query found: a count, or as many rows as it gave."""
    if assertion["type"] in ("unique", "accepted_values"):
        return len(rows)
    return int(rows[0][0])


def holds(assertion: dict[str, Any], found: int) -> bool:
    """Return whether what was found is in order; a row count has bounds, everything else must be zero."""
    if assertion["type"] == "row_count_range":
        return bool(assertion.get("min", 0) <= found <= assertion.get("max", found))
    return found == 0


def assertion(adapter: DuckDBAdapter, rule: dict[str, Any], table: str) -> dict[str, Any]:
    """Evaluate one assertion on a table.

    Raises:
        DatabaseError: Its query cannot be run.
    """
    found = failing_rows(rule, adapter.query(assertion_sql(rule, table)))
    result: dict[str, Any] = {
        "name": assertion_name(rule),
        "passed": holds(rule, found),
        "severity": rule.get("severity", "error"),
        "kind": rule["type"],
    }
    if "column" in rule:
        result["column"] = rule["column"]
    result["failing_rows"] = found
    return result


def custom(adapter: DuckDBAdapter, rule: dict[str, Any], table: str) -> dict[str, Any]:
    """Evaluate one custom query; `{table}` stands for the table. One that cannot be run has failed."""
    query = rule["sql"].replace("{table}", table)
    threshold = rule.get("threshold", 0)
    value: Any = 0
    passed = False
    try:
        value = adapter.query(query)[0][0] or 0
        passed = value <= threshold
    except DatabaseError as error:
        tracing.warn(
            _RUN_LOCAL,
            "custom check query failed",
            error=tracing.Display(error.brief),
            check=rule["name"],
        )
    return {
        "name": rule["name"],
        "passed": passed,
        "severity": rule.get("severity", "error"),
        "query": query,
        "result_value": int(value),
        "threshold": threshold,
    }


def null_rates(adapter: DuckDBAdapter, config: dict[str, Any], table: str) -> list[dict[str, Any]]:
    """Evaluate the null rates of a table; a table that lacks one of the columns gives none."""
    percent = config.get("sample_percent", 100)
    query = " UNION ALL ".join(
        f"SELECT '{column}' AS col, SUM(CASE WHEN {column} IS NULL THEN 1 ELSE 0 END) AS nulls, COUNT(*) AS sampled "
        f"FROM (SELECT {column} FROM {table} USING SAMPLE {percent} PERCENT (bernoulli)) t"
        for column in config.get("columns", ())
    )
    try:
        rows = adapter.query(query)
    except DatabaseError as error:
        tracing.warn(
            _RUN,
            "null_rate query failed — skipping",
            table=tracing.Display(table),
            error=tracing.Display(error.brief),
        )
        return []
    threshold = config.get("threshold", 0.0)
    found = []
    for column, nulls, sampled in rows:
        rate = float(nulls) / sampled if sampled else 0.0
        found.append(
            {
                "name": f"null_rate:{column}",
                "passed": rate <= threshold,
                "severity": config.get("severity", "error"),
                "column": column,
                "null_rate": rate,
                "threshold": threshold,
            }
        )
    return found


def _literal(value: Any) -> str:
    return str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"
