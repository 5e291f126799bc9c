"""What does the JSON of a run tell, as the same events that hooks and Pipes messages give?"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dagster_rocky.engine.news.events import (
    Breached,
    Built,
    Checked,
    Deviated,
    Drifted,
    EngineEvent,
    Noticed,
    Quarantined,
)

if TYPE_CHECKING:
    from dagster_rocky.results import RunResult
    from dagster_rocky.results.costs import ModelCost
    from dagster_rocky.results.failures import Attempt

_ABOUT_THE_TABLE = frozenset({"asset_key", "metadata", "partition", "duration_ms", "started_at"})


def events_of_result(result: RunResult) -> Iterator[EngineEvent]:
    """Everything that a run built, checked, found and noticed, in the order of its JSON.

    A table's row count is what its `row_count` check counted in the target, where the engine copied without counting.
    """
    yield from _built(result)
    for checked in result.check_results:
        for outcome in checked.checks:
            yield Checked(
                source="result",
                name="/".join(checked.asset_key),
                check=outcome.name,
                passed=outcome.passed,
                severity=outcome.severity.lower(),
                detail=outcome.details,
            )
    for action in result.drift.actions_taken:
        yield Drifted(source="result", table=action.table, action=action.action, reason=action.reason)
    for found in result.anomalies:
        facts = found.model_dump(exclude={"table", "reason"}, exclude_none=True)
        yield Deviated(source="result", table=found.table, reason=found.reason, facts=facts)
    for rows in result.quarantine:
        facts = rows.model_dump(exclude={"asset_key", "ok", "error"}, exclude_none=True)
        error = rows.error or ""
        yield Quarantined(
            source="result",
            name="/".join(rows.asset_key),
            ok=rows.ok is not False and not error,
            error=error,
            facts=facts,
        )
    for breach in result.budget_breaches:
        yield Breached(
            source="result", limit_type=breach.limit_type, limit=breach.limit, actual=breach.actual
        )
    yield from _notices(result)


def _built(result: RunResult) -> Iterator[Built]:
    counted = dict(_row_counts(result))
    costs = {tuple(cost.asset_key): cost.cost_usd for cost in _costs(result)}
    for built in result.materializations:
        metadata = built.metadata.model_dump(exclude_none=True)
        metadata |= built.model_dump(exclude=set(_ABOUT_THE_TABLE), exclude_none=True)
        if built.rows_copied is None and built.partition is None:
            count = counted.get("/".join(built.asset_key))
            metadata |= {"row_count": count} if count is not None else {}
        cost = built.cost_usd or costs.get(tuple(built.asset_key))
        metadata.pop("cost_usd", None)
        metadata |= {"cost_usd": cost} if cost else {}
        yield Built(
            source="result",
            name="/".join(built.asset_key),
            partition=built.partition.key if built.partition else None,
            duration_ms=built.duration_ms,
            run_id=result.run_id,
            metadata=metadata,
        )


def _costs(result: RunResult) -> list[ModelCost]:
    return list(result.cost_summary.per_model) if result.cost_summary else []


def _row_counts(result: RunResult) -> Iterator[tuple[str, int]]:
    for checked in result.check_results:
        for outcome in checked.checks:
            count = outcome.details.get("target_count")
            if outcome.name == "row_count" and isinstance(count, int):
                yield "/".join(checked.asset_key), count


def _notices(result: RunResult) -> Iterator[Noticed]:
    """What is about no single table: overrides, scheduling, budgets, grants, attempts, partitions that failed."""
    for warning in result.override_warnings:
        yield Noticed(source="result", level=logging.INFO, text=f"table override: {warning.message}")
    for note in result.scheduling_warnings:
        yield Noticed(source="result", level=logging.WARNING, text=f"scheduling: {note}")
    for breach in result.budget_breaches:
        text = ", ".join(
            f"{name} {value}" for name, value in breach.model_dump().items() if value is not None
        )
        yield Noticed(source="result", level=logging.WARNING, text=f"budget exceeded: {text}")
    granted = {
        name: value for name, value in result.permissions.changes().items() if name.startswith("grants")
    }
    text = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in granted.items())
    if text:
        yield Noticed(source="result", level=logging.INFO, text=f"permissions: {text}")
    for summary in result.partition_summaries:
        if summary.partitions_failed:
            text = f"{summary.model}: {summary.partitions_failed} of {summary.partitions_planned} partitions failed"
            yield Noticed(source="result", level=logging.WARNING, text=text)
    for what, attempts in _tried(result):
        if len(attempts) > 1:
            yield Noticed(source="result", level=logging.INFO, text=f"{what}: {len(attempts)} attempts")
    if result.cost_summary and result.cost_summary.total_cost_usd:
        text = f"the run cost {result.cost_summary.total_cost_usd:.4f} US dollars"
        yield Noticed(source="result", level=logging.INFO, text=text)


def _tried(result: RunResult) -> Iterator[tuple[str, Sequence[Attempt]]]:
    """What the engine tried several times beside what it built, which has its number of attempts itself."""
    yield "the run", result.attempts
    for error in result.errors:
        yield "/".join(error.asset_key) or error.error.split("\n", 1)[0][:200], error.attempts
