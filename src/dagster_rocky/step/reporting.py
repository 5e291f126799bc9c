"""What of the engine's news is told to Dagster, and when?"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import dagster as dg

from dagster_rocky import _dagster
from dagster_rocky.engine.invocation import RockyInvocation
from dagster_rocky.engine.news.events import (
    Built,
    Checked,
    Deviated,
    Drifted,
    EngineEvent,
    Failed,
    Noticed,
    Progress,
    Quarantined,
)
from dagster_rocky.planning.plan import Unit
from dagster_rocky.step import events
from dagster_rocky.step.checks import StepChecks
from dagster_rocky.step.events import StepEvent
from dagster_rocky.step.ledger import OutcomeLedger, Status
from dagster_rocky.step.metadata import LAUNCH, REASON, SELECTED, built_metadata
from dagster_rocky.step.names import EngineNames
from dagster_rocky.step.planned import plan_metadata
from dagster_rocky.step.run_checks import with_run_checks
from dagster_rocky.step.shadow import shadow_metadata, shadow_of
from dagster_rocky.vocabulary import EngineAsset

CodeVersions = Mapping[dg.AssetKey, str]
"""Code versions of the files as they are now, of assets whose state is older."""
_PROGRESS_SECONDS = 0.25
_PAGE = 100
"""How many materializations at once are looked through for the last one that is of the same tables, real or shadow."""
AnyEvent = TypeVar("AnyEvent", bound=EngineEvent)


class Reporter:
    """Makes Dagster events of engine events; what is told twice counts once.

    An asset is told by its partition's own key when the run has several partitions, so that nothing spreads over
    what was not built; otherwise as the step's result.

    Args:
        context: The step's.
        units: What the step owes an outcome for.
        ledger: Gets the outcome of what was built.
        code_versions: See `CodeVersions`.
        shadow: The suffix of the tables that the step writes instead of the real ones.
        launched: What the launch changed of the options.
    """

    def __init__(
        self,
        context: dg.OpExecutionContext,
        units: Sequence[Unit],
        ledger: OutcomeLedger,
        code_versions: CodeVersions | None = None,
        *,
        shadow: str | None = None,
        launched: Mapping[str, Any] | None = None,
    ) -> None:
        self._context, self._ledger, self._shadow = context, ledger, shadow
        self._selected = context.selected_asset_keys
        self._launched = {LAUNCH: dict(launched)} if launched else {}
        self._siblings: dict[dg.AssetKey, list[Unit]] = defaultdict(list)
        for unit in units:
            self._siblings[unit.asset.asset_key].append(unit)
        self._code_versions = code_versions or {}
        self._one_by_one = context.has_partition_key_range and len(context.partition_keys) > 1
        self._told: dict[Unit, dict[str, Any]] = {}
        self._once: set[tuple[object, ...]] = set()
        self._progress = _Progress(context, len(units))
        self.checks = StepChecks(context, self._siblings)
        self.claims: dict[Unit, str] = {}
        self.live_errors: dict[str, str] = {}

    def take(
        self, event: EngineEvent, names: EngineNames, invocation: RockyInvocation | None = None
    ) -> Iterator[StepEvent]:
        """What one piece of news means to Dagster.

        Args:
            event: The news.
            names: Of the run that it comes from.
            invocation: The run itself, for what its log lines told.
        """
        event = self._marked(_masked(event, invocation))
        match event:
            case Progress():
                self._take_progress(event, names)
            case Built():
                yield from self._take_built(event, names, invocation)
            case Checked():
                yield from self.checks.take_live(event, names)
            case Failed():
                self.live_errors[event.name] = event.error
                self._context.log.warning(f"rocky: {event.name} failed, for now: {_first_line(event.error)}")
            case Noticed():
                if self._first(("noticed", event.text)):
                    self._context.log.log(event.level, f"rocky: {event.text}")
            case Drifted(source="hook"):
                self._context.log.info(f"rocky: the source of {event.table} changed its columns")
            case Drifted() | Deviated() | Quarantined():
                yield from self._take_finding(event, names)

    def take_result(
        self, found: Iterable[EngineEvent], names: EngineNames, invocation: RockyInvocation
    ) -> Iterator[StepEvent]:
        """Everything that the JSON of one run tells."""
        checked: list[Checked] = []
        for event in with_run_checks(found, names):
            if isinstance(event, Checked):
                checked.append(self._marked(_masked(event, invocation)))
            else:
                yield from self.take(event, names, invocation)
        yield from self.checks.take_all(checked, names)

    def _marked(self, event: AnyEvent) -> AnyEvent:
        """A check's result in a shadow run, saying that it is of the shadow."""
        if self._shadow is None or not isinstance(event, Checked):
            return event
        return replace(event, detail={**event.detail, "shadow": self._shadow})

    def _take_progress(self, event: Progress, names: EngineNames) -> None:
        unit = names.unit(event.name, event.partition)
        if unit is not None and self._ledger.status(unit) is None:
            self.claims.setdefault(unit, event.source)
            self._progress.note(unit, event.duration_ms)

    def _take_built(
        self, event: Built, names: EngineNames, invocation: RockyInvocation | None
    ) -> Iterator[StepEvent]:
        event = _with_facts(event, invocation)
        unit = names.unit(event.name, event.partition)
        if unit is None:
            if event.source == "result":
                yield from self._take_extra(event, names)
            return
        if event.source != "result":
            self.claims.setdefault(unit, event.source)
        metadata = {
            **built_metadata(event),
            **self._of_step(unit.asset),
            **plan_metadata(names.run, unit.asset),
        }
        if unit in self._told:
            rest = {key: value for key, value in metadata.items() if key not in self._told[unit]}
            if event.source == "result" and rest and self._first(("completion", unit)):
                yield events.completion(unit, rest)
            return
        if self._ledger.note(unit, Status.MATERIALIZED):
            self._progress.note(unit, event.duration_ms)
            self._told[unit] = metadata
            yield self._tell(unit, Status.MATERIALIZED, metadata)
            yield from self._finish(unit)

    def _take_extra(self, event: Built, names: EngineNames) -> Iterator[StepEvent]:
        extra = names.extra(event.name, event.partition)
        if extra is None:
            self._context.log.warning(
                f"rocky: the engine built {event.name}, which the graph does not have; refresh the state"
            )
        elif self._first(("extra", event.name, event.partition)):
            yield events.extra_materialization(
                *extra,
                {
                    **built_metadata(event),
                    **self._of_step(extra[0]),
                    **plan_metadata(names.run, extra[0]),
                },
                self._tags(extra[0].asset_key, extra[0].code_version),
            )

    def _take_finding(
        self, event: Drifted | Deviated | Quarantined, names: EngineNames
    ) -> Iterator[StepEvent]:
        asset = names.asset(event.name if isinstance(event, Quarantined) else event.table)
        if asset is None:
            return
        match event:
            case Drifted():
                if self._first(("drift", asset.engine_key, event.action, event.reason)):
                    yield from events.drift(asset, event)
            case Deviated():
                yield events.deviation(asset, event)
            case Quarantined():
                yield events.quarantine(asset, event)
                unit = names.any_unit(event.name)
                if unit is not None and not event.ok:
                    reason = (
                        f"the rows could not be quarantined: {event.error or 'the engine gives no reason'}"
                    )
                    self._ledger.note(unit, Status.FAILED, reason)

    def unchanged(self, unit: Unit, reason: str) -> Iterator[StepEvent]:
        """A selected unit that the engine skipped; it keeps the data version of its own partition."""
        self._progress.note(unit, None)
        self._told[unit] = {}
        version = self._latest_version(unit)
        if unit.asset.kind != "quality":
            metadata = {REASON: reason, **self._of_step(unit.asset)}
            yield self._tell(unit, Status.UNCHANGED, metadata, version)
            yield from self._finish(unit)

    def is_known(self, unit: Unit) -> bool:
        """Whether Dagster has a materialization of a unit: of the real table, or of the same shadow."""
        return self._latest(unit) is not None

    def _tell(
        self, unit: Unit, status: Status, metadata: Mapping[str, Any], version: str | None = None
    ) -> StepEvent:
        key = unit.asset.asset_key
        newer = self._code_versions.get(key)
        is_selected = key in self._selected
        if not is_selected or (self._one_by_one and unit.partition is not None):
            tags = self._tags(key, newer or unit.asset.code_version, version)
            return events.partition_materialization(unit, status, metadata, tags)
        tags = self._tags(key, newer, version) if newer else {}
        kept = dg.DataVersion(version) if version else None
        return events.materialization(unit, status, metadata, kept, tags)

    def _finish(self, unit: Unit) -> Iterator[StepEvent]:
        """The output of an asset that is told one by one, once the last of its partitions is."""
        key = unit.asset.asset_key
        is_last = all(sibling in self._told for sibling in self._siblings[key])
        if self._one_by_one and unit.partition is not None and is_last and self._first(("output", key)):
            yield events.done_output(self._context, key)

    def _tags(
        self, key: dg.AssetKey, code_version: str | None, version: str | None = None
    ) -> Mapping[str, str]:
        return _dagster.version_tags(self._context, key, code_version, version)

    def _latest(self, unit: Unit) -> dg.AssetMaterialization | None:
        partitions = [unit.partition] if unit.partition is not None else None
        if partitions is None and self._context.has_partition_key:
            partitions = [self._context.partition_key]
        wanted = dg.AssetRecordsFilter(asset_key=unit.asset.asset_key, asset_partitions=partitions)
        return next((made for made in self._newest(wanted) if shadow_of(made) == self._shadow), None)

    def _newest(self, wanted: dg.AssetRecordsFilter) -> Iterator[dg.AssetMaterialization]:
        """Materializations, the newest first: mostly the first is the one, and else shadows are in between."""
        page = self._context.instance.fetch_materializations(wanted, limit=1)
        while True:
            yield from (
                record.asset_materialization for record in page.records if record.asset_materialization
            )
            if not page.has_more:
                return
            page = self._context.instance.fetch_materializations(wanted, limit=_PAGE, cursor=page.cursor)

    def _of_step(self, asset: EngineAsset) -> Mapping[str, Any]:
        """What a materialization of the step says: its shadow, what the launch changed, whether it was selected."""
        chosen = {} if asset.asset_key in self._selected else {SELECTED: False}
        return {**shadow_metadata(asset, self._shadow), **self._launched, **chosen}

    def _latest_version(self, unit: Unit) -> str | None:
        latest = self._latest(unit)
        return (latest.tags or {}).get(_dagster.DATA_VERSION_TAG) if latest else None

    def flush(self) -> None:
        """Writes the progress that waits to be joined with more."""
        self._progress.flush()

    def was_told(self, unit: Unit) -> bool:
        """Whether a unit was told as built or unchanged."""
        return unit in self._told

    def _first(self, what: tuple[object, ...]) -> bool:
        """Whether this is told for the first time."""
        if what in self._once:
            return False
        self._once.add(what)
        return True


