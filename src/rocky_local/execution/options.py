"""What one run was asked to do, whoever asked: the command line, a plan, or a node of the whole graph."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.project.tables import EMPTY

if TYPE_CHECKING:
    from rocky_local.project.models import Model


class PartitionSelection(NamedTuple):
    """Which partitions of a time_interval model to build; nothing set means the current one."""

    key: str | None = None
    first: str | None = None
    last: str | None = None
    missing: bool = False
    lookback: int | None = None


_NO_SELECTION = PartitionSelection()


class Shadow(NamedTuple):
    """Where a shadow run writes instead: a suffix on the tables, or one schema for all (contract, 5.9)."""

    suffix: str = "_rocky_shadow"
    schema: str | None = None

    def redirect(self, schema: str, table: str) -> tuple[str, str]:
        """Return the schema and table that stand in for the real ones."""
        return (self.schema, table) if self.schema else (schema, table + self.suffix)

    def of(self, model: Model) -> Model:
        """Return a model that builds its shadow table instead."""
        schema, table = self.redirect(model.schema, model.table)
        return model._replace(schema=schema, table=table)


class RunOptions(NamedTuple):
    """The options of a run.

    Attributes:
        models_dir: A models folder to build after a replication, or instead of the pipeline's own.
        run_all: Build the models after a replication.
        run_id: An id that was made beforehand, for example by `apply`.
        for_people: Whether the result is printed as text rather than as JSON.
    """

    config: str
    state_file: Path
    pipeline: str | None = None
    filter: str | None = None
    model: str | None = None
    models_dir: str | None = None
    run_all: bool = False
    partition: PartitionSelection = _NO_SELECTION
    shadow: Shadow | None = None
    idempotency_key: str | None = None
    resume: str | None = None
    resume_latest: bool = False
    variables: dict[str, str] = EMPTY
    skip_unchanged: bool = False
    force_rebuild: bool = False
    parallel: int | None = None
    run_id: str | None = None
    for_people: bool = False

    @classmethod
    def from_args(cls, args: Arguments) -> RunOptions:
        """Return the options of a parsed command line."""
        check_governance_override(args.get("governance-override"))
        first, last = args.get("from"), args.get("to")
        return cls(
            config=args.config,
            state_file=args.state_file,
            pipeline=args.get("pipeline"),
            filter=args.get("filter"),
            model=args.get("model"),
            models_dir=args.get("models"),
            run_all=args.has("all"),
            partition=PartitionSelection(
                args.get("partition"), first, last, args.has("missing"), args.number("lookback")
            ),
            shadow=shadow_from(args),
            idempotency_key=args.get("idempotency-key") or os.environ.get("ROCKY_IDEMPOTENCY_KEY"),
            resume=args.get("resume"),
            resume_latest=args.has("resume-latest"),
            variables=args.variables(),
            skip_unchanged=args.has("skip-unchanged"),
            force_rebuild=args.has("force-rebuild"),
            parallel=args.number("parallel"),
            run_id=args.get("run-id"),
            for_people=not args.json,
        )


def shadow_from(args: Arguments) -> Shadow | None:
    """Return where a shadow run writes, or None for a real one. A schema wins over a suffix."""
    if branch := args.get("branch"):
        from rocky_local.state import reading  # noqa: PLC0415

        with reading(args.state_file) as store:
            known = store.fact("branch", branch)
        if known is None:
            raise EngineError(f"branch '{branch}' not found — create it with `rocky branch create {branch}`")
        return Shadow(schema=known["schema_prefix"])
    if args.command != "compare" and not args.has("shadow"):
        return None
    return Shadow(args.get("shadow-suffix") or Shadow().suffix, args.get("shadow-schema"))


def check_governance_override(text: str | None) -> None:
    """Accept a governance override; DuckDB has no grants that it could change."""
    failed = "failed to parse governance override JSON"
    try:
        value = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        reason = "key must be a string" if "property name" in error.msg else error.msg.lower()
        raise EngineError(failed, f"{reason} at line {error.lineno} column {error.colno}") from error
    if not isinstance(value, dict):
        raise EngineError(failed, "invalid type: expected a map at line 1 column 1")
