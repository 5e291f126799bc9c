"""A run of a quality pipeline: nothing is copied or built, only checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rocky_local import quality
from rocky_local.errors import EngineError
from rocky_local.pipelines import Work
from rocky_local.runner import Finished, open_connections

if TYPE_CHECKING:
    from rocky_local.context import RunContext


class QualityWork(Work):
    """Check tables, and put wrong rows aside."""

    def __init__(self) -> None:
        self._summary = quality.QualitySummary(0, 0, 0, 0)
        self._failed = False

    def run(self, context: RunContext) -> None:
        """Do the work."""
        pipeline = context.pipeline
        if pipeline is None:
            raise EngineError("no pipeline was selected")
        context.messages.log("rocky run starting (quality pipeline)")
        open_connections(context, pipeline.adapter)
        context.result.with_cost = False
        self._summary = quality.run_pipeline(context.adapter, pipeline, context.result, context.messages)
        self._failed = self._summary.errors > 0 and bool(pipeline.checks.get("fail_on_error", True))
        if self._failed:
            context.result.status = "Failure"

    def finish(self, context: RunContext) -> Finished:
        """Return how the run ended; the printed status says success whatever was found."""
        result = context.result
        result.status = "Success"
        closing = None
        if self._failed:
            closing = f"Error: quality pipeline failed: {self._summary.errors} error-severity check(s) failed"
        return Finished(
            result.as_json(), int(self._failed), closing, self._summary.human(result.elapsed_ms())
        )


WORK = QualityWork
