"""What each kind of pipeline does in a run, and how its outcome is told."""

from abc import ABC, abstractmethod
from pathlib import Path

from rocky_local import tracing
from rocky_local.errors import DatabaseError, Unsupported
from rocky_local.execution import checks
from rocky_local.execution.context import LOG, RunContext, key_from
from rocky_local.execution.loading import load
from rocky_local.execution.replication import run_replication
from rocky_local.execution.result import Breach, CheckedTable, Finding
from rocky_local.execution.transformation import execute_models
from rocky_local.output import Answer
from rocky_local.project.pipeline import Pipeline
from rocky_local.project.tables import Place
from rocky_local.signals import release


class _Work(ABC):
    """One kind of run."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    @abstractmethod
    def run(self, context: RunContext) -> None:
        """Do the work; the outcome is in the context's result."""

    def answer(self, context: RunContext) -> Answer:
        result, budget = context.result, context.config.budget
        failure = self.failure(context) if result.exit_code else None
        closing = f"Error: {failure}" if result.status == "Failure" else None
        answer = Answer("run", result.as_json(), self.text(context), result.exit_code, closing, failure)
        strict = budget.on_breach == "error" and not answer.code
        breaches = ", ".join(
            f"{each.limit_type}: actual {each.actual:.0f} > limit {each.limit:.0f}"
            for each in result.budget_breaches
        )
        return answer.unless(strict and breaches, f"budget exceeded — {breaches}")

    @staticmethod
    def note_budget(context: RunContext) -> None:
        limit, actual = context.config.budget.max_duration_ms, context.result.duration_ms
        if limit is not None and actual > limit:
            context.result.budget_breaches.append(Breach("max_duration_ms", float(limit), float(actual)))
            nothing = {"target": "", "error": "", "attempt": 0, "max_attempts": 0}
            tracing.Log("rocky_observe::events").info("", **{"rocky.event": "budget_breach"}, **nothing)

    def failure(self, context: RunContext) -> str:
        count, run_id = context.result.tables_failed, context.run_id
        return f"{count} model(s) failed (run_id: {run_id}, see the `errors` array in the JSON output)"

    def text(self, context: RunContext) -> str:
        result = context.result
        built = [entry.metadata for entry in result.materializations[result.tables_copied :]]
        told = f"{len(built)} model(s) executed in {result.duration_ms}ms"
        lines = [f"  {each.target_table_full_name} ({each.strategy})" for each in built]
        return "\n".join([f"transformation pipeline complete: {told}", *lines])


class _Replication(_Work):
    """Copy a pipeline's tables, then build models when they were asked for, too."""

    def run(self, context: RunContext) -> None:
        config, args, result, pipeline = context.config, context.args, context.result, self.pipeline
        result.idempotency_key, result.filter = key_from(args), args.get("filter") or ""
        if config.duckdb_path(pipeline.source_adapter) != config.duckdb_path(pipeline.adapter):
            raise Unsupported("a replication between two DuckDB files")
        context.open(pipeline.adapter)
        result.shadow = context.shadow is not None
        failed = run_replication(context, pipeline)
        if result.interrupted:
            return
        if args.has("models") or args.has("all"):
            # Models die at once (contract, 10).
            release()
            execute_models(context, args.models)
        context.hooks.call("state_synced")
        for error in failed:
            LOG.warn("table error", error=error.chain())
            result.add_error([], error.chain())
        if result.status == "Success":
            told = {"table_count": result.tables_copied}
            context.hooks.call("pipeline_complete", told, duration_ms=result.duration_ms)
        else:
            context.hooks.call("pipeline_error", error=self.failure(context).partition(" (")[0])
        self.note_budget(context)
        counts = f"{result.tables_copied} copied, {result.failed_copies} failed"
        for action in result.drift_actions:
            context.messages.drift(action)
        context.messages.complete(f"rocky run complete: {counts} in {result.duration_ms}ms", closes=True)

    def failure(self, context: RunContext) -> str:
        if not (failed := context.result.failed_copies):
            return super().failure(context)
        told = f"run_id: {context.run_id}, use --resume {context.run_id} to retry"
        return f"{failed} table(s) failed during parallel execution ({told})"

    def text(self, context: RunContext) -> str:
        result = context.result
        seconds = result.duration_ms / 1000
        return f"Copied {result.tables_copied} tables in {seconds:.1f}s (run_id: {context.run_id})"


class _Transformation(_Work):
    """Build a pipeline's models."""

    def run(self, context: RunContext) -> None:
        context.messages.log("rocky run starting (transformation pipeline)")
        directory = context.config.models_dir(self.pipeline)
        there = Path(directory).is_dir()
        context.open(self.pipeline.adapter, with_state=there)
        with tracing.span("run_transformation"):
            if there:
                execute_models(context, directory)
            else:
                checks.RUN_LOCAL.warn("models directory not found — nothing to execute", models_dir=directory)
            self.note_budget(context)
        counts = f"{len(context.result.materializations)} models executed"
        context.messages.complete(f"rocky run complete: {counts} in {context.result.duration_ms}ms")


class _SingleModel(_Work):
    """Build one model, of whichever pipeline, and nothing that it depends on."""

    def run(self, context: RunContext) -> None:
        config, args = context.config, context.args
        kinds = [pipeline for pipeline in config.pipeline.values() if pipeline.type == "transformation"]
        home = config.select(args.get("pipeline")) if args.has("pipeline") else next(iter(kinds), None)
        context.open(home.adapter if home else next(iter(config.adapter), "default"))
        directory = args.get("models") or config.models_dir(home)
        execute_models(context, directory, args.get("model"))


