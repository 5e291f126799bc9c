"""What does the engine remark on what a step built? Its history and its advice, asked once for a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

import dagster as dg

from dagster_rocky import results
from dagster_rocky.engine.commands import EngineCommands
from dagster_rocky.graph.edges import Node, RockyGraph
from dagster_rocky.step import events
from dagster_rocky.step.body import RemarkOn
from dagster_rocky.step.events import StepEvent

Remarks = Mapping[str, Mapping[str, Any]]
"""Metadata by the name of the table, which is what the engine's history calls it (contract, section 8)."""
_SUCCESS = "success"


def remark_on(
    context: dg.AssetExecutionContext,
    resource: EngineCommands,
    graph: RockyGraph,
    built: Sequence[Node],
    wanted: Collection[str],
) -> Iterator[StepEvent]:
    """Observations of what was built, one for each asset that the engine has something to say of.

    A remark never fails a step: what cannot be had is logged. Tables of one name cannot be told apart and get none.

    Args:
        context: The step's.
        resource: The engine and its project; each command is asked once.
        graph: The component's.
        built: What the step built.
        wanted: `history`, `optimize`, or both.

    Yields:
        The observations.
    """
    if not built:
        return
    names = Counter(_table(asset.target) for asset in graph.universe)
    found = [_ask(context, name, ask) for name, ask in _sources(resource).items() if name in wanted]
    for node in built:
        name = _table(node.assets[0].target)
        if names[name] != 1:
            continue
        metadata = {key: value for remarks in found for key, value in remarks.get(name, {}).items()}
        if metadata:
            yield events.remark(node.spec.key, metadata)


def remarks_of(metadata: Collection[str]) -> RemarkOn | None:
    """What a step is told to remark on, by the component's `metadata`.

    Args:
        metadata: Its extras; those of other concerns are none of this one's.

    Returns:
        Nothing where none is wanted, so that nobody asks the engine.
    """
    wanted = frozenset(metadata) & {"history", "optimize"}
    if not wanted:
        return None
    return lambda context, resource, graph, built: remark_on(context, resource, graph, built, wanted)


def history_remarks(history: results.HistoryResult) -> Remarks:
    """How often each table was built in the runs that the engine remembers, and how long that took.

    Args:
        history: The output of `history`.

    Returns:
        Counts, and seconds of the builds that succeeded.

    Example:
        ```python
        past = {"runs": [{"models": [{"model_name": "daily", "duration_ms": 500, "status": "success"}]}]}
        history_remarks(results.HistoryResult.model_validate(past))
        # {'daily': {'rocky/history_builds': 1, 'rocky/history_failures': 0, 'rocky/history_mean_seconds': 0.5}}
        ```
    """
    seconds: dict[str, list[float]] = {}
    builds: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for run in history.runs:
        for model in run.models:
            times = seconds.setdefault(model.model_name, [])
            builds[model.model_name] += 1
            if model.status.strip('"').lower() == _SUCCESS:
                times.append((model.duration_ms or 0) / 1000)
            else:
                failures[model.model_name] += 1
    return {
        name: {
            "rocky/history_builds": builds[name],
            "rocky/history_failures": failures[name],
            **({"rocky/history_mean_seconds": round(fmean(times), 3)} if times else {}),
        }
        for name, times in seconds.items()
    }


def optimize_remarks(advice: results.OptimizeResult) -> Remarks:
    """What the engine advises for each table, as text and as numbers that Dagster plots.

    Args:
        advice: The output of `optimize`.

    Example:
        ```python
        advice = {"recommendations": [{"model_name": "daily", "recommended_strategy": "view", "reasoning": "fast"}]}
        optimize_remarks(results.OptimizeResult.model_validate(advice))
        # {'daily': {'rocky/optimize_strategy': 'view', 'rocky/optimize_reasoning': 'fast'}}
        ```
    """
    named = {
        "rocky/optimize_strategy": "recommended_strategy",
        "rocky/optimize_reasoning": "reasoning",
        "rocky/optimize_monthly_savings_usd": "estimated_monthly_savings",
        "rocky/optimize_cost_per_run_usd": "compute_cost_per_run",
    }
    return {
        one.model_name: {
            key: getattr(one, field) for key, field in named.items() if getattr(one, field) is not None
        }
        for one in advice.recommendations
    }


def _sources(resource: EngineCommands) -> Mapping[str, Callable[[], Remarks]]:
    return {
        "history": lambda: history_remarks(resource.history()),
        "optimize": lambda: optimize_remarks(resource.optimize()),
    }


def _ask(context: dg.AssetExecutionContext, command: str, ask: Callable[[], Remarks]) -> Remarks:
    try:
        return ask()
    except dg.Failure as failure:
        why = (failure.description or "").split("\n", 1)[0]
        context.log.warning(f"rocky: `rocky {command}` failed, so the assets go without its remarks: {why}")
        return {}


def _table(target: str | None) -> str:
    return (target or "").rsplit(".", 1)[-1]
