"""Do the shadow tables of a step hold what the real ones hold? `compare`, as a check of each copied table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from dagster_rocky.planning.plan import Unit, plan_units
from dagster_rocky.planning.selection import component_value
from dagster_rocky.step import events
from dagster_rocky.step.asked import Ask, Asked, BesideCheck
from dagster_rocky.step.events import StepEvent
from dagster_rocky.vocabulary import EngineAsset, Evaluator

if TYPE_CHECKING:
    from dagster_rocky.results import ComparedTable

_NO_SHADOW = (
    "There is no shadow to compare: this run stands for the real tables. Launch with the option `shadow` and the "
    "suffix of a shadow run, or set run.shadow."
)
_ORDER = ("pass", "warn", "fail")


def ask_compare(asked: Asked) -> Iterator[StepEvent]:
    """Whether the shadow of each table has its rows and columns; after a run that wrote to the real tables, nothing.

    Args:
        asked: The checks; the engine is asked once for each engine run that copies these tables.

    Yields:
        A result for each.
    """
    suffix = asked.options.shadow_suffix
    if suffix is None:
        if not asked.built:
            asked.failures.append(dg.Failure(description=_NO_SHADOW, allow_retries=False))
        return
    tables = {check.key: _tables(check, asked.partitions) for check in asked.checks}
    wanted = {table.engine_key: table for found in tables.values() for table in found}
    found, failed = _compared(asked, list(wanted.values()), suffix)
    for check in asked.checks:
        yield _result(check, tables[check.key], found, failed, suffix)


def _tables(check: BesideCheck, partitions: Sequence[str]) -> list[EngineAsset]:
    """What of an asset is compared: those of its tables that stand for the step's partitions."""
    values = {component_value(check.node.spec.partitions_def, key) for key in partitions}
    return [
        asset
        for asset in check.node.assets
        if asset.partition_key is None or not values or asset.partition_key in values
    ]


def _compared(
    asked: Asked, tables: Sequence[EngineAsset], suffix: str
) -> tuple[Mapping[str, ComparedTable], Mapping[str, str]]:
    """What the engine says, by real table; and of the tables that it could not be asked for, why."""
    universe = asked.graph.universe
    several = len({asset.pipeline for asset in universe}) > 1
    found: dict[str, ComparedTable] = {}
    failed: dict[str, str] = {}
    for run in plan_units([Unit(table) for table in tables], universe):
        pipeline = run.request.pipeline if several else None
        try:
            result = asked.resource.compare(run.request.filter, pipeline=pipeline, shadow_suffix=suffix)
        except dg.Failure as failure:
            asked.failures.append(failure)
            why = (failure.description or "").split("\n", 1)[0]
            asked.context.log.error(f"rocky: `rocky compare` failed, so its checks were not evaluated: {why}")
            failed |= {asset.target or "": why for asset in run.assets}
        else:
            found |= {table.production_table: table for table in result.results}
    return found, failed


def _result(
    check: BesideCheck,
    tables: Sequence[EngineAsset],
    found: Mapping[str, ComparedTable],
    failed: Mapping[str, str],
    suffix: str,
) -> StepEvent:
    """The worst of the verdicts on an asset's tables."""
    compared: list[ComparedTable] = []
    for table in tables:
        target = table.target or ""
        one = found.get(target) or found.get(target.partition(".")[2])
        if one is None:
            why = failed.get(target)
            missing = f"`rocky compare` failed: {why}" if why else f"the engine did not compare {target}."
            return events.beside_result(check.asset_key, check.declared, passed=False, not_evaluated=missing)
        compared.append(one)
    verdict = max((_verdict(one) for one in compared), key=_ORDER.index)
    return events.beside_result(
        check.asset_key,
        check.declared,
        passed=verdict == "pass",
        severity="warning" if verdict == "warn" else None,
        metadata={"rocky/shadow": suffix, "rocky/verdict": verdict, "rocky/compared": _rows(compared)},
        description="; ".join(_said(one) for one in compared if _verdict(one) != "pass") or None,
    )


def _verdict(one: ComparedTable) -> str:
    """A verdict that is not known is a failure."""
    word = one.verdict.casefold()
    return word if word in _ORDER else "pass" if word == "passed" else "fail"


def _rows(compared: Sequence[ComparedTable]) -> dg.TableMetadataValue:
    """One row for each table, with all figures that the engine gives, whatever they are called."""
    rows = [_facts(one) for one in compared]
    names = dict.fromkeys(name for row in rows for name in row)
    return dg.MetadataValue.table(
        [dg.TableRecord({name: row.get(name, "") for name in names}) for row in rows]
    )


def _facts(one: ComparedTable) -> dict[str, str]:
    return {name: _text(value) for name, value in one.model_dump().items()}


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return "; ".join(map(str, value))
        case _:
            return str(value)


def _said(one: ComparedTable) -> str:
    facts = _facts(one)
    names = facts.keys() - {"production_table", "shadow_table", "verdict"}
    return f"{one.production_table}: " + ", ".join(f"{name} {facts[name]}" for name in facts if name in names)


COMPARISONS: Mapping[Evaluator, Ask] = {"compare": ask_compare}
"""By what evaluates a check: how the engine is asked."""
