"""`rocky retention-status`: how long each model keeps its rows; DuckDB itself enforces nothing."""

import re
from typing import Any

from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.output import Answer, head
from rocky_local.project.compiler import compile_project
from rocky_local.project.models import Model

_DAYS = {"d": 1, "y": 365}


def run(args: Arguments) -> Answer:
    """Give the configured retention of each model."""
    wanted, drift = args.get("model"), args.has("drift")
    models = compile_project(args.models).project.models
    entries = [_entry(model) for model in models if wanted in (None, model.name)]
    shown = [entry for entry in entries if not (drift and entry["in_sync"])]
    return Answer({**head("retention-status"), "models": shown})


def _entry(model: Model) -> dict[str, Any]:
    if model.retention is None:
        return {"model": model.name, "in_sync": True}
    found = re.fullmatch(r"(\d+)([dy])", model.retention)
    if found is None:
        expected = "a number of days or years such as '90d' or '1y'"
        raise EngineError(f"model '{model.name}': retention '{model.retention}' is not {expected}")
    return {"model": model.name, "configured_days": int(found[1]) * _DAYS[found[2]], "in_sync": False}
