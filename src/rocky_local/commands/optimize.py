"""`rocky optimize`: which tables might be built differently, judged by their history."""

from statistics import fmean
from typing import Any

from rocky_local.args import Arguments
from rocky_local.output import Answer, head
from rocky_local.project.models import load_project
from rocky_local.state import reading

_NEEDED_RUNS = 5
_STORAGE_PER_MONTH = 0.0023
_COST_PER_MS = 2e-6
_DAYS_PER_MONTH = 30
_FAST_MS = 5_000
_FEW_CONSUMERS = 3
_NOTE = "Run `rocky compile --output json` for inferred incrementality hints on full_refresh models"


def run(args: Arguments) -> Answer:
    """Give a recommendation for each table that the history names."""
    durations: dict[str, list[int]] = {}
    with reading(args.state_file) as store:
        for entry in (entry for run in store.runs() for entry in run["models"]):
            durations.setdefault(entry["model_name"], []).append(entry["duration_ms"])
    consumers = load_project(args.models).dependents()
    wanted = args.get("model")
    found = [
        _recommendation(name, durations[name], len(consumers.get(name, ())))
        for name in sorted(durations)
        if wanted in (None, name)
    ]
    result = {"recommendations": found, "total_models_analyzed": len(found), "incrementality_note": _NOTE}
    return Answer({**head("optimize"), **result})


def _recommendation(name: str, durations: list[int], consumers: int) -> dict[str, Any]:
    mean_ms = fmean(durations)
    per_run = mean_ms * _COST_PER_MS
    inline = False
    if len(durations) < _NEEDED_RUNS:
        reasoning = f"insufficient history: {len(durations)} runs (need {_NEEDED_RUNS})"
    elif mean_ms < _FAST_MS and consumers < _FEW_CONSUMERS:
        inline = True
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
        "recommended_strategy": "ephemeral" if inline else "table",
        "estimated_monthly_savings": _STORAGE_PER_MONTH if inline else 0.0,
        "reasoning": reasoning,
        "compute_cost_per_run": per_run,
        "storage_cost_per_month": _STORAGE_PER_MONTH,
        "downstream_references": consumers,
    }
