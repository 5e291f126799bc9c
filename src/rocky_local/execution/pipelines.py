"""What each kind of pipeline does in a run, and how its outcome is told."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rocky_local import tracing
from rocky_local.errors import Unsupported
from rocky_local.execution.transformation import Scope, execute_models
from rocky_local.output import Answer
from rocky_local.signals import release

if TYPE_CHECKING:
    from rocky_local.execution.context import RunContext
    from rocky_local.project.config import Config
    from rocky_local.project.pipeline import Pipeline

_RUN_LOCAL = tracing.Log("rocky_cli::commands::run_local")
_ELSEWHERE = {"quality": "quality", "snapshot": "snapshots", "load": "loading"}


class Work:
    """One kind of run.

    Attributes:
        stops_gracefully: Whether SIGTERM and SIGINT let the statements in flight finish.
    """

    stops_gracefully = False

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def run(self, context: RunContext) -> None:
        """Do the work; the outcome is in the context's result."""
        raise NotImplementedError

    def answer(self, context: RunContext) -> Answer:
        """Return how the run ended."""
        result = context.result
        closing = f"Error: {self.failure(context)}" if result.status == "Failure" else None
        return Answer(result.as_json(), self.text(context), result.exit_code, closing)

    def failure(self, context: RunContext) -> str:
        """Return the sentence for a run that failed altogether."""
        failed = context.result.tables_failed
        return (
            f"{failed} model(s) failed (run_id: {context.run_id}, see the `errors` array in the JSON output)"
        )

    def text(self, context: RunContext) -> str:
        """Return the outcome for people."""
        result = context.result
        built = result.materializations[result.tables_copied :]
        lines = [
            f"transformation pipeline complete: {len(built)} model(s) executed in {result.duration_ms}ms"
        ]
        told = (entry["metadata"] for entry in built)
        return "\n".join(
            [*lines, *(f"  {entry['target_table_full_name']} ({entry['strategy']})" for entry in told)]
        )


class Replication(Work):
    """Copy a pipeline's tables, then build models when they were asked for, too."""

    stops_gracefully = True

    def run(self, context: RunContext) -> None:
        """Do the work."""
        from rocky_local.execution.replication import run_replication  # noqa: PLC0415

        config, options, result, pipeline = context.config, context.options, context.result, self.pipeline
        result.idempotency_key, result.filter = options.idempotency_key, options.filter or ""
        if config.duckdb_path(pipeline.source_adapter) != config.duckdb_path(pipeline.adapter):
            raise Unsupported("a replication between two DuckDB files")
        context.open(pipeline.adapter)
        result.shadow = options.shadow is not None
        run_replication(context, pipeline)
        if result.interrupted:
            return
        if options.models_dir or options.run_all:
            # Models die at once (contract, 10).
            release()
            execute_models(context, Scope(options.models_dir or "models", contained=contains(config)))
        counts = f"{result.tables_copied} copied, {result.failed_copies} failed"
        for action in result.drift_actions:
            context.messages.drift(action)
        context.messages.complete(f"rocky run complete: {counts} in {result.duration_ms}ms")
        context.messages.closed()

    def failure(self, context: RunContext) -> str:
        """Return the sentence for a run that failed altogether."""
        failed = context.result.failed_copies
        return copies_failed(failed, context.run_id) if failed else super().failure(context)

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
                execute_models(context, Scope(directory, contained=contains(context.config)))
            else:
                shown = tracing.Display(directory)
                _RUN_LOCAL.warn("models directory not found — nothing to execute", models_dir=shown)
        counts = f"{len(context.result.materializations)} models executed"
        context.messages.complete(f"rocky run complete: {counts} in {context.result.duration_ms}ms")


class SingleModel(Work):
    """Build one model and nothing that it depends on."""

    def __init__(self) -> None:
        """Belong to no pipeline yet."""

    def run(self, context: RunContext) -> None:
        """Do the work, in the named pipeline or else in the first transformation."""
        config, options = context.config, context.options
        kinds = [pipeline for pipeline in config.pipelines.values() if pipeline.type == "transformation"]
        home = config.select(options.pipeline) if options.pipeline else next(iter(kinds), None)
        context.open(home.adapter if home else next(iter(config.adapters), "default"))
        directory = options.models_dir or config.models_dir(home)
        execute_models(context, Scope(directory, only=options.model))


def work_of(pipeline: Pipeline | None) -> Work:
    """Return the work of a pipeline; none stands for a single model."""
    if pipeline is None:
        return SingleModel()
    if pipeline.type == "replication":
        return Replication(pipeline)
    if pipeline.type == "transformation":
        return Transformation(pipeline)
    work: Work = import_module(f"rocky_local.execution.{_ELSEWHERE[pipeline.type]}").WORK(pipeline)
    return work


def contains(config: Config) -> bool:
    """Return whether a failed model leaves its siblings alone (contract, 5.5)."""
    return bool(config.raw.get("resilience", {}).get("contain_failures", False))


def copies_failed(count: int, run_id: str) -> str:
    """Return the sentence for tables that could not be copied."""
    return f"{count} table(s) failed during parallel execution (run_id: {run_id}, use --resume {run_id} to retry)"
