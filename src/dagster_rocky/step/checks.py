"""The check results of one step: each declared check once, and a word about those without a result."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import dagster as dg

from dagster_rocky.engine.news.events import Checked
from dagster_rocky.planning.plan import Unit
from dagster_rocky.step import events
from dagster_rocky.step.names import EngineNames


class StepChecks:
    """Takes what the engine evaluated and gives what Dagster takes.

    Args:
        context: The step's context, which says what checks are selected.
        siblings: The units of each asset: the results of several partitions become one.
    """

    def __init__(
        self, context: dg.AssetExecutionContext, siblings: Mapping[dg.AssetKey, Sequence[Unit]]
    ) -> None:
        self._selected = context.selected_asset_check_keys
        self._siblings = siblings
        self._held: dict[dg.AssetCheckKey, list[tuple[str | None, dg.AssetCheckResult]]] = defaultdict(list)
        self._seen: set[tuple[Unit, str]] = set()
        self._told: set[tuple[str, ...]] = set()

    def take(self, event: Checked, names: EngineNames) -> Iterator[dg.AssetCheckResult | dg.AssetObservation]:
        """One evaluated check; what was told before is passed over."""
        unit = names.unit_of_check(event.name)
        if unit is None or (unit, event.check) in self._seen:
            return
        self._seen.add((unit, event.check))
        declared = events.find_check(unit.asset, event.check)
        if declared is None:
            yield events.undeclared_check(unit.asset, event)
            return
        key = dg.AssetCheckKey(unit.asset.asset_key, declared.name)
        if key not in self._selected:
            return
        result = events.check_result(unit.asset, declared, event)
        if len(self._siblings[unit.asset.asset_key]) > 1:
            self._held[key].append((unit.partition, result))
        else:
            yield result

    def merged(self) -> Iterator[dg.AssetCheckResult]:
        """At the end of the step: one result for each check of an asset with several partitions."""
        for results in self._held.values():
            yield events.merged_check_result(results)

    def without_result(self, built: Iterable[Unit]) -> Iterator[dg.AssetObservation]:
        """Selected checks of built assets that the engine said nothing about."""
        done = {
            (unit.asset.engine_key, declared.name)
            for unit, name in self._seen
            if (declared := events.find_check(unit.asset, name))
        }
        for unit in built:
            missing = [
                declared.name
                for declared in unit.asset.checks
                if dg.AssetCheckKey(unit.asset.asset_key, declared.name) in self._selected
                and (unit.asset.engine_key, declared.name) not in done
            ]
            if missing and unit.asset.engine_key not in self._told:
                self._told.add(unit.asset.engine_key)
                yield events.checks_not_evaluated(unit.asset, missing)
