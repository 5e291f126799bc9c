"""Quality pipelines: checks on tables that are there already, and rows put aside (contract, 6)."""

import re

from rocky_local import tracing
from rocky_local.adapter import DuckDBAdapter
from rocky_local.errors import Unsupported
from rocky_local.execution import checks
from rocky_local.execution.context import RunContext, Work
from rocky_local.execution.result import CheckedTable, Finding, Quarantine
from rocky_local.project.pipeline import Checks
from rocky_local.project.tables import Place

# The assertions that say of a single row whether it is wrong.
_ROW_LEVEL = ("not_null", "accepted_values", "in_range", "expression")
_LOG = tracing.Log("rocky_cli::commands::run_local")


class QualityWork(Work):
    """Check tables, and put wrong rows aside; a missing table stops the run."""

    prints_success = True

    def run(self, context: RunContext) -> None:
        """Do the work."""
        context.messages.log("rocky run starting (quality pipeline)")
        context.open(self.pipeline.adapter)
        context.result.with_cost = False
        self._tables: list[Place] = []
        self._found: list[Finding] = []
        with tracing.span("run_quality"):
            if self.pipeline.checks.enabled:
                self._check_all(context)
            else:
                _LOG.warn("quality pipeline checks are disabled — nothing to do")

    def _check_all(self, context: RunContext) -> None:
        result, wanted, adapter = context.result, self.pipeline.checks, context.adapter
        for place in self.pipeline.tables:
            # An entry without a table means all tables of its schema.
            names = [place.table] if place.table else adapter.base_tables(place.schema).get(place.schema, [])
            self._tables += [Place(place.catalog, place.schema, name) for name in names]
        for table in self._tables:
            found = _check(adapter, wanted, table)
            self._found += found
            if found:
                result.check_results.append(CheckedTable(list(table), found))
            for entry in found:
                context.messages.check(list(table), entry)
        if wanted.quarantine.enabled:
            aside = [_put_aside(adapter, wanted, table) for table in self._tables]
            result.quarantine += [entry for entry in aside if entry]
        if self._failed("error") and wanted.fail_on_error:
            result.forced_status = "Failure"

    def failure(self, context: RunContext) -> str:
        """Return the sentence for failed checks."""
        return f"quality pipeline failed: {self._failed('error')} error-severity check(s) failed"

    def text(self, context: RunContext) -> str:
        """Return the outcome for people."""
        found = context.result.quarantine
        rows = sum(entry.quarantined_rows for entry in found)
        kept_away = f"quarantined {rows} row(s) across {len(found)} table(s), " if found else ""
        return (
            f"quality pipeline complete: {len(self._found)} check(s) across {len(self._tables)} table(s), "
            f"{self._failed('error')} error / {self._failed('warning')} warning failed, {kept_away}"
            f"in {context.result.duration_ms}ms"
        )

    def _failed(self, severity: str) -> int:
        return sum(not entry.passed and entry.severity == severity for entry in self._found)


def _check(adapter: DuckDBAdapter, wanted: Checks, table: Place) -> list[Finding]:
    found = []
    if wanted.row_count.enabled:
        count, severity = adapter.count(table.name), wanted.row_count.severity
        # The table is compared with itself, so only an empty one fails.
        found.append(checks.row_count(count, count).changed(passed=count > 0, severity=severity))
    found += [checks.custom(adapter, rule, table.name) for rule in wanted.custom]
    rules = checks.assertions_on(wanted, table.table)
    return found + [checks.assertion(adapter, rule, table.name) for rule in rules]


def _put_aside(adapter: DuckDBAdapter, wanted: Checks, table: Place) -> Quarantine | None:
    """Split a table into its right and its wrong rows; None when no assertion judges single rows."""
    mode, wrong, reasons = wanted.quarantine.mode, [], []
    if mode not in ("split", "drop"):
        raise Unsupported(f"the quarantine mode '{mode}'")
    for rule in checks.assertions_on(wanted, table.table):
        if rule.type in _ROW_LEVEL and rule.severity == "error":
            condition = checks.wrong_rows(rule)
            column = re.sub(r"\W", "_", f"_error_{checks.assertion_name(rule)}")
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
