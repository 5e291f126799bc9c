"""`rocky optimize`: which tables might be built differently, judged by their history."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

from rocky_local import output
from rocky_local.compiler import models_below
from rocky_local.models import load_project
from rocky_local.state import locate, open_for_reading

if TYPE_CHECKING:
    from rocky_local.args import Arguments

_NEEDED_RUNS = 5
_STORAGE_PER_MONTH = 0.0023
_COST_PER_MS = 2e-6
_DAYS_PER_MONTH = 30
_FAST_MS = 5_000
_FEW_CONSUMERS = 3
_NOTE = "Run `rocky compile --output json` for inferred incrementality hints on full_refresh models"


def run(args: Arguments) -> int:
    """Print a recommendation for each table that the history names."""
    store = open_for_reading(locate(args.get("state-path"), args.get("state-namespace")))
    records = store.runs() if store else []
    if store:
        store.close()
    durations: dict[str, list[int]] = {}
    for record in records:
        for entry in record["models"]:
            durations.setdefault(entry["model_name"], []).append(entry["duration_ms"])
    consumers = _consumers(args.get("models") or "models")
    wanted = args.get("model")
    found = [
        _recommendation(name, durations[name], consumers.get(name, 0))
        for name in sorted(durations)
        if wanted in (None, name)
    ]
    result = {
        **output.head("optimize"),
        "recommendations": found,
        "total_models_analyzed": len(found),
        "incrementality_note": _NOTE,
    }
    if args.json:
        output.print_json(result)
    else:
        rows = [f"{r['model_name']} | {r['recommended_strategy']} | {r['reasoning']}" for r in found]
        output.print_text("\n".join(rows) or "No history to judge by.")
    return 0


def _consumers(directory: str) -> dict[str, int]:
    if not models_below(directory):
        return {}
    return {name: len(names) for name, names in load_project(directory).dependents().items()}


def _recommendation(name: str, durations: list[int], consumers: int) -> dict[str, Any]:
    mean_ms = fmean(durations)
    per_run = mean_ms * _COST_PER_MS
    recommended, savings = "table", 0.0
    if len(durations) < _NEEDED_RUNS:
        reasoning = f"insufficient history: {len(durations)} runs (need {_NEEDED_RUNS})"
    elif mean_ms < _FAST_MS and consumers < _FEW_CONSUMERS:
        recommended, savings = "ephemeral", _STORAGE_PER_MONTH
        reasoning = (
            f"fast execution ({mean_ms / 1000:.1f}s) with {consumers} downstream consumer(s); "
            "inline into consumer query to eliminate materialization overhead"
        )
    else:
        monthly = per_run * len(durations) * _DAYS_PER_MONTH
        once, each = monthly + _STORAGE_PER_MONTH, monthly * consumers
        verb = "cheaper" if once < each else "not cheaper"
        reasoning = (
            f"{consumers} downstream consumers; materializing once (${once:.4f}/mo) is {verb} than "
            f"recomputing for each (${each:.4f}/mo)"
        )
    return {
        "model_name": name,
        "current_strategy": "table",
        "recommended_strategy": recommended,
        "estimated_monthly_savings": savings,
        "reasoning": reasoning,
        "compute_cost_per_run": per_run,
        "storage_cost_per_month": _STORAGE_PER_MONTH,
        "downstream_references": consumers,
    }
