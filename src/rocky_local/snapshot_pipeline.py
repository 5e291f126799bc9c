"""A run of a snapshot pipeline, which fails on DuckDB as it does in the real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rocky_local import snapshots
from rocky_local.errors import EngineError
from rocky_local.pipelines import Work
from rocky_local.runner import Finished, open_connections

if TYPE_CHECKING:
    from rocky_local.context import RunContext


class SnapshotWork(Work):
    """Run the statements of a snapshot."""

    def run(self, context: RunContext) -> None:
        """Do the work."""
        if context.pipeline is None:
            raise EngineError("no pipeline was selected")
        context.messages.log("rocky run starting (snapshot pipeline)")
        open_connections(context, context.pipeline.adapter)
        result = context.result
        result.concurrency, result.with_cost = 1, False
        if snapshots.run_pipeline(context.adapter, context.pipeline):
            result.tables_failed = 1
            result.status = "Failure"

    def finish(self, context: RunContext) -> Finished:
        """Return how the run ended; the printed status says success whatever happened."""
        result = context.result
        failed = result.tables_failed > 0
        result.status = "Success"
        closing = "Error: snapshot pipeline failed" if failed else None
        text = f"snapshot pipeline {'failed' if failed else 'complete'} in {result.elapsed_ms()}ms"
        return Finished(result.as_json(), int(failed), closing, text)


WORK = SnapshotWork
