"""Which declared check does each result of the engine belong to, and which declared checks got none?"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import dagster as dg

from dagster_rocky.engine.news.events import Checked
from dagster_rocky.planning.plan import Unit
from dagster_rocky.step import events
from dagster_rocky.step.names import EngineNames
from dagster_rocky.vocabulary import CheckDeclaration, EngineAsset, EngineKey, check_name

_CheckEvent = dg.AssetCheckResult | dg.AssetObservation


class StepChecks:
    """Takes what the engine evaluated and gives what Dagster takes, each declared check once.

    Assertions without names share their engine name: their results are told apart by their order, which is the
    project's (contract, section 18). Where the numbers do not fit, the worst result counts for all of them.

    Args:
        context: The step's context, which says what checks are selected.
        siblings: The units of each asset: the results of several partitions become one.
    """

    def __init__(
        self, context: dg.OpExecutionContext, siblings: Mapping[dg.AssetKey, Sequence[Unit]]
    ) -> None:
        self._selected = context.selected_asset_check_keys
        self._siblings = siblings
        self._held: dict[dg.AssetCheckKey, list[tuple[str | None, dg.AssetCheckResult]]] = defaultdict(list)
        self._done: set[tuple[Unit, str]] = set()
        self._live: set[tuple[Unit, str]] = set()
        self._waiting: dict[tuple[Unit, str], list[Checked]] = {}
        self._told: set[tuple[EngineKey, str]] = set()
        self._told_open: set[dg.AssetKey] = set()
        self.failed: list[str] = []
        """Selected checks of severity error that did not pass."""
        self.failed_outside: list[str] = []
        """The same of checks that nobody selected."""

    def take_live(self, event: Checked, names: EngineNames) -> Iterator[_CheckEvent]:
        """A result that was reported while the engine runs; one of several of its name waits for the others."""
        unit = names.any_unit(event.name)
        if unit is None or (unit, event.check) in self._done:
            return
        declared = _declared(unit.asset, event.check)
        if len(declared) != 1 or declared[0].shared:
            self._waiting.setdefault((unit, event.check), []).append(event)
            return
        if (unit, event.check) not in self._live:
            self._live.add((unit, event.check))
            yield from self._tell(unit, event.check, [event])

    def take_all(self, found: Sequence[Checked], names: EngineNames) -> Iterator[_CheckEvent]:
        """All results of one engine run, from its JSON."""
        grouped: dict[tuple[Unit, str], list[Checked]] = defaultdict(list)
        sharing = _sharing(names.run.units)
        for event in found:
            unit = names.any_unit(event.name)
            for one in sharing.get(event.check) or ([unit] if unit else []):
                grouped[one, event.check].append(event)
        for (unit, check), group in grouped.items():
            self._waiting.pop((unit, check), None)
            if (unit, check) in self._done:
                continue
            self._done.add((unit, check))
            if (unit, check) not in self._live:
                yield from self._tell(unit, check, group)

    def take_waiting(self, names: EngineNames) -> Iterator[_CheckEvent]:
        """Live results that waited for the JSON of a run that ended without one."""
        waiting = [event for group in self._waiting.values() for event in group]
        self._waiting.clear()
        yield from self.take_all(waiting, names)

    def _tell(self, unit: Unit, check: str, group: Sequence[Checked]) -> Iterator[_CheckEvent]:
        declared = _declared(unit.asset, check)
        if not declared:
            for event in group:
                yield events.undeclared_check(unit.asset, event)
            return
        if len(declared) == len(group):
            pairs = list(zip(sorted(declared, key=lambda one: one.occurrence), group, strict=True))
        else:
            worst = min(group, key=lambda event: (event.passed, event.severity.startswith("warn")))
            pairs = [(one, worst) for one in declared]
        for one, event in pairs:
            key = dg.AssetCheckKey(unit.asset.asset_key, one.name)
            self._told.add((unit.asset.engine_key, one.name))
            if not event.passed and not event.severity.startswith("warn"):
                (self.failed if key in self._selected else self.failed_outside).append(key.to_user_string())
            if key not in self._selected:
                continue
            result = events.check_result(unit.asset, one, event)
            if len(self._siblings[unit.asset.asset_key]) > 1:
                self._held[key].append((unit.partition, result))
            else:
                yield result

    def merged(self) -> Iterator[dg.AssetCheckResult]:
        """At the end of the step: one result for each check of an asset with several partitions."""
        held, self._held = self._held, defaultdict(list)
        for results in held.values():
            yield events.merged_check_result(results)

    def missing(self, unit: Unit) -> list[CheckDeclaration]:
        """Selected checks of a unit that the engine has said nothing about."""
        return [
            declared
            for declared in unit.asset.checks
            if dg.AssetCheckKey(unit.asset.asset_key, declared.name) in self._selected
            and (unit.asset.engine_key, declared.name) not in self._told
        ]

    def without_result(self, built: Iterable[Unit], *, may_block: bool) -> Iterator[_CheckEvent]:
        """Selected checks of built assets without a result: a blocking one blocks, the others are told as open."""
        for unit in built:
            key = unit.asset.asset_key
            missing = self.missing(unit)
            if not missing or key in self._told_open:
                continue
            self._told_open.add(key)
            blocking = [declared for declared in missing if declared.blocking and may_block]
            for declared in blocking:
                yield events.check_without_result(unit.asset, declared)
            others = [declared.name for declared in missing if declared not in blocking]
            if others:
                why = "The engine gave no result for these checks; they have neither passed nor failed."
                yield events.checks_not_evaluated(key, others, why)


def _declared(asset: EngineAsset, engine_name: str) -> list[CheckDeclaration]:
    """The declared checks of an engine name; Pipes may have it in Dagster's spelling."""
    by_name = [declared for declared in asset.checks if declared.engine_name == engine_name]
    spelled = check_name(engine_name)
    return by_name or [declared for declared in asset.checks if declared.name == spelled]


def _sharing(units: Iterable[Unit]) -> Mapping[str, list[Unit]]:
    """By the engine's name of a check that is one for several assets: a unit of each of them."""
    found: dict[str, dict[EngineKey, Unit]] = defaultdict(dict)
    for unit in units:
        for declared in unit.asset.checks:
            if declared.shared:
                found[declared.engine_name].setdefault(unit.asset.engine_key, unit)
    return {name: list(sharing.values()) for name, sharing in found.items()}
