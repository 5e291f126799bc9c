"""Checks on tables: what each kind asks the database, and what it reports (contract, 6)."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from rocky_local import tracing
from rocky_local.adapter import Column, DuckDBAdapter, literal
from rocky_local.errors import DatabaseError, NoQuery, Unsupported
from rocky_local.execution.result import Anomaly, Finding, Quarantine
from rocky_local.project.pipeline import Checks, CustomCheck, FreshnessCheck, NullRate, Overlap
from rocky_local.project.tables import Assertion, Place

_SAMPLED = 5
# The assertions that say of a single row whether it is wrong.
_ROW_LEVEL = ("not_null", "accepted_values", "in_range", "expression")
# Those that need no column.
_OF_NO_COLUMN = ("expression", "row_count_range", "composite", "unique_expr")
_RUN = tracing.Log("rocky_cli::commands::run")
RUN_LOCAL = tracing.Log("rocky_cli::commands::run_local")


def column_match(source: list[Column], before: list[Column]) -> Finding:
    """Compare a source's columns with those that its copy had before this run."""
    wanted, found = [column.name for column in source], [column.name for column in before]
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    return Finding("column_match", not missing and not extra, missing=missing, extra=extra)


def row_count(source: int, target: int) -> Finding:
    """Compare two row counts."""
    return Finding("row_count", source == target, source_count=source, target_count=target)


def freshness(adapter: DuckDBAdapter, rule: FreshnessCheck, table: str, column: str) -> Finding | None:
    """Say how old the latest row is, if it has a date or a time; without a zone it counts as UTC."""
    latest = adapter.query(f"SELECT MAX({column}) FROM {table}")[0][0]
    if not isinstance(latest, date):
        return None
    moment = datetime.fromisoformat(latest.isoformat())
    age = datetime.now(UTC) - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    lag, most = max(0, int(age.total_seconds())), rule.threshold_seconds
    return Finding("freshness", lag <= most, rule.severity, lag_seconds=lag, threshold_seconds=most)


def anomaly(table: str, counts: list[int], threshold_pct: float) -> Anomaly | None:
    """Return the anomaly of the last of some row counts, oldest first; the last one is part of the baseline.

    Example:
        >>> anomaly("c.s.t", [400, 400, 400, 400, 20], 30.0).reason
        'row count dropped 93.8% (expected ~324, got 20)'
    """
    current, baseline = counts[-1], sum(counts) / len(counts)
    deviation = abs(current - baseline) / baseline * 100 if baseline else 0.0
    if len(counts) == 1 or deviation <= threshold_pct:
        return None
    verb = "dropped" if current < baseline else "spiked"
    reason = f"row count {verb} {deviation:.1f}% (expected ~{baseline:.0f}, got {current})"
    return Anomaly(table, current, baseline, deviation, reason)


def custom(adapter: DuckDBAdapter, rule: CustomCheck, table: str) -> Finding:
    """Evaluate one custom query; `{table}` stands for the table. One that cannot be run has failed."""
    query, value, passed = rule.sql.replace("{table}", table), 0, False
    try:
        number = float(adapter.query(query)[0][0] or 0)
        value, passed = int(number), number <= rule.threshold
    except (DatabaseError, TypeError, ValueError, OverflowError, IndexError) as error:
        reason = error.message if isinstance(error, DatabaseError) else f"the query gives no number: {error}"
        RUN_LOCAL.warn("custom check query failed", error=reason, check=rule.name)
    outcome = rule.name, passed, rule.severity
    return Finding(*outcome, query=query, result_value=value, threshold=rule.threshold)


def null_rates(adapter: DuckDBAdapter, rule: NullRate, table: str) -> Iterator[Finding]:
    """Evaluate the null rates of a table; a table that lacks one of the columns gives none."""
    query = " UNION ALL ".join(
        f"SELECT '{column}' AS col, SUM(CASE WHEN {column} IS NULL THEN 1 ELSE 0 END) AS nulls, COUNT(*) AS sampled "
        f"FROM (SELECT {column} FROM {table} USING SAMPLE {rule.sample_percent} PERCENT (bernoulli)) t"
        for column in rule.columns
    )
    try:
        rows = adapter.query(query) if query else []
    except DatabaseError as error:
        _RUN.warn("null_rate query failed — skipping", table=table, error=error.message)
        return
    for column, nulls, sampled in rows:
        rate = float(nulls) / sampled if sampled else 0.0
        one = Finding(f"null_rate:{column}", rate <= rule.threshold, rule.severity, column=column)
        yield one.changed(null_rate=rate, threshold=rule.threshold)


def overlap(adapter: DuckDBAdapter, rule: Overlap, name: str, tables: list[str]) -> Finding:
    """Look for keys that more than one of some sibling tables holds, which are given by their full names."""
    keys = ", ".join(rule.keys)
    each = [f"SELECT DISTINCT {keys} FROM {table}" for table in tables]
    query = f"SELECT {keys} FROM ({' UNION ALL '.join(each)}) GROUP BY ALL HAVING COUNT(*) > 1 ORDER BY ALL"
    found = adapter.query(query)
    sample = [", ".join(map(str, row)) for row in found[:_SAMPLED]]
    one = Finding(name, len(found) <= rule.max_overlap_rows, rule.severity)
    return one.changed(overlap_count=len(found), contributing_tables=tables, sample=sample)


def assertions_on(checks: Checks, table: str) -> list[Assertion]:
    """Return the assertions that are about a table, which they know by its bare name."""
    return [rule for rule in checks.assertions if rule.table in ("", table)]


