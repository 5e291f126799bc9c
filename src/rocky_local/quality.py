"""Quality pipelines: checks on tables that are there already, and rows put aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rocky_local import checks
from rocky_local.errors import Unsupported

if TYPE_CHECKING:
    from rocky_local.adapter import DuckDBAdapter
    from rocky_local.config import Pipeline
    from rocky_local.messages import Messages
    from rocky_local.result import RunResult

# The assertions that say of a single row whether it is wrong.
_ROW_LEVEL = {
    "not_null": "{column} IS NULL",
    "accepted_values": "{column} NOT IN ({values})",
    "in_range": "({bounds})",
    "expression": "NOT ({expression})",
}


@dataclass(frozen=True)
class QualityTable:
    """One table to check."""

    catalog: str
    schema: str
    table: str

    @property
    def name(self) -> str:
        """The full name."""
        return f"{self.catalog}.{self.schema}.{self.table}"

    @property
    def key(self) -> list[str]:
        """The key under which results report it."""
        return [self.catalog, self.schema, self.table]


@dataclass(frozen=True)
class QualitySummary:
    """How many checks ran and failed, by severity."""

    checks: int
    tables: int
    errors: int
    warnings: int

    def human(self, duration_ms: int) -> str:
        """Return the line that a person sees at the end."""
        return (
            f"quality pipeline complete: {self.checks} check(s) across {self.tables} table(s), "
            f"{self.errors} error / {self.warnings} warning failed, in {duration_ms}ms"
        )


def run_pipeline(
    adapter: DuckDBAdapter, pipeline: Pipeline, result: RunResult, messages: Messages
) -> QualitySummary:
    """Check every table of a quality pipeline; a missing table stops the run.

    Args:
        adapter: The warehouse.
        pipeline: The quality pipeline.
        result: Check results and quarantines are added to it.
        messages: Each check is sent when its table is done.

    Raises:
        DatabaseError: A query cannot be run.
        Unsupported: A way of putting rows aside that only the real engine knows.
    """
    config = pipeline.checks
    tables = find_tables(adapter, pipeline)
    found: list[dict[str, Any]] = []
    for table in tables:
        results = _check(adapter, config, table)
        if results:
            result.check_results.append({"asset_key": table.key, "checks": results})
        found += results
        for entry in results:
            messages.check(table.key, entry)
    quarantine = config.get("quarantine", {})
    if quarantine.get("enabled", False):
        for table in tables:
            aside = _put_aside(adapter, config, quarantine.get("mode", "split"), table)
            result.quarantine += [aside] if aside else []
    failed = [entry["severity"] for entry in found if not entry["passed"]]
    return QualitySummary(len(found), len(tables), failed.count("error"), failed.count("warning"))


def find_tables(adapter: DuckDBAdapter, pipeline: Pipeline) -> list[QualityTable]:
    """Return the tables of a pipeline; an entry without a table means all tables of its schema."""
    found = []
    for entry in pipeline.raw.get("tables", []):
        names = [entry["table"]] if "table" in entry else adapter.base_tables(entry["schema"])
        found += [QualityTable(entry["catalog"], entry["schema"], name) for name in names]
    return found


def _assertions(config: dict[str, Any], table: QualityTable) -> list[dict[str, Any]]:
    return [rule for rule in config.get("assertions", ()) if rule.get("table") in (None, table.table)]


def _check(adapter: DuckDBAdapter, config: dict[str, Any], table: QualityTable) -> list[dict[str, Any]]:
    found = []
    counted = config.get("row_count")
    if counted:
        count = int(adapter.query(f"SELECT COUNT(*) FROM {table.name}")[0][0])
        severity = counted.get("severity", "error") if isinstance(counted, dict) else "error"
        # The table is compared with itself, so only an empty one fails.
        found.append(checks.row_count(count, count, severity) | {"passed": count > 0})
    if config.get("null_rate"):
        found += checks.null_rates(adapter, config["null_rate"], table.name)
    found += [checks.custom(adapter, rule, table.name) for rule in config.get("custom", ())]
    return found + [checks.assertion(adapter, rule, table.name) for rule in _assertions(config, table)]


def _row_condition(rule: dict[str, Any]) -> str | None:
    template = _ROW_LEVEL.get(rule["type"])
    if template is None or rule.get("severity", "error") != "error":
        return None
    column = rule.get("column", "")
    bounds = [f"{column} < {rule['min']}"] if "min" in rule else []
    bounds += [f"{column} > {rule['max']}"] if "max" in rule else []
    values = ", ".join("'" + str(value).replace("'", "''") + "'" for value in rule.get("values", ()))
    return template.format(
        column=column,
        values=values,
        bounds=" OR ".join(bounds) or "FALSE",
        expression=rule.get("expression", "TRUE"),
    )


def _put_aside(
    adapter: DuckDBAdapter, config: dict[str, Any], mode: str, table: QualityTable
) -> dict[str, Any] | None:
    """Split a table into its right and its wrong rows; None when no assertion judges single rows."""
    if mode not in ("split", "drop"):
        raise Unsupported(f"the quarantine mode '{mode}'")
    conditions = {}
    for rule in _assertions(config, table):
        condition = _row_condition(rule)
        if condition is not None:
            conditions[f"_error_{_identifier(checks.assertion_name(rule))}"] = (condition, rule)
    if not conditions:
        return None
    wrong = " OR ".join(f"COALESCE({condition}, FALSE)" for condition, _ in conditions.values())
    valid, quarantine = f"{table.name}__valid", f"{table.name}__quarantine"
    adapter.execute(f"CREATE OR REPLACE TABLE {valid} AS SELECT * FROM {table.name} WHERE NOT ({wrong})")
    entry: dict[str, Any] = {"asset_key": table.key, "mode": mode, "valid_table": valid}
    if mode == "split":
        reasons = ", ".join(
            f"CASE WHEN {condition} THEN '{rule['type']}' END AS {column}"
            for column, (condition, rule) in conditions.items()
        )
        selected = f"SELECT *, {reasons} FROM {table.name} WHERE {wrong}"
        adapter.execute(f"CREATE OR REPLACE TABLE {quarantine} AS {selected}")
        entry["quarantine_table"] = quarantine
    total, kept = (int(adapter.query(f"SELECT COUNT(*) FROM {name}")[0][0]) for name in (table.name, valid))
    return entry | {"valid_rows": kept, "quarantined_rows": total - kept, "ok": True}


def _identifier(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in name)
