"""What every part of a run shares: its options, connections, messages and result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rocky_local.messages import Messages
from rocky_local.signals import Shutdown

if TYPE_CHECKING:
    from rocky_local.adapter import DuckDBAdapter
    from rocky_local.config import Config, Pipeline
    from rocky_local.hooks import Hooks
    from rocky_local.options import RunOptions
    from rocky_local.result import RunResult
    from rocky_local.state import StateStore

RUN_TARGET = "rocky_cli::commands::run"


@dataclass
class RunContext:
    """One run while it goes on.

    Attributes:
        pipeline: The pipeline that runs; None for a single model.
        input_hashes: What the skip gate saw of the inputs of models that depend on no other, by target.
        announces_models: Whether models are reported to Dagster; a `--model` run keeps quiet about them.
    """

    config: Config
    options: RunOptions
    run_id: str
    result: RunResult
    hooks: Hooks
    pipeline: Pipeline | None = None
    adapter: DuckDBAdapter = None  # type: ignore[assignment]
    state: StateStore = None  # type: ignore[assignment]
    messages: Messages = field(default_factory=Messages)
    shutdown: Shutdown = field(default_factory=Shutdown)
    announces_models: bool = True
    input_hashes: dict[str, str] = field(default_factory=dict)

    def add_materialization(self, entry: dict[str, Any]) -> None:
        """Put a finished table or model into the result and tell Dagster and the hooks."""
        with self.result.lock:
            self.result.materializations.append(entry)
        if self.announces_models:
            self.messages.materialization(entry)
        self.hooks.after_materialize(
            self.run_id,
            self.pipeline.name if self.pipeline else None,
            entry["metadata"]["target_table_full_name"],
            entry["duration_ms"],
        )