def assertion_name(rule: Assertion) -> str:
    """Return an assertion's own name, or the one made from its type and column."""
    return rule.name or f"{rule.type}:{rule.column or '-'}"


def assertion_sql(rule: Assertion, table: str) -> str:
    """Return the query of an assertion: it counts wrong rows, or lists what is wrong.

    Example:
        >>> assertion_sql(Assertion(type="not_null", column="a"), "s.t")
        'SELECT COUNT(*) FROM s.t WHERE a IS NULL'
    """
    column = rule.column
    if rule.type not in _OF_NO_COLUMN and not column:
        raise NoQuery(f"test '{rule.type}' requires a column but none was provided")
    if rule.type in _REPEATED:
        keys = _REPEATED[rule.type](rule)
        return f"SELECT {keys}, COUNT(*) FROM {table} GROUP BY {keys} HAVING COUNT(*) > 1"
    if rule.type == "accepted_values":
        return f"SELECT DISTINCT {column} FROM {table} WHERE {_WRONG[rule.type](rule)}"
    if rule.type == "relationships":
        joined = f"{table} t LEFT JOIN {rule.to_table} r ON t.{column} = r.{rule.to_column}"
        return f"SELECT t.{column} FROM {joined} WHERE r.{rule.to_column} IS NULL AND t.{column} IS NOT NULL"
    if rule.type == "aggregate":
        compared = f"{rule.op.upper()}({column}) {_SIGNS.get(rule.cmp, rule.cmp)} {rule.value}"
        return f"SELECT CASE WHEN {compared} THEN 0 ELSE 1 END FROM {table}"
    condition = "" if rule.type == "row_count_range" else f" WHERE {_WRONG[rule.type](rule)}"
    return f"SELECT COUNT(*) FROM {table}{condition}"


def _out_of_range(rule: Assertion) -> str:
    bounds = [(sign, bound) for sign, bound in (("<", rule.min), (">", rule.max)) if bound is not None]
    return f"({' OR '.join(f'{rule.column} {sign} {bound}' for sign, bound in bounds) or 'FALSE'})"


def _unmatched(rule: Assertion) -> str:
    if refused := re.search("['\"`;]", rule.pattern):
        raise NoQuery(f"regex pattern must not contain {refused[0]}: {rule.pattern}")
    return f"NOT (regexp_matches({rule.column}, {literal(rule.pattern)}))"


_REPEATED: dict[str, Callable[[Assertion], str]] = {
    "unique": lambda rule: rule.column,
    "composite": lambda rule: ", ".join(rule.columns),
    "unique_expr": lambda rule: rule.key_expr,
}
_LISTING = ("accepted_values", "relationships", *_REPEATED)
_SIGNS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "eq": "=", "ne": "<>", "==": "=", "!=": "<>"}
# By which condition an assertion on single rows finds those that break it.
_WRONG: dict[str, Callable[[Assertion], str]] = {
    "not_null": lambda rule: f"{rule.column} IS NULL",
    "accepted_values": lambda rule: f"{rule.column} NOT IN ({', '.join(map(literal, rule.values))})",
    "in_range": _out_of_range,
    "expression": lambda rule: f"NOT ({rule.expression})",
    "regex_match": _unmatched,
    "not_in_future": lambda rule: f"{rule.column} > CURRENT_TIMESTAMP",
    "older_than_n_days": lambda rule: f"{rule.column} > CURRENT_TIMESTAMP - INTERVAL {rule.days} DAY",
}


def judged(rule: Assertion, rows: list[tuple[Any, ...]]) -> tuple[int, bool]:
    """Return the count that an assertion's query found, or how many rows, and whether that is in order."""
    found = len(rows) if rule.type in _LISTING else int(rows[0][0])
    if rule.type == "row_count_range":
        return found, bool((rule.min or 0) <= found <= (found if rule.max is None else rule.max))
    return found, found == 0


def assertion(adapter: DuckDBAdapter, rule: Assertion, table: str) -> Finding:
    """Evaluate one assertion on a table."""
    found, passed = judged(rule, adapter.query(assertion_sql(rule, table)))
    one = Finding(assertion_name(rule), passed, rule.severity, kind=rule.type)
    return one.changed(column=rule.column or None, failing_rows=found)


def put_aside(adapter: DuckDBAdapter, checks: Checks, table: Place) -> Quarantine | None:
    """Split a table into its right and its wrong rows; None when no assertion judges single rows."""
    mode, wrong, reasons = checks.quarantine.mode, [], []
    if mode not in ("split", "drop"):
        raise Unsupported(f"the quarantine mode '{mode}'")
    for rule in assertions_on(checks, table.table):
        if rule.type in _ROW_LEVEL and rule.severity == "error":
            condition = _WRONG[rule.type](rule)
            column = re.sub(r"\W", "_", f"_error_{assertion_name(rule)}")
            wrong.append(f"COALESCE({condition}, FALSE)")
            reasons.append(f"CASE WHEN {condition} THEN '{rule.type}' END AS {column}")
    if not wrong:
        return None
    judged, valid, aside = " OR ".join(wrong), f"{table.name}__valid", f"{table.name}__quarantine"
    parts = {valid: f"SELECT * FROM {table.name} WHERE NOT ({judged})"}
    if mode == "split":
        parts[aside] = f"SELECT *, {', '.join(reasons)} FROM {table.name} WHERE {judged}"
    for part, query in parts.items():
        adapter.execute(f"CREATE OR REPLACE TABLE {part} AS {query}")
    kept = adapter.count(valid)
    lost = adapter.count(table.name) - kept
    return Quarantine(list(table), mode, valid, aside if mode == "split" else None, kept, lost)