class _Quality(_Work):
    """Check tables, and put wrong rows aside; a missing table stops the run."""

    def run(self, context: RunContext) -> None:
        context.messages.log("rocky run starting (quality pipeline)")
        context.open(self.pipeline.adapter)
        self._tables: list[Place] = []
        self._found: list[Finding] = []
        with tracing.span("run_quality"):
            if self.pipeline.checks.enabled:
                self._check_all(context)
            else:
                checks.RUN_LOCAL.warn("quality pipeline checks are disabled — nothing to do")

    def _check_all(self, context: RunContext) -> None:
        result, wanted, adapter = context.result, self.pipeline.checks, context.adapter
        for place in self.pipeline.tables:
            # An entry without a table means all tables of its schema.
            names = [place.table] if place.table else adapter.base_tables(place.schema).get(place.schema, [])
            self._tables += [Place(place.catalog, place.schema, name) for name in names]
        for table in self._tables:
            found, name = [], table.name
            if wanted.row_count.enabled:
                count, severity = adapter.count(name), wanted.row_count.severity
                # The table is compared with itself, so only an empty one fails.
                found.append(checks.row_count(count, count).changed(passed=count > 0, severity=severity))
            found += [checks.custom(adapter, rule, name) for rule in wanted.custom]
            rules = checks.assertions_on(wanted, table.table)
            found += [checks.assertion(adapter, rule, name) for rule in rules]
            self._found += found
            if found:
                result.check_results.append(CheckedTable(list(table), found))
            for entry in found:
                context.messages.check(list(table), entry)
        if wanted.quarantine.enabled:
            aside = [checks.put_aside(adapter, wanted, table) for table in self._tables]
            result.quarantine += [entry for entry in aside if entry]
        if self._failed("error") and wanted.fail_on_error:
            result.forced_status = "Failure"

    def failure(self, context: RunContext) -> str:
        return f"quality pipeline failed: {self._failed('error')} error-severity check(s) failed"

    def text(self, context: RunContext) -> str:
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


class _Snapshot(_Work):
    """Run the statements of a snapshot."""

    def run(self, context: RunContext) -> None:
        context.messages.log("rocky run starting (snapshot pipeline)")
        context.open(self.pipeline.adapter)
        result = context.result
        result.concurrency = 1
        with tracing.span("run_snapshot"):
            for statement in _statements(self.pipeline):
                try:
                    context.adapter.execute(statement)
                except DatabaseError as error:
                    result.forced_status, result.tables_failed = "Failure", 1
                    checks.RUN_LOCAL.warn("snapshot statement failed", error=error.message)

    def failure(self, context: RunContext) -> str:
        return "snapshot pipeline failed"

    def text(self, context: RunContext) -> str:
        source, target = _sides(self.pipeline)
        return f"snapshot pipeline complete: {source} -> {target} in {context.result.duration_ms}ms"


def _sides(pipeline: Pipeline) -> list[str]:
    return [f"{side.catalog}.{side.schema}.{side.table}" for side in (pipeline.source, pipeline.target)]


def _statements(pipeline: Pipeline) -> list[str]:
    """The engine's own statements, which history would be kept with."""
    source, target = _sides(pipeline)
    same = " AND ".join(f"target.{key} = source.{key}" for key in pipeline.unique_key)
    stamp = pipeline.updated_at
    create = (
        f"CREATE TABLE IF NOT EXISTS {target} AS SELECT *, CURRENT_TIMESTAMP AS valid_from, "
        f"CAST(NULL AS TIMESTAMP) AS valid_to FROM {source} WHERE 1=0"
    )
    merge = (
        f"MERGE INTO {target} AS target USING {source} AS source ON {same} AND target.valid_to IS NULL "
        f"WHEN MATCHED AND source.{stamp} > target.{stamp} THEN UPDATE SET valid_to = CURRENT_TIMESTAMP "
        "WHEN NOT MATCHED THEN INSERT (*) VALUES (source.*, CURRENT_TIMESTAMP, NULL)"
    )
    invalidate = (
        f"UPDATE {target} SET valid_to = CURRENT_TIMESTAMP WHERE valid_to IS NULL AND NOT EXISTS "
        f"(SELECT 1 FROM {source} AS source WHERE {same})"
    )
    return [create, merge, *([invalidate] if pipeline.invalidate_hard_deletes else [])]


class _Load(_Work):
    """Load the files of a pipeline; the result is the one of the `load` command."""

    def run(self, context: RunContext) -> None:
        context.adapter = context.config.open(self.pipeline.adapter)
        self._answer = load(context.adapter, self.pipeline)
        lost = self._answer.code and not self._answer.result["files_loaded"]
        context.result.forced_status = "Failure" if lost else None

    def answer(self, context: RunContext) -> Answer:
        return self._answer._replace(code=context.result.exit_code)


_WORKS: dict[str, type[_Work]] = {
    "replication": _Replication,
    "transformation": _Transformation,
    "quality": _Quality,
    "snapshot": _Snapshot,
    "load": _Load,
}


def work_of(pipeline: Pipeline | None) -> _Work:
    """Return the work of a pipeline; none stands for a single model."""
    return _WORKS[pipeline.type](pipeline) if pipeline else _SingleModel(Pipeline())