class _Progress:
    """`[3/12] name in 1.2 s` for every unit, quick ones joined into one log event."""

    def __init__(self, context: dg.OpExecutionContext, total: int) -> None:
        self._context, self._total = context, total
        self._counted: set[Unit] = set()
        self._lines: list[str] = []
        self._written = float("-inf")

    def note(self, unit: Unit, duration_ms: int | None) -> None:
        if unit in self._counted or self._total < 2:
            return
        self._counted.add(unit)
        took = f" in {duration_ms / 1000:.1f} s" if duration_ms is not None else ""
        self._lines.append(f"rocky: [{len(self._counted)}/{self._total}] {unit}{took}")
        if time.monotonic() - self._written >= _PROGRESS_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self._lines:
            lines, self._lines = self._lines, []
            self._written = time.monotonic()
            self._context.log.info("\n".join(lines))


_MASKED = ("metadata", "detail", "facts", "reason", "error", "text")
"""What of an event people read, beside the names by which it finds its asset."""


def _masked(event: AnyEvent, invocation: RockyInvocation | None) -> AnyEvent:
    """The event without secrets in what people read of it."""
    if invocation is None:
        return event
    mask = invocation.masker.mask_all
    return replace(event, **{name: mask(getattr(event, name)) for name in _MASKED if hasattr(event, name)})


def _with_facts(event: Built, invocation: RockyInvocation | None) -> Built:
    """What is certain by now: a hook names the target; the run id of other news comes from the log lines.

    A hook's news gets nothing from the log, which buffered mode has not read yet: the modes would differ.
    """
    if event.source == "hook":
        is_target = event.name.count(".") == 2
        return replace(event, metadata={"target_table_full_name": event.name}) if is_target else event
    return event if event.run_id or invocation is None else replace(event, run_id=invocation.facts.run_id)


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]
