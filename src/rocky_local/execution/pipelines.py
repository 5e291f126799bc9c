"""What each kind of pipeline does in a run, and how its outcome is told."""

from pathlib import Path

from rocky_local import tracing
from rocky_local.errors import Unsupported
from rocky_local.execution.context import RunContext, Work
from rocky_local.execution.loading import LoadWork
from rocky_local.execution.options import key_from
from rocky_local.execution.quality import QualityWork
from rocky_local.execution.replication import report_failures, run_replication
from rocky_local.execution.snapshots import SnapshotWork
from rocky_local.execution.transformation import execute_models
from rocky_local.project.pipeline import Pipeline
from rocky_local.signals import release

_RUN_LOCAL = tracing.Log("rocky_cli::commands::run_local")


class Replication(Work):
    """Copy a pipeline's tables, then build models when they were asked for, too."""

    stops_gracefully = True

    def run(self, context: RunContext) -> None:
        """Do the work."""
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
        report_failures(context, failed)
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
        """Return the sentence for a run that failed altogether."""
        if not (failed := context.result.failed_copies):
            return super().failure(context)
        told = f"run_id: {context.run_id}, use --resume {context.run_id} to retry"
        return f"{failed} table(s) failed during parallel execution ({told})"

    def text(self, context: RunContext) -> str:
        """Return the outcome for people."""
        result = context.result
        seconds = result.duration_ms / 1000
        return f"Copied {result.tables_copied} tables in {seconds:.1f}s (run_id: {context.run_id})"


class Transformation(Work):
    """Build a pipeline's models."""

    def run(self, context: RunContext) -> None:
        """Do the work."""
        context.messages.log("rocky run starting (transformation pipeline)")
        directory = context.config.models_dir(self.pipeline)
        there = Path(directory).is_dir()
        context.open(self.pipeline.adapter, with_state=there)
        with tracing.span("run_transformation"):
            if there:
                execute_models(context, directory)
            else:
                _RUN_LOCAL.warn("models directory not found — nothing to execute", models_dir=directory)
            self.note_budget(context)
        counts = f"{len(context.result.materializations)} models executed"
        context.messages.complete(f"rocky run complete: {counts} in {context.result.duration_ms}ms")


class SingleModel(Work):
    """Build one model and nothing that it depends on."""

    def __init__(self) -> None:
        """Belong to no pipeline."""

    def run(self, context: RunContext) -> None:
        """Do the work, in the named pipeline or else in the first transformation."""
        config, args = context.config, context.args
        kinds = [pipeline for pipeline in config.pipelines.values() if pipeline.type == "transformation"]
        home = config.select(args.get("pipeline")) if args.has("pipeline") else next(iter(kinds), None)
        context.open(home.adapter if home else next(iter(config.adapters), "default"))
        directory = args.get("models") or config.models_dir(home)
        execute_models(context, directory, args.get("model"))


_WORKS: dict[str, type[Work]] = {
    "replication": Replication,
    "transformation": Transformation,
    "quality": QualityWork,
    "snapshot": SnapshotWork,
    "load": LoadWork,
}


def work_of(pipeline: Pipeline | None) -> Work:
    """Return the work of a pipeline; none stands for a single model."""
    return _WORKS[pipeline.type](pipeline) if pipeline else SingleModel()
