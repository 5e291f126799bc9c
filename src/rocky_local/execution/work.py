"""What all kinds of runs have in common: doing something, and telling how it ended."""

from abc import ABC, abstractmethod

from rocky_local import tracing
from rocky_local.execution.context import RunContext
from rocky_local.execution.entries import Breach
from rocky_local.output import Answer
from rocky_local.project.pipeline import Pipeline

_EVENTS = tracing.Log("rocky_observe::events")


class Work(ABC):
    """One kind of run; a graceful one lets its statements finish, some print success whatever happened."""

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
        told = result.as_json() | ({"status": "Success"} if self.prints_success else {})
        answer = Answer(told, self.text(context), result.exit_code, closing)
        strict = budget and budget.on_breach == "error" and not answer.code
        breaches = ", ".join(
            f"{each.limit_type}: actual {each.actual:.0f} > limit {each.limit:.0f}"
            for each in result.budget_breaches
        )
        return answer.unless(strict and breaches, f"budget exceeded — {breaches}")

    @staticmethod
    def note_budget(context: RunContext) -> None:
        """Note what of the budget is exceeded; on DuckDB nothing costs anything but time."""
        limit = context.config.budget.max_duration_ms if context.config.budget else None
        actual = context.result.duration_ms
        if limit is not None and actual > limit:
            context.result.budget_breaches.append(Breach("max_duration_ms", float(limit), float(actual)))
            nothing = {"target": "", "error": "", "attempt": 0, "max_attempts": 0}
            _EVENTS.info("", **{"rocky.event": "budget_breach"}, **nothing)

    def failure(self, context: RunContext) -> str:
        """Return the sentence for a run that failed altogether."""
        return models_failed(context.result.tables_failed, context.run_id)

    def text(self, context: RunContext) -> str:
        """Return the outcome for people."""
        result = context.result
        built = [entry.metadata for entry in result.materializations[result.tables_copied :]]
        told = f"{len(built)} model(s) executed in {result.duration_ms}ms"
        lines = [f"  {each.target_table_full_name} ({each.strategy})" for each in built]
        return "\n".join([f"transformation pipeline complete: {told}", *lines])


def models_failed(count: int, run_id: str) -> str:
    """Return the sentence for models that could not be built."""
    return f"{count} model(s) failed (run_id: {run_id}, see the `errors` array in the JSON output)"


def copies_failed(count: int, run_id: str) -> str:
    """Return the sentence for tables that could not be copied."""
    return f"{count} table(s) failed during parallel execution (run_id: {run_id}, use --resume {run_id} to retry)"
