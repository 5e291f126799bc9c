"""Checks on tables: what each kind asks the database, and what it reports (contract, 6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

from rocky_local import clock, tracing
from rocky_local.adapter import literal
from rocky_local.errors import DatabaseError, Unsupported

if TYPE_CHECKING:
    from rocky_local.adapter import Column, DuckDBAdapter


Rule = dict[str, Any]
Finding = dict[str, Any]

_RUN = tracing.Log("rocky_cli::commands::run")
_RUN_LOCAL = tracing.Log("rocky_cli::commands::run_local")


def _finding(name: str, passed: bool, rule: Rule | None = None, **details: Any) -> Finding:
    return {"name": name, "passed": passed, "severity": (rule or {}).get("severity", "error"), **details}


def column_match(source: list[Column], before: list[Column]) -> Finding:
    """Compare a source's columns with those that its copy had before this run."""
    wanted, found = [column.name for column in source], [column.name for column in before]
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    return _finding("column_match", not missing and not extra, missing=missing, extra=extra)


def row_count(source_count: int, target_count: int, rule: Rule | None = None) -> Finding:
    """Compare two row counts."""
    counts = {"source_count": source_count, "target_count": target_count}
    return _finding("row_count", source_count == target_count, rule, **counts)


def freshness(latest: date, rule: Rule) -> Finding:
    """Say how old the latest row is; a time without a zone counts as UTC."""
    lag = max(0, (clock.now_ns() - clock.from_date(latest)) // 1_000_000_000)
    threshold = rule["threshold_seconds"]
    return _finding("freshness", lag <= threshold, rule, lag_seconds=lag, threshold_seconds=threshold)


def anomaly(table: str, counts: list[int], threshold_pct: float) -> dict[str, Any] | None:
    """Return the anomaly of the last of some row counts, or None.

    Args:
        table: The full name of the table.
        counts: Oldest first; the last one is the current run's, and is part of the baseline.
        threshold_pct: How many percent of the baseline count as normal.

    Example:
        >>> anomaly("c.s.t", [400, 400, 400, 400, 20], 30.0)["reason"]
        'row count dropped 93.8% (expected ~324, got 20)'
    """
    current, baseline = counts[-1], sum(counts) / len(counts)
    deviation = abs(current - baseline) / baseline * 100 if baseline else 0.0
    if len(counts) == 1 or deviation <= threshold_pct:
        return None
    verb = "dropped" if current < baseline else "increased"
    reason = f"row count {verb} {deviation:.1f}% (expected ~{baseline:.0f}, got {current})"
    numbers = {"current_count": current, "baseline_avg": baseline, "deviation_pct": deviation}
    return {"table": table, **numbers, "reason": reason}


def custom(adapter: DuckDBAdapter, rule: Rule, table: str) -> Finding:
    """Evaluate one custom query; `{table}` stands for the table. One that cannot be run has failed."""
    query, threshold = rule["sql"].replace("{table}", table), rule.get("threshold", 0)
    value, passed = 0, False
    try:
        found = float(adapter.query(query)[0][0] or 0)
        value, passed = int(found), found <= threshold
    except (DatabaseError, TypeError, ValueError, OverflowError, IndexError) as error:
        reason = error.brief if isinstance(error, DatabaseError) else f"the query gives no number: {error}"
        _RUN_LOCAL.warn("custom check query failed", error=tracing.Display(reason), check=rule["name"])
    return _finding(rule["name"], passed, rule, query=query, result_value=value, threshold=threshold)


def null_rates(adapter: DuckDBAdapter, rule: Rule, table: str) -> list[Finding]:
    """Evaluate the null rates of a table; a table that lacks one of the columns gives none."""
    if not rule.get("columns"):
        return []
    percent, threshold = rule.get("sample_percent", 100), rule.get("threshold", 0.0)
    query = " UNION ALL ".join(
        f"SELECT '{column}' AS col, SUM(CASE WHEN {column} IS NULL THEN 1 ELSE 0 END) AS nulls, COUNT(*) AS sampled "
        f"FROM (SELECT {column} FROM {table} USING SAMPLE {percent} PERCENT (bernoulli)) t"
        for column in rule["columns"]
    )
    try:
        rows = adapter.query(query)
    except DatabaseError as error:
        shown = {"table": tracing.Display(table), "error": tracing.Display(error.brief)}
        _RUN.warn("null_rate query failed — skipping", **shown)
        return []
    rates = {column: float(nulls) / sampled if sampled else 0.0 for column, nulls, sampled in rows}
    return [
        _finding(
            f"null_rate:{column}", rate <= threshold, rule, column=column, null_rate=rate, threshold=threshold
        )
        for column, rate in rates.items()
    ]


def assertions_on(config: dict[str, Any], table: str) -> list[Rule]:
    """Return the assertions of a `[checks]` table that are about a table, which they know by its bare name."""
    return [rule for rule in config.get("assertions", ()) if rule.get("table") in (None, table)]


def assertion_name(rule: Rule) -> str:
    """Return an assertion's own name, or the one made from its type and column.

    Example:
        >>> assertion_name({"type": "row_count_range"})
        'row_count_range:-'
    """
    return str(rule.get("name") or f"{rule['type']}:{rule.get('column', '-')}")


def assertion_sql(rule: Rule, table: str) -> str:
    """Return the query of an assertion.

    Raises:
        Unsupported: A type that only the real engine knows.

    Example:
        >>> assertion_sql({"type": "not_null", "column": "a"}, "s.t")
        'SELECT COUNT(*) FROM s.t WHERE a IS NULL'
    """
    kind, column = rule["type"], rule.get("column", "")
    if kind == "unique":
        return f"SELECT {column}, COUNT(*) FROM {table} GROUP BY {column} HAVING COUNT(*) > 1"
    if kind == "accepted_values":
        return f"SELECT DISTINCT {column} FROM {table} WHERE {wrong_rows(rule)}"
    if kind == "row_count_range":
        return f"SELECT COUNT(*) FROM {table}"
    return f"SELECT COUNT(*) FROM {table} WHERE {wrong_rows(rule)}"


def wrong_rows(rule: Rule) -> str:
    """Return the condition by which an assertion finds the rows that break it.

    Raises:
        Unsupported: A type that only the real engine knows.

    Example:
        >>> wrong_rows({"type": "in_range", "column": "a", "min": 0, "max": 9})
        '(a < 0 OR a > 9)'
    """
    if rule["type"] not in _WRONG:
        raise Unsupported(f"the assertion type '{rule['type']}'")
    return _WRONG[rule["type"]](rule, rule.get("column", ""))


def _out_of_range(rule: Rule, column: str) -> str:
    bounds = [f"{column} {sign} {rule[name]}" for name, sign in (("min", "<"), ("max", ">")) if name in rule]
    return f"({' OR '.join(bounds) or 'FALSE'})"


def _without_partner(rule: Rule, column: str) -> str:
    other, key = rule["to_table"], rule["to_column"]
    return f"{column} IS NOT NULL AND {column} NOT IN (SELECT {key} FROM {other} WHERE {key} IS NOT NULL)"


_WRONG: dict[str, Callable[[Rule, str], str]] = {
    "not_null": lambda _, column: f"{column} IS NULL",
    "accepted_values": lambda rule, column: (
        f"{column} NOT IN ({', '.join(map(literal, rule.get('values', ())))})"
    ),
    "in_range": _out_of_range,
    "expression": lambda rule, _: f"NOT ({rule['expression']})",
    "relationships": _without_partner,
    "regex_match": lambda rule, column: f"NOT regexp_matches({column}, {literal(rule['pattern'])})",
}


def failing_rows(rule: Rule, rows: list[tuple[Any, ...]]) -> int:
    """Return what an assertion's query found: a count, or as many rows as it gave."""
    return len(rows) if rule["type"] in ("unique", "accepted_values") else int(rows[0][0])


def holds(rule: Rule, found: int) -> bool:
    """Return whether what was found is in order; a row count has bounds, everything else must be zero."""
    if rule["type"] == "row_count_range":
        return bool(rule.get("min", 0) <= found <= rule.get("max", found))
    return found == 0


def assertion(adapter: DuckDBAdapter, rule: Rule, table: str) -> Finding:
    """Evaluate one assertion on a table.

    Raises:
        DatabaseError: Its query cannot be run.
    """
    found = failing_rows(rule, adapter.query(assertion_sql(rule, table)))
    column = {"column": rule["column"]} if "column" in rule else {}
    details = {"kind": rule["type"], **column, "failing_rows": found}
    return _finding(assertion_name(rule), holds(rule, found), rule, **details)
