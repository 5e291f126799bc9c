"""Which events does Dagster need of what a step tells? The fewest that leave the same behind.

Dagster stores an output for every result of an asset or a check, and looks up an asset's record for every check. Here
an output is kept only where another step of the same run waits for it, and records are looked up together.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg

from dagster_rocky import _dagster
from dagster_rocky.step import events
from dagster_rocky.step.events import StepEvent


def recorded(context: dg.OpExecutionContext, told: Iterable[StepEvent]) -> Iterator[StepEvent]:
    """Replaces results by the materializations and evaluations that Dagster makes of them.

    Args:
        context: The step's.
        told: What the step tells.

    Yields:
        The same, in the same order; what was yielded is stored when the next is asked for. What was told is also
        recorded where an interruption comes at that moment.

    Example:
        >>> @dg.multi_asset(specs=[dg.AssetSpec("orders", skippable=True)])
        ... def orders(context: dg.AssetExecutionContext):
        ...     yield from recorded(context.op_execution_context, [dg.MaterializeResult(asset_key="orders")])
        >>> run = dg.materialize([orders], instance=dg.DagsterInstance.ephemeral())
        >>> len(run.asset_materializations_for_node("orders"))
        1
        >>> [event for event in run.all_events if event.is_successful_output]
        []
    """
    recording = _Recording(context)
    _dagster.silence_omitted_outputs(context)
    for event in told:
        found: list[StepEvent] | None = None
        try:
            found = list(recording.take(event))
        except dg.DagsterExecutionInterruptedError:
            _dagster.interrupt_later()
        # Again only when the error is gone: it keeps alive what it interrupted, which may hold the storage's lock.
        yield from list(recording.take(event)) if found is None else found


class _Recording:
    def __init__(self, context: dg.OpExecutionContext) -> None:
        self._context, self._assets = context, context.assets_def
        self._needed = _dagster.outputs_needed_later(context)
        self._needed_names = frozenset(self._needed.values())
        self._output_names = {key: name for name, key in self._assets.keys_by_output_name.items()}
        selected = context.selected_asset_check_keys
        self._checks = {spec.key: spec for spec in self._assets.check_specs if spec.key in selected}
        self._upstream = {
            spec.key: {dep.asset_key for dep in spec.deps if dep.asset_key in self._output_names}
            for spec in self._assets.specs
            if spec.key in self._output_names
        }
        checked = {key.asset_key for key in self._checks}
        self._looked_up = checked.union(*self._upstream.values())
        # Assets whose latest record has not been looked up since it was stored.
        self._stale = checked - self._output_names.keys()
        self._targets: dict[dg.AssetKey, Any] = {}

    def take(self, event: StepEvent) -> Iterator[StepEvent]:
        match event:
            case dg.MaterializeResult():
                yield from self._take_result(event)
            case dg.AssetCheckResult():
                yield from self._take_check(event)
            case dg.AssetMaterialization():
                self._note(event.asset_key)
                yield event
            case dg.Output():
                if event.output_name in self._needed_names:
                    yield event
            case _:
                yield event

    def _take_result(self, result: dg.MaterializeResult[Any]) -> Iterator[StepEvent]:
        key = result.asset_key
        name = self._output_names.get(key) if key is not None else None
        if key is None or name is None:
            yield result
            return
        if self._upstream[key] & self._stale:
            self._look_up()
        if key in self._needed:
            yield result
        else:
            yield from _dagster.materializations_of(self._context, key, name, result)
        self._note(key)

    def _note(self, key: dg.AssetKey) -> None:
        """An asset has a new record."""
        self._targets.pop(key, None)
        if key in self._looked_up:
            self._stale.add(key)

    def _look_up(self) -> None:
        _dagster.fetch_materialized(self._context, sorted(self._stale, key=str))
        self._stale.clear()

    def _take_check(self, result: dg.AssetCheckResult) -> Iterator[StepEvent]:
        key = dg.AssetCheckKey(result.asset_key or dg.AssetKey([]), result.check_name or "")
        spec = self._checks.get(key)
        if spec is None:
            yield result
            return
        if key in self._needed:
            yield events.check_output(self._needed[key])
        has_partition = self._context.has_partition_key
        yield events.check_evaluation(
            result,
            key,
            blocking=spec.blocking,
            partition=self._context.partition_key if has_partition and spec.partitions_def else None,
            target=self._target(result, key),
        )

    def _target(self, result: dg.AssetCheckResult, key: dg.AssetCheckKey) -> Any:
        """The materialization that all checks of an asset are evaluated on."""
        asset = key.asset_key
        if asset not in self._targets:
            if asset in self._stale and not self._context.has_partition_key:
                self._look_up()
            self._targets[asset] = _dagster.check_target(self._context, result, key)
        return self._targets[asset]
