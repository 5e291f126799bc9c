"""One run while it goes on: what all its parts share, and what all kinds of runs have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from rocky_local import tracing
from rocky_local.args import Arguments
from rocky_local.execution.copies import Drift
from rocky_local.execution.hooks import Hooks
from rocky_local.execution.options import Shadow
from rocky_local.execution.result import Breach, Materialization, RunResult
from rocky_local.messages import Messages
from rocky_local.output import Answer
from rocky_local.project.config import Config
from rocky_local.project.pipeline import Pipeline
from rocky_local.signals import Shutdown
from rocky_local.state import StateStore

if TYPE_CHECKING:
    from rocky_local.adapter import DuckDBAdapter


LOG = tracing.Log("rocky_cli::commands::run")
_EVENTS = tracing.Log("rocky_observe::events")


class RunContext:
    """One run while it goes on.

    Attributes:
        pipeline: The pipeline that runs; None for a single model.
        drifts: How the sources of copied tables had changed, by target.
        column_counts: How many columns the query of each compiled model names.
        input_hashes: What the skip gate saw of the inputs of models that depend on no other, by target.
    """

    adapter: DuckDBAdapter = None  # type: ignore[assignment]
    state: StateStore = None  # type: ignore[assignment]

    def __init__(
        self, config: Config, args: Arguments, run_id: str, started_ns: int, messages: Messages
    ) -> None:
        self.config, self.args, self.run_id, self.messages = config, args, run_id, messages
        self.variables = args.variables
        self.pipeline = pipeline = None if args.has("model") else config.select(args.get("pipeline"))
        self.result = RunResult(pipeline.type if pipeline else "replication", started_ns)
        self.hooks, self.shutdown = Hooks(), Shutdown()
        self.shadow: Shadow | None = None
        self.drifts: dict[str, Drift] = {}
        self.column_counts: dict[str, int] = {}
        self.input_hashes: dict[str, str] = {}
        if pipeline is not None:
            self.result.concurrency = pipeline.execution.concurrency
            LOG.info("resolved pipeline", pipeline=pipeline.name, pipeline_type=pipeline.type)
            if pipeline.type == "replication":
                self.hooks = Hooks(config.settings.hook, run_id, pipeline.name)

    def open(self, adapter: str, *, with_state: bool = True) -> None:
        """Open the DuckDB file of an adapter and then the state file."""
        from rocky_local.state import open_for_writing  # noqa: PLC0415

        self.adapter = self.config.open(adapter)
        if with_state:
            self.state = open_for_writing(self.args.state_file)

    def close(self) -> None:
        """Give back what the run holds."""
        for held in (self.adapter, self.state):
            if held is not None:
                held.close()

    def add_materialization(self, entry: Materialization) -> None:
        """Put a finished table, model or partition into the result and tell Dagster."""
        self.result.materializations.append(entry)
        if self.pipeline is not None:
            self.messages.materialization(entry)


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
        result, budget = context.result, context.config.settings.budget
        failure = self.failure(context) if result.exit_code else None
        closing = f"Error: {failure}" if result.status == "Failure" else None
        told = result.as_json() | ({"status": "Success"} if self.prints_success else {})
        answer = Answer(told, self.text(context), result.exit_code, closing, failure)
        strict = budget.on_breach == "error" and not answer.code
        breaches = ", ".join(
            f"{each.limit_type}: actual {each.actual:.0f} > limit {each.limit:.0f}"
            for each in result.budget_breaches
        )
        return answer.unless(strict and breaches, f"budget exceeded — {breaches}")

    @staticmethod
    def note_budget(context: RunContext) -> None:
        """Note what of the budget is exceeded; on DuckDB nothing costs anything but time."""
        limit, actual = context.config.settings.budget.max_duration_ms, context.result.duration_ms
        if limit is not None and actual > limit:
            context.result.budget_breaches.append(Breach("max_duration_ms", float(limit), float(actual)))
            nothing = {"target": "", "error": "", "attempt": 0, "max_attempts": 0}
            _EVENTS.info("", **{"rocky.event": "budget_breach"}, **nothing)

    def failure(self, context: RunContext) -> str:
        """Return the sentence for a run that failed altogether."""
        count, run_id = context.result.tables_failed, context.run_id
        return f"{count} model(s) failed (run_id: {run_id}, see the `errors` array in the JSON output)"

    def text(self, context: RunContext) -> str:
        """Return the outcome for people."""
        result = context.result
        built = [entry.metadata for entry in result.materializations[result.tables_copied :]]
        told = f"{len(built)} model(s) executed in {result.duration_ms}ms"
        lines = [f"  {each.target_table_full_name} ({each.strategy})" for each in built]
        return "\n".join([f"transformation pipeline complete: {told}", *lines])
