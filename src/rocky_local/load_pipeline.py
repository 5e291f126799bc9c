"""A run of a load pipeline: its result is the one of the `load` command, and history does not mention it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rocky_local import loading
from rocky_local.errors import EngineError
from rocky_local.pipelines import Work
from rocky_local.runner import Finished

if TYPE_CHECKING:
    from rocky_local.context import RunContext


class LoadWork(Work):
    """Load the files of a pipeline."""

    def __init__(self) -> None:
        self._result: dict[str, Any] = {}

    def run(self, context: RunContext) -> None:
        """Do the work."""
        from rocky_local.adapter import DuckDBAdapter  # noqa: PLC0415

        if context.pipeline is None:
            raise EngineError("no pipeline was selected")
        name = context.pipeline.adapter
        context.adapter = DuckDBAdapter(context.config.duckdb_path(name), name)
        self._result = loading.load(context.adapter, context.pipeline)
        if self._result["files_failed"]:
            context.result.status = "PartialFailure" if self._result["files_loaded"] else "Failure"

    def finish(self, context: RunContext) -> Finished:
        """Return how the run ended."""
        del context
        failed = 1 if self._result["files_failed"] else 0
        return Finished(self._result, failed, None, loading.human(self._result))


WORK = LoadWork
