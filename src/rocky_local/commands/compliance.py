"""`rocky compliance`: is every classified column masked in every environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rocky_local import output
from rocky_local.config import load_config
from rocky_local.models import load_project

if TYPE_CHECKING:
    from rocky_local.args import Arguments


def run(args: Arguments) -> int:
    """Print the classified columns; with `--fail-on exception`, 1 when one of them is not masked."""
    config = load_config(args.config)
    environments = _environments(config.raw.get("mask", {}), args.get("env"))
    allowed = config.raw.get("classifications", {}).get("allow_unmasked", [])
    columns: list[dict[str, Any]] = []
    exceptions: list[dict[str, str]] = []
    for model in load_project(args.get("models") or config.models_dir()).models:
        for column, tag in sorted(model.classification.items()):
            shown = []
            for name, masks in environments.items():
                strategy = masks.get(tag)
                shown.append(
                    {
                        "env": name,
                        "masking_strategy": strategy or "unresolved",
                        "enforced": strategy is not None,
                    }
                )
                if strategy is None and tag not in allowed:
                    exceptions.append(_exception(model.name, column, tag, name))
            columns.append({"model": model.name, "column": column, "classification": tag, "envs": shown})
    states = [state for column in columns for state in column["envs"]]
    result: dict[str, Any] = {
        **output.head("compliance"),
        "summary": {
            "total_classified": len(states),
            "total_masked": sum(state["enforced"] for state in states),
            "total_exceptions": len(exceptions),
        },
        "per_column": _excepted(columns, exceptions) if args.has("exceptions-only") else columns,
        "exceptions": exceptions,
    }
    if args.json:
        output.print_json(result)
    else:
        output.print_text("\n".join(f"{name}: {count}" for name, count in result["summary"].items()))
    return 1 if exceptions and args.get("fail-on") == "exception" else 0


def _environments(table: dict[str, Any], only: str | None) -> dict[str, dict[str, str]]:
    base = {tag: strategy for tag, strategy in table.items() if isinstance(strategy, str)}
    named = {name: {**base, **masks} for name, masks in table.items() if isinstance(masks, dict)}
    if only is not None:
        return {only: named.get(only, base)}
    return {"default": base, **dict(sorted(named.items()))}


def _exception(model: str, column: str, tag: str, environment: str) -> dict[str, str]:
    reason = f"no masking strategy resolves for classification tag '{tag}'"
    return {"model": model, "column": column, "env": environment, "reason": reason}


def _excepted(columns: list[dict[str, Any]], exceptions: list[dict[str, str]]) -> list[dict[str, Any]]:
    named = {(entry["model"], entry["column"]) for entry in exceptions}
    return [column for column in columns if (column["model"], column["column"]) in named]
