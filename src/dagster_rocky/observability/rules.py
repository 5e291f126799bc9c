"""Are the project's rules about its data kept? `compliance` and `retention-status` as checks of models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from dagster_rocky.step import events
from dagster_rocky.step.asked import Ask, Asked, BesideCheck
from dagster_rocky.step.events import StepEvent
from dagster_rocky.vocabulary import Evaluator

if TYPE_CHECKING:
    from dagster_rocky.results import ComplianceException, ModelRetention


def ask_compliance(asked: Asked) -> Iterator[StepEvent]:
    """Whether every classified column of a model is masked, or allowed to be open.

    Args:
        asked: The checks; the engine is asked once for all models.

    Yields:
        A result for each.
    """
    env = asked.options.env

    def answer() -> Callable[[BesideCheck], StepEvent]:
        by_model: dict[str, list[ComplianceException]] = defaultdict(list)
        for found in asked.resource.compliance(env).exceptions:
            by_model[found.model].append(found)
        return lambda check: _compliance_result(check, by_model.get(check.asset.name, []))

    yield from _once(asked, "compliance", answer)


def ask_retention(asked: Asked) -> Iterator[StepEvent]:
    """Whether the warehouse keeps a model's data as long as the project says.

    Args:
        asked: The checks; the engine is asked once for all models.

    Yields:
        A result for each.
    """
    env = asked.options.env

    def answer() -> Callable[[BesideCheck], StepEvent]:
        by_model = {found.model: found for found in asked.resource.retention_status(env=env).models}
        return lambda check: _retention_result(check, by_model.get(check.asset.name))

    yield from _once(asked, "retention-status", answer)


def _once(
    asked: Asked, command: str, answer: Callable[[], Callable[[BesideCheck], StepEvent]]
) -> Iterator[StepEvent]:
    """One result for each check of what the engine says once; none of them passes when it cannot be asked."""
    try:
        told = answer()
    except dg.Failure as failure:
        asked.failures.append(failure)
        why = (failure.description or "").split("\n", 1)[0]
        asked.context.log.error(f"rocky: `rocky {command}` failed, so its checks were not evaluated: {why}")
        for check in asked.checks:
            yield events.beside_result(
                check.asset_key,
                check.declared,
                passed=False,
                not_evaluated=f"`rocky {command}` failed: {why}",
            )
        return
    for check in asked.checks:
        yield told(check)


def _compliance_result(check: BesideCheck, found: list[ComplianceException]) -> StepEvent:
    shown = [
        f"{one.column} ({one.env or 'every environment'}): {one.reason or 'not masked'}" for one in found
    ]
    return events.beside_result(
        check.asset_key,
        check.declared,
        passed=not found,
        metadata={"rocky/exceptions": shown, "rocky/exception_count": len(found)},
        description="; ".join(shown[:5]) or None,
    )


def _retention_result(check: BesideCheck, found: ModelRetention | None) -> StepEvent:
    if found is None:
        return events.beside_result(
            check.asset_key, check.declared, passed=False, not_evaluated="the engine does not know the model."
        )
    facts: dict[str, Any] = {
        "rocky/retention_configured_days": found.configured_days,
        "rocky/retention_warehouse_days": found.warehouse_days,
    }
    kept = f"{found.warehouse_days} days" if found.warehouse_days is not None else "no such limit"
    return events.beside_result(
        check.asset_key,
        check.declared,
        passed=found.in_sync is True,
        metadata={name: value for name, value in facts.items() if value is not None},
        description=None
        if found.in_sync
        else f"The project says {found.configured_days} days, the warehouse has {kept}.",
    )


RULES: Mapping[Evaluator, Ask] = {"compliance": ask_compliance, "retention": ask_retention}
"""By what evaluates a check: how the engine is asked."""
