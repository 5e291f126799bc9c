"""Quality pipelines: checks on tables that are there already, and rows put aside (contract, 6)."""

import re
from typing import Any, NamedTuple

from rocky_local import tracing
from rocky_local.adapter import DuckDBAdapter
from rocky_local.errors import Unsupported
from rocky_local.execution import checks
from rocky_local.execution.context import RunContext
from rocky_local.execution.work import Work
from rocky_local.project.pipeline import Pipeline

# The assertions that say of a single row whether it is wrong.
_ROW_LEVEL = ("not_null", "accepted_values", "in_range", "expression")


_LOG = tracing.Log("rocky_cli::commands::run_local")


class _Table(NamedTuple):
    catalog: str
    schema: str
    table: str

    @property
    def name(self) -> str:
        return ".".join(self)


class QualityWork(Work):
    """Check tables, and put wrong rows aside; a missing table stops the run."""

    prints_success = True

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._tables: list[_Table] = []
        self._found: list[dict[str, Any]] = []

    def run(self, context: RunContext) -> None:
        """Do the work."""
        context.messages.log("rocky run starting (quality pipeline)")
        context.open(self.pipeline.adapter)
        context.result.with_cost = False
        with tracing.span("run_quality"):
            if self.pipeline.checks.enabled:
                self._check_all(context, self.pipeline.checks.written)
            else:
                _LOG.warn("quality pipeline checks are disabled — nothing to do")

    def _check_all(self, context: RunContext, config: dict[str, Any]) -> None:
        result = context.result
        self._tables = _find_tables(context.adapter, self.pipeline)
        for table in self._tables:
            found = _check(context.adapter, config, table)
            self._found += found
            if found:
                result.check_results.append({"asset_key": list(table), "checks": found})
            for entry in found:
                context.messages.check(list(table), entry)
        quarantine = config.get("quarantine", {})
        if quarantine.get("enabled", False):
            mode = quarantine.get("mode", "split")
            aside = [_put_aside(context.adapter, config, mode, table) for table in self._tables]
            result.quarantine += [entry for entry in aside if entry]
        if self._failed("error") and config.get("fail_on_error", True):
            result.forced_status = "Failure"

    def failure(self, context: RunContext) -> str:
        """Return the sentence for failed checks."""
        return f"quality pipeline failed: {self._failed('error')} error-severity check(s) failed"

    def text(self, context: RunContext) -> str:
        """Return the outcome for people."""
        found = context.result.quarantine
        rows = sum(entry["quarantined_rows"] for entry in found)
        kept_away = f"quarantined {rows} row(s) across {len(found)} table(s), " if found else ""
        return (
            f"quality pipeline complete: {len(self._found)} check(s) across {len(self._tables)} table(s), "
            f"{self._failed('error')} error / {self._failed('warning')} warning failed, {kept_away}"
            f"in {context.result.duration_ms}ms"
        )

    def _failed(self, severity: str) -> int:
        return sum(not entry["passed"] and entry["severity"] == severity for entry in self._found)


def _find_tables(adapter: DuckDBAdapter, pipeline: Pipeline) -> list[_Table]:
    """Return the tables of a pipeline; an entry without a table means all tables of its schema."""
    found = []
    for entry in pipeline.written.get("tables", []):
        names = (
            [entry["table"]]
            if "table" in entry
            else adapter.base_tables(entry["schema"]).get(entry["schema"], [])
        )
        found += [_Table(entry["catalog"], entry["schema"], name) for name in names]
    return found


def _check(adapter: DuckDBAdapter, config: dict[str, Any], table: _Table) -> list[dict[str, Any]]:
    found = []
    counted = config.get("row_count")
    if checks.switched_on(counted):
        count, rule = adapter.count(table.name), counted if isinstance(counted, dict) else None
        # The table is compared with itself, so only an empty one fails.
        found.append(checks.row_count(count, count, rule) | {"passed": count > 0})
    found += [checks.custom(adapter, rule, table.name) for rule in config.get("custom", ())]
    return found + [
        checks.assertion(adapter, rule, table.name) for rule in checks.assertions_on(config, table.table)
    ]


def _put_aside(
    adapter: DuckDBAdapter, config: dict[str, Any], mode: str, table: _Table
) -> dict[str, Any] | None:
    """Split a table into its right and its wrong rows; None when no assertion judges single rows."""
    if mode not in ("split", "drop"):
        raise Unsupported(f"the quarantine mode '{mode}'")
    wrong, reasons = [], []
    for rule in checks.assertions_on(config, table.table):
        if rule["type"] in _ROW_LEVEL and rule.get("severity", "error") == "error":
            condition = checks.wrong_rows(rule)
            column = re.sub(r"\W", "_", f"_error_{checks.assertion_name(rule)}")
            wrong.append(f"COALESCE({condition}, FALSE)")
            reasons.append(f"CASE WHEN {condition} THEN '{rule['type']}' END AS {column}")
    if not wrong:
        return None
    judged = " OR ".join(wrong)
    parts = {"valid": f"SELECT * FROM {table.name} WHERE NOT ({judged})"}
    if mode == "split":
        parts["quarantine"] = f"SELECT *, {', '.join(reasons)} FROM {table.name} WHERE {judged}"
    for part, query in parts.items():
        adapter.execute(f"CREATE OR REPLACE TABLE {table.name}__{part} AS {query}")
    kept = adapter.count(f"{table.name}__valid")
    return {
        "asset_key": list(table),
        "mode": mode,
        **{f"{part}_table": f"{table.name}__{part}" for part in parts},
        "valid_rows": kept,
        "quarantined_rows": adapter.count(table.name) - kept,
        "ok": True,
    }
