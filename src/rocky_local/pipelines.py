"""What each kind of pipeline does in a run, and how its result is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rocky_local import tracing
from rocky_local.context import RunContext
from rocky_local.errors import EngineError, Unsupported
from rocky_local.runner import Finished, open_connections

if TYPE_CHECKING:
    from rocky_local.config import Config, Pipeline
    from rocky_local.transformation import Scope


class Work:
    """One kind of run.

    Attributes:
        stops_gracefully: Whether SIGTERM and SIGINT let the statements in flight finish.
    """

    stops_gracefully = False

    def run(self, context: RunContext) -> None:
        """Do the work; the outcome is in the context's result."""
        raise NotImplementedError

    def finish(self, context: RunContext) -> Finished:
        """Return how the run ended."""
        result = context.result
        closing = self._closing(context) if result.final_status == "Failure" else None
        return Finished(result.as_json(), result.exit_code, closing, self._text(context))

    def _closing(self, context: RunContext) -> str:
        return (
            f"Error: {context.result.tables_failed} model(s) failed (run_id: {context.run_id}, "
            "see the `errors` array in the JSON output)"
        )

    def _text(self, context: RunContext) -> str:
        result = context.result
        built = len(result.materializations) - result.tables_copied
        lines = [f"transformation pipeline complete: {built} model(s) executed in {result.elapsed_ms()}ms"]
        lines += [
            f"  {entry['metadata']['target_table_full_name']} ({entry['metadata']['strategy']})"
            for entry in result.materializations[result.tables_copied :]
        ]
        return "\n".join(lines)


class Replication(Work):
    """Copy a pipeline's tables, then build models when they were asked for, too."""

    stops_gracefully = True

    def run(self, context: RunContext) -> None:
        """Do the work."""
        from rocky_local.replication import run_replication  # noqa: PLC0415

        pipeline = _pipeline(context)
        same_file = [context.config.duckdb_path(name) for name in (pipeline.source_adapter, pipeline.adapter)]
        if same_file[0] != same_file[1]:
            raise Unsupported("a replication between two DuckDB files")
        open_connections(context, pipeline.adapter)
        context.result.shadow = context.options.shadow is not None
        run_replication(context, pipeline)
        options, result = context.options, context.result
        if result.interrupted:
            return
        if options.models_dir or options.run_all:
            from rocky_local.transformation import Scope, execute_models  # noqa: PLC0415

            execute_models(context, Scope(options.models_dir or "models", contained=contains(context.config)))
        failed = result.failed_copies
        context.messages.log(
            f"rocky run complete: {result.tables_copied} copied, {failed} failed in {result.elapsed_ms()}ms"
        )
        context.messages.closed()

    def _closing(self, context: RunContext) -> str:
        failed = context.result.failed_copies
        if not failed:
            return super()._closing(context)
        return (
            f"Error: {failed} table(s) failed during parallel execution (run_id: {context.run_id}, "
            f"use --resume {context.run_id} to retry)"
        )

    def _text(self, context: RunContext) -> str:
        result = context.result
        seconds = result.elapsed_ms() / 1000
        return f"Copied {result.tables_copied} tables in {seconds:.1f}s (run_id: {context.run_id})"


class Transformation(Work):
    """Build a pipeline's models."""

    def run(self, context: RunContext) -> None:
        """Do the work."""
        from rocky_local.transformation import Scope, execute_models  # noqa: PLC0415

        pipeline = _pipeline(context)
        context.messages.log("rocky run starting (transformation pipeline)")
        open_connections(context, pipeline.adapter)
        directory = context.config.models_dir(pipeline)
        with tracing.span("run_transformation"):
            if not Path(directory).is_dir():
                tracing.warn(
                    "rocky_cli::commands::run_local",
                    "models directory not found — nothing to execute",
                    models_dir=tracing.Display(directory),
                )
            else:
                execute_models(context, Scope(directory, contained=contains(context.config)))
        count = len(context.result.materializations)
        context.messages.log(
            f"rocky run complete: {count} models executed in {context.result.elapsed_ms()}ms"
        )


class SingleModel(Work):
    """Build one model and nothing that it depends on."""

    def run(self, context: RunContext) -> None:
        """Do the work."""
        from rocky_local.transformation import execute_models  # noqa: PLC0415

        context.announces_models = False
        home = _home_of_models(context.config, context.options.pipeline)
        open_connections(context, home.adapter if home else next(iter(context.config.adapters), "default"))
        execute_models(context, self._scope(context, home))

    @staticmethod
    def _scope(context: RunContext, home: Pipeline | None) -> Scope:
        from rocky_local.transformation import Scope  # noqa: PLC0415

        directory = context.options.models_dir or context.config.models_dir(home)
        return Scope(directory, only=context.options.model)


def work_of(context: RunContext) -> Work:
    """Return the work of a run's pipeline, or of its single model.

    Raises:
        Unsupported: A kind of pipeline that only the real engine runs.
    """
    if context.pipeline is None:
        return SingleModel()
    if context.pipeline.type == "replication":
        return Replication()
    if context.pipeline.type == "transformation":
        return Transformation()
    return _other_work(context.pipeline.type)


def _other_work(kind: str) -> Work:
    """Return the work of the kinds that have a module of their own."""
    from importlib import import_module  # noqa: PLC0415

    try:
        found: Work = import_module(f"rocky_local.{kind}_pipeline").WORK()
    except ModuleNotFoundError:
        raise Unsupported(f"pipelines of type '{kind}'") from None
    return found


def contains(config: Config) -> bool:
    """Return whether a failed model leaves its siblings alone."""
    return bool(config.raw.get("resilience", {}).get("contain_failures", False))


def _home_of_models(config: Config, name: str | None) -> Pipeline | None:
    """Return the pipeline that a single model belongs to: the named one, else the first transformation."""
    if name is not None:
        return config.select(name)
    kinds = [pipeline for pipeline in config.pipelines.values() if pipeline.type == "transformation"]
    return kinds[0] if kinds else None


def _pipeline(context: RunContext) -> Pipeline:
    if context.pipeline is None:
        raise EngineError("no pipeline was selected")
    return context.pipeline
