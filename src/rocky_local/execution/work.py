"""What all kinds of runs have in common: doing something, and telling how it ended."""

from abc import ABC, abstractmethod

from rocky_local import tracing
from rocky_local.execution.context import RunContext
from rocky_local.output import Answer
from rocky_local.project.pipeline import Pipeline

_EVENTS = tracing.Log("rocky_observe::events")


class Work(ABC):
    """One kind of run.

    Attributes:
        stops_gracefully: Whether SIGTERM and SIGINT let the statements in flight finish.
        prints_success: Whether the printed status says success whatever happened (contract, 5.2).
    """

    stops_gracefully = False
    prints_success = False

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    @abstractmethod
    def run(self, context: RunContext) -> None:
        """Do the work; the outcome is in the context's result."""

    def answer(self, context: RunContext) -> Answer:
        """Return how the run ended."""
        result, budget = context.result, context.config.budget
        closing = f"Error: {self.failure(context)}" if result.status == "Failure" else None
        shown = result.as_json() | ({"status": "Success"} if self.prints_success else {})
        answer = Answer(shown, self.text(context), result.exit_code, closing)
        if result.budget_breaches and not answer.code and budget and budget.on_breach == "error":
            breaches = (
                "{limit_type}: actual {actual:.0f} > limit {limit:.0f}".format_map(breach)
                for breach in result.budget_breaches
            )
            return answer._replace(code=1, closing=f"Error: budget exceeded — {', '.join(breaches)}")
        return answer

    @staticmethod
    def note_budget(context: RunContext) -> None:
        """Note what of the budget is exceeded; on DuckDB nothing costs anything but time."""
        limit = context.config.budget.max_duration_ms if context.config.budget else None
        actual = context.result.duration_ms
        if limit is not None and actual > limit:
            breach = {"limit_type": "max_duration_ms", "limit": float(limit), "actual": float(actual)}
            context.result.budget_breaches.append(breach)
            event = {
                "rocky.event": "budget_breach",
                "target": "",
                "error": "",
                "attempt": 0,
                "max_attempts": 0,
            }
            _EVENTS.info("", **event)

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
