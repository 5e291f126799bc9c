"""Are the rules kept: `compliance`, is every classified column masked, and `retention-status`, how long rows stay."""

import re
from typing import Any

from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.output import Answer, Entry
from rocky_local.project.compiler import compile_project
from rocky_local.project.config import load_config
from rocky_local.project.models import Model, load_project

_DAYS = {"d": 1, "y": 365}


class _Masking(Entry):
    env: str
    masking_strategy: str
    enforced: bool


class _ClassifiedColumn(Entry):
    model: str
    column: str
    classification: str
    envs: list[_Masking]


class _Unmasked(Entry):
    model: str
    column: str
    env: str
    reason: str


class _Retention(Entry, kw_only=True):
    model: str
    configured_days: int | None = None
    in_sync: bool


def answer_compliance(args: Arguments) -> Answer:
    """Give the classified columns; `--fail-on exception` fails when one of them is not masked."""
    config = load_config(args.config)
    environments = _environments(config.mask, args.get("env"))
    allowed = config.classifications.get("allow_unmasked", ())
    columns: list[_ClassifiedColumn] = []
    exceptions: list[_Unmasked] = []
    states: list[bool] = []
    for model in load_project(args.get("models") or config.models_dir()).models:
        for column, tag in sorted(model.sidecar.classification.items()):
            found = [
                _Masking(name, masks.get(tag) or "unresolved", tag in masks)
                for name, masks in environments.items()
            ]
            reason = f"no masking strategy resolves for classification tag '{tag}'"
            bare = [] if tag in allowed else [mask.env for mask in found if not mask.enforced]
            exceptions += [_Unmasked(model.name, column, name, reason) for name in bare]
            states += [mask.enforced for mask in found]
            if bare or not args.has("exceptions-only"):
                columns.append(_ClassifiedColumn(model.name, column, tag, found))
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
    shown = [entry for entry in entries if not (drift and entry.in_sync)]
    return Answer("retention-status", {"models": shown})


def _retention(model: Model) -> _Retention:
    retention = model.sidecar.retention
    if retention is None:
        return _Retention(model=model.name, in_sync=True)
    found = re.fullmatch(r"(\d+)([dy])", retention)
    if found is None:
        raise EngineError(f"model '{model.name}': retention '{retention}' is none such as '90d' or '1y'")
    days = int(found[1]) * _DAYS[found[2]]
    return _Retention(model=model.name, configured_days=days, in_sync=False)
