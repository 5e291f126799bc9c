"""`rocky compliance`: is every classified column masked in every environment."""

from typing import Any

from rocky_local.args import Arguments
from rocky_local.output import Answer, head
from rocky_local.project.config import load_config
from rocky_local.project.models import load_project


def run(args: Arguments) -> Answer:
    """Give the classified columns; `--fail-on exception` fails when one of them is not masked."""
    config = load_config(args.config)
    environments = _environments(config.raw.get("mask", {}), args.get("env"))
    allowed = config.raw.get("classifications", {}).get("allow_unmasked", [])
    columns: list[dict[str, Any]] = []
    exceptions: list[dict[str, str]] = []
    for model in load_project(args.get("models") or config.models_dir()).models:
        for column, tag in sorted(model.classification.items()):
            where = {"model": model.name, "column": column}
            found = {name: masks.get(tag) for name, masks in environments.items()}
            columns.append({**where, "classification": tag, "envs": _shown(found)})
            reason = f"no masking strategy resolves for classification tag '{tag}'"
            bare = [] if tag in allowed else [name for name in found if found[name] is None]
            exceptions += [{**where, "env": name, "reason": reason} for name in bare]
    named = [(entry["model"], entry["column"]) for entry in exceptions]
    every = not args.has("exceptions-only")
    states = [state for column in columns for state in column["envs"]]
    result = {
        **head("compliance"),
        "summary": {
            "total_classified": len(states),
            "total_masked": sum(state["enforced"] for state in states),
            "total_exceptions": len(exceptions),
        },
        "per_column": [entry for entry in columns if every or (entry["model"], entry["column"]) in named],
        "exceptions": exceptions,
    }
    return Answer(result, code=int(bool(exceptions) and args.get("fail-on") == "exception"))


def _environments(table: dict[str, Any], only: str | None) -> dict[str, dict[str, str]]:
    base = {tag: strategy for tag, strategy in table.items() if isinstance(strategy, str)}
    named = {name: {**base, **masks} for name, masks in sorted(table.items()) if isinstance(masks, dict)}
    return {"default": base, **named} if only is None else {only: named.get(only, base)}


def _shown(strategies: dict[str, str | None]) -> list[dict[str, Any]]:
    return [
        {"env": name, "masking_strategy": strategy or "unresolved", "enforced": strategy is not None}
        for name, strategy in strategies.items()
    ]
