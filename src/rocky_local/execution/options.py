"""What the flags of a run mean beyond their text: where a shadow run writes, which key it holds, what they may be."""

import json
import os
from typing import NamedTuple

from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.project.tables import Place


class Shadow(NamedTuple):
    """Where a shadow run writes instead: a suffix on the tables, or one schema for all (contract, 5.9)."""

    suffix: str = "_rocky_shadow"
    schema: str | None = None

    def redirect(self, place: Place) -> Place:
        """Return the table that stands in for the real one."""
        if self.schema:
            return place._replace(schema=self.schema)
        return place._replace(table=place.table + self.suffix)


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


def key_from(args: Arguments) -> str | None:
    """Return the idempotency key of a run; the graph and its steps have none (contract, 5.7 and 5.8)."""
    if args.has("dag"):
        return None
    return args.get("idempotency-key") or os.environ.get("ROCKY_IDEMPOTENCY_KEY")


def refuse_unusable(args: Arguments) -> None:
    """Look at the flags of a run before anything is done; no grants of DuckDB could be overridden."""
    for name in ("lookback", "parallel"):
        args.number(name)
    failed = "failed to parse governance override JSON"
    try:
        value = json.loads(args.get("governance-override") or "{}")
    except json.JSONDecodeError as error:
        reason = "key must be a string" if "property name" in error.msg else error.msg.lower()
        raise EngineError(failed, f"{reason} at line {error.lineno} column {error.colno}") from error
    if not isinstance(value, dict):
        raise EngineError(failed, "invalid type: expected a map at line 1 column 1")
