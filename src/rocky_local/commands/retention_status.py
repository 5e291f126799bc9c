"""`rocky retention-status`: how long each model keeps its rows; DuckDB itself enforces nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rocky_local import output
from rocky_local.compiler import compile_project
from rocky_local.errors import EngineError

if TYPE_CHECKING:
    from rocky_local.args import Arguments
    from rocky_local.models import Model

_DAYS = {"d": 1, "y": 365}


def run(args: Arguments) -> int:
    """Print the configured retention of each model."""
    compiled = compile_project(args.get("models") or "models")
    wanted = args.get("model")
    entries = [_entry(model) for model in compiled.project.models if wanted in (None, model.name)]
    if args.has("drift"):
        entries = [entry for entry in entries if not entry["in_sync"]]
    if args.json:
        output.print_json({**output.head("retention-status"), "models": entries})
    else:
        rows = [f"{e['model']} | {e.get('configured_days', '-')} | {e['in_sync']}" for e in entries]
        output.print_text("\n".join(rows))
    return 0


def _entry(model: Model) -> dict[str, Any]:
    if model.retention is None:
        return {"model": model.name, "in_sync": True}
    found = re.fullmatch(r"(\d+)([dy])", model.retention)
    if found is None:
        expected = "a number of days or years such as '90d' or '1y'"
        raise EngineError(f"model '{model.name}': retention '{model.retention}' is not {expected}")
    return {"model": model.name, "configured_days": int(found[1]) * _DAYS[found[2]], "in_sync": False}
