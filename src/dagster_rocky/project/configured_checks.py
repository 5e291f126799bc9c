"""Which checks does the project configure, in which order, how severe, and what do they say in words?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from dagster_rocky.project.snapshot import CheckedTable, ConfiguredCheck

if TYPE_CHECKING:
    from dagster_rocky.results import DiscoveredChecks

ANOMALY = "anomaly"
"""The check that a row count does not stand out; the engine compares where it counts rows (contract, section 6)."""

BUDGET = "budget"
"""The check that an engine run keeps within the project's `[budget]` (contract, section 18)."""

Severity = Literal["error", "warning"]
Rule = Mapping[str, Any]

_SIGNS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "eq": "=", "ne": "<>"}


def checks_of_all_tables(pipeline: Rule) -> list[ConfiguredCheck]:
    """The checks of a replication that run on every copied table; `checks.enabled` is not heeded there.

    Args:
        pipeline: One replication's `[pipeline.NAME]`.

    Returns:
        `row_count`, `column_match`, `freshness`, `anomaly` and the custom ones, as far as they are on.
    """
    checks = _table(pipeline.get("checks"))
    found = [
        ConfiguredCheck(name=name, kind=name)  # a severity is not honoured here (contract, section 6)
        for name in ("row_count", "column_match")
        if _is_on(checks.get(name))
    ]
    if checks.get("freshness"):
        severity = _severity(checks["freshness"])
        found.append(
            ConfiguredCheck(
                name="freshness",
                kind="freshness",
                severity=severity,
                description=_fresh(_table(checks["freshness"])),
            )
        )
    threshold = checks.get("anomaly_threshold_pct")
    if isinstance(threshold, int | float) and _is_on(checks.get("row_count")):
        found.append(
            ConfiguredCheck(
                name=ANOMALY,
                kind=ANOMALY,
                severity="warning",
                description=f"The row count is within {threshold:g} % of its history, where there is enough of it.",
            )
        )
    return [*found, *_custom(checks)]


def checks_by_table(
    pipeline: Rule, listed: DiscoveredChecks, of_all: Iterable[ConfiguredCheck] = ()
) -> dict[str, list[ConfiguredCheck]]:
    """The checks of a replication that belong to tables, by bare table name.

    The engine lists a name once, whereas a run evaluates each assertion: those come from the project, in its order.

    Args:
        pipeline: One replication's `[pipeline.NAME]`.
        listed: What `discover` lists.
        of_all: Checks of every table, which are not repeated here.

    Returns:
        Every assertion of the project and what else is listed, in the order in which the engine evaluates it.
    """
    checks = _table(pipeline.get("checks"))
    rules = _rules(checks, "assertions")
    everywhere = {check.name for check in of_all if check.kind == "custom"}
    null_rate, overlap = _severity(checks.get("null_rate")), _severity(checks.get("cross_source_overlap"))
    named = [str(rule["table"]) for rule in rules if rule.get("table")]
    found: dict[str, list[ConfiguredCheck]] = {}
    for table in dict.fromkeys([*listed.configured_checks, *named]):
        own = [_assertion(rule) for rule in rules if rule.get("table") in (None, table)]
        known = {check.name for check in own}
        entry: list[ConfiguredCheck] = []
        late: list[ConfiguredCheck] = []
        for check in listed.configured_checks.get(table, []):
            if check.kind == "assertion" and check.name in known:
                continue
            if check.kind == "custom" and check.name in everywhere:
                continue
            if check.kind == "cross_source_overlap":
                candidate = bool(getattr(check, "candidate", True))
                keys = ", ".join(map(str, _table(checks.get("cross_source_overlap")).get("keys", [])))
                late.append(
                    ConfiguredCheck(
                        name=check.name,
                        kind=check.kind,
                        severity=overlap,
                        description=f"no two sources have the same {keys}" if keys else None,
                        candidate=candidate,
                    )
                )
                continue
            if check.kind == "null_rate":
                text = _rarely_null(check.name, _table(checks.get("null_rate")))
                entry.append(
                    ConfiguredCheck(name=check.name, kind=check.kind, severity=null_rate, description=text)
                )
            else:
                entry.append(ConfiguredCheck(name=check.name, kind=check.kind))
        if entry or own or late:
            found[table] = [*entry, *own, *late]
    return found


def quality_checks(
    pipeline: Rule,
) -> tuple[list[CheckedTable], list[ConfiguredCheck], dict[str, list[ConfiguredCheck]]]:
    """What a quality pipeline looks at and what it checks; without `checks.enabled = true` that is nothing.

    Args:
        pipeline: One quality pipeline's `[pipeline.NAME]`.

    Returns:
        The tables and schemas; the checks of every table: row count, custom ones, assertions that name no table;
        and by bare table name the assertions of that table.
    """
    checks = _table(pipeline.get("checks"))
    if checks.get("enabled") is not True:
        checks = {}
    tables = [
        CheckedTable(
            catalog=str(ref.get("catalog", "")),
            schema_name=str(ref.get("schema", "")),
            table=_text(ref.get("table")),
        )
        for ref in _rules(pipeline, "tables")
    ]
    of_all = []
    if _is_on(checks.get("row_count")):
        severity = _severity(checks["row_count"])
        of_all.append(
            ConfiguredCheck(
                name="row_count", kind="row_count", severity=severity, description="The table has rows."
            )
        )
    of_all += _custom(checks)
    by_table: dict[str, list[ConfiguredCheck]] = {}
    for rule in _rules(checks, "assertions"):
        place = by_table.setdefault(str(rule["table"]), []) if rule.get("table") else of_all
        place.append(_assertion(rule))
    return tables, of_all, by_table


