"""One run while it goes on: what all its parts share, and what its flags mean beyond their text."""

import os

from rocky_local import tracing
from rocky_local.adapter import DuckDBAdapter
from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.execution.discovery import Shadow
from rocky_local.execution.hooks import Hooks
from rocky_local.execution.result import Materialization, RunResult
from rocky_local.messages import Messages
from rocky_local.project.config import Config
from rocky_local.signals import Shutdown
from rocky_local.state import StateStore, open_for_writing, reading

LOG = tracing.Log("rocky_cli::commands::run")


def shadow_from(args: Arguments) -> Shadow | None:
    """Return where a shadow run writes, or None for a real one. A schema wins over a suffix."""
    if branch := args.get("branch"):
        with reading(args.state_file) as store:
            known = store.fact("branch", branch)
        if known is None:
            raise EngineError(f"branch '{branch}' not found — create it with `rocky branch create {branch}`")
        return Shadow(schema=known["schema_prefix"])
    if args.command != "compare" and not args.has("shadow"):
        return None
    return Shadow(args.get("shadow-suffix") or Shadow().suffix, args.get("shadow-schema"))


def key_from(args: Arguments) -> str | None:
    """Return the idempotency key of a run; the graph and its steps have none (contract, 5.7 and 5.8)."""
    if args.has("dag"):
        return None
    return args.get("idempotency-key") or os.environ.get("ROCKY_IDEMPOTENCY_KEY")


class RunContext:
    """One run while it goes on.

    Attributes:
        pipeline: The pipeline that runs; None for a single model.
        input_hashes: What the skip gate saw of the inputs of models that depend on no other, by target.
    """

    adapter: DuckDBAdapter = None  # type: ignore[assignment]
    state: StateStore = None  # type: ignore[assignment]

    def __init__(
        self, config: Config, args: Arguments, run_id: str, started: int, messages: Messages
    ) -> None:
        self.config, self.args, self.run_id, self.messages = config, args, run_id, messages
        self.pipeline = pipeline = None if args.has("model") else config.select(args.get("pipeline"))
        self.result = RunResult(pipeline.type if pipeline else "replication", started)
        heard = config.hook if pipeline and pipeline.type == "replication" else {}
        self.hooks, self.shutdown = Hooks(heard, run_id, pipeline.name if pipeline else ""), Shutdown()
        self.shadow: Shadow | None = None
        self.input_hashes: dict[str, str] = {}
        if pipeline is not None:
            self.result.concurrency = pipeline.execution.concurrency
            LOG.info("resolved pipeline", pipeline=pipeline.name, pipeline_type=pipeline.type)

    def open(self, adapter: str, *, with_state: bool = True) -> None:
        """Open the DuckDB file of an adapter and then the state file."""
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
