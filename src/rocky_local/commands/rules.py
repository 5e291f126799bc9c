"""Are the rules kept: `compliance`, is every classified column masked, and `retention-status`, how long rows stay."""

import re
from typing import Any

from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.output import Answer
from rocky_local.project.compiler import compile_project
from rocky_local.project.config import load_config
from rocky_local.project.models import Model, load_project

_DAYS = {"d": 1, "y": 365}


def answer_compliance(args: Arguments) -> Answer:
    """Give the classified columns; `--fail-on exception` fails when one of them is not masked."""
    config = load_config(args.config)
    environments = _environments(config.settings.mask, args.get("env"))
    allowed = config.settings.classifications.get("allow_unmasked", ())
    columns: list[dict[str, Any]] = []
    exceptions: list[dict[str, str]] = []
    states: list[bool] = []
    for model in load_project(args.get("models") or config.models_dir()).models:
        for column, tag in sorted(model.sidecar.classification.items()):
            where = {"model": model.name, "column": column}
            found = {name: masks.get(tag) for name, masks in environments.items()}
            reason = f"no masking strategy resolves for classification tag '{tag}'"
            bare = [] if tag in allowed else [name for name in found if found[name] is None]
            exceptions += [{**where, "env": name, "reason": reason} for name in bare]
            states += [mask is not None for mask in found.values()]
            shown = [
                {"env": name, "masking_strategy": mask or "unresolved", "enforced": mask is not None}
                for name, mask in found.items()
            ]
            if bare or not args.has("exceptions-only"):
                columns.append({**where, "classification": tag, "envs": shown})
    result = {
        "summary": {
            "total_classified": len(states),
            "total_masked": sum(states),
            "total_exceptions": len(exceptions),
        },
        "per_column": columns,
        "exceptions": exceptions,
    }
    return Answer("compliance", result, code=int(bool(exceptions) and args.get("fail-on") == "exception"))


def _environments(table: dict[str, Any], only: str | None) -> dict[str, dict[str, str]]:
    base = {tag: strategy for tag, strategy in table.items() if isinstance(strategy, str)}
    named = {name: {**base, **masks} for name, masks in sorted(table.items()) if isinstance(masks, dict)}
    return {"default": base, **named} if only is None else {only: named.get(only, base)}


def answer_retention_status(args: Arguments) -> Answer:
    """Give the configured retention of each model; DuckDB itself enforces nothing."""
    wanted, drift = args.get("model"), args.has("drift")
    models = compile_project(args.models).project.models
    entries = [_retention(model) for model in models if wanted in (None, model.name)]
    shown = [entry for entry in entries if not (drift and entry["in_sync"])]
    return Answer("retention-status", {"models": shown})


def _retention(model: Model) -> dict[str, Any]:
    retention = model.sidecar.retention
    if retention is None:
        return {"model": model.name, "in_sync": True}
    found = re.fullmatch(r"(\d+)([dy])", retention)
    if found is None:
        raise EngineError(f"model '{model.name}': retention '{retention}' is none such as '90d' or '1y'")
    return {"model": model.name, "configured_days": int(found[1]) * _DAYS[found[2]], "in_sync": False}