def budget_check(config: Rule) -> ConfiguredCheck | None:
    """The project's budget as a check of what a run builds.

    Args:
        config: A normalised `rocky.toml`.

    Returns:
        With severity error where `on_breach` is; nothing without limits.
    """
    budget = _table(config.get("budget"))
    limits = ", ".join(f"{name} {value}" for name, value in budget.items() if name.startswith("max_"))
    if not limits:
        return None
    severity: Severity = "error" if budget.get("on_breach") == "error" else "warning"
    text = f"The engine run that built it kept within the project's budget: {limits}."
    return ConfiguredCheck(name=BUDGET, kind=BUDGET, severity=severity, description=text)


def in_words(rule: Rule) -> str | None:
    """What holds when an assertion passes.

    Args:
        rule: One `[[checks.assertions]]`.

    Returns:
        For example `carrier is never null` or `id > 0`; `None` for a type that is not known.

    Example:
        ```python
        in_words({"type": "not_null", "column": "carrier"})  # 'carrier is never null'
        ```
    """
    words = _WORDS.get(str(rule.get("type")))
    return words(rule) if words else None


def is_warning(rule: Any) -> bool:
    """Whether the project says that a failure of a check only warns."""
    return isinstance(rule, Mapping) and rule.get("severity") == "warning"


def _between(what: str, rule: Rule) -> str:
    low, high = rule.get("min"), rule.get("max")
    if low is not None and high is not None:
        return f"{what} is between {low} and {high}"
    if low is not None:
        return f"{what} is at least {low}"
    return f"{what} is at most {high}" if high is not None else f"{what} is in range"


def _one_of(rule: Rule) -> str:
    values = rule.get("values")
    return f"{_column(rule)} is one of {', '.join(map(str, values if isinstance(values, list) else []))}"


def _compared(rule: Rule) -> str:
    sign = _SIGNS.get(str(rule.get("cmp")), rule.get("cmp", ""))
    return f"{rule.get('op', '')}({_column(rule)}) {sign} {rule.get('value', '')}"


def _together(rule: Rule) -> str:
    columns = rule.get("columns")
    return f"{', '.join(map(str, columns if isinstance(columns, list) else []))} are unique together"


def _column(rule: Rule) -> str:
    return str(rule.get("column", "*"))


_WORDS: Mapping[str, Callable[[Rule], str]] = {
    "not_null": lambda rule: f"{_column(rule)} is never null",
    "unique": lambda rule: f"{_column(rule)} is unique",
    "accepted_values": _one_of,
    "relationships": lambda rule: (
        f"{_column(rule)} is in {rule.get('to_table', '')}.{rule.get('to_column', _column(rule))}"
    ),
    "expression": lambda rule: str(rule.get("expression", "")),
    "row_count_range": lambda rule: _between("the number of rows", rule),
    "in_range": lambda rule: _between(_column(rule), rule),
    "regex_match": lambda rule: f"{_column(rule)} matches {rule.get('pattern', '')}",
    "aggregate": _compared,
    "composite": _together,
    "unique_expr": lambda rule: f"{rule.get('key_expr', '')} is unique",
    "not_in_future": lambda rule: f"{_column(rule)} is not in the future",
    "older_than_n_days": lambda rule: f"{_column(rule)} is at least {rule.get('days', '')} days old",
}


def _fresh(rule: Rule) -> str | None:
    seconds = rule.get("threshold_seconds")
    if not isinstance(seconds, int | float):
        return None
    for name, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds >= size and seconds % size == 0:
            return f"the newest row is at most {seconds // size:g} {name}{'s' if seconds > size else ''} old"
    return f"the newest row is at most {seconds:g} seconds old"


def _rarely_null(name: str, rule: Rule) -> str | None:
    threshold, column = rule.get("threshold"), name.partition(":")[2]
    if not isinstance(threshold, int | float) or not column:
        return None
    return f"at most {threshold * 100:g} % of {column} is null" if threshold else f"{column} is never null"


def _custom(checks: Rule) -> list[ConfiguredCheck]:
    return [
        ConfiguredCheck(
            name=str(rule["name"]),
            kind="custom",
            severity=_severity(rule),
            description=f"at most {rule.get('threshold', 0)}: {' '.join(str(rule.get('sql', '')).split())}",
        )
        for rule in _rules(checks, "custom")
        if "name" in rule
    ]


def _assertion(rule: Rule) -> ConfiguredCheck:
    return ConfiguredCheck(
        name=str(rule.get("name") or f"{rule.get('type', 'assertion')}:{rule.get('column', '-')}"),
        kind="assertion",
        severity=_severity(rule),
        description=in_words(rule),
    )


def _is_on(check: Any) -> bool:
    """`true`, or a table that does not say `enabled = false`."""
    return check is True or (isinstance(check, Mapping) and check.get("enabled", True) is not False)


def _severity(rule: Any) -> Severity:
    return "warning" if is_warning(rule) else "error"


def _table(value: Any) -> Rule:
    return value if isinstance(value, Mapping) else {}


def _rules(body: Rule, name: str) -> list[Rule]:
    rows = body.get(name)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
