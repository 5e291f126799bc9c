"""Which sources were synced again, and which runs does that ask for?"""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

import dagster as dg

from dagster_rocky._dagster import code_location
from dagster_rocky.automation.cursor import NEVER_SEEN, SourceCursor
from dagster_rocky.engine.commands import EngineCommands
from dagster_rocky.graph.edges import Node, RockyGraph
from dagster_rocky.graph.partitioning import latest_key
from dagster_rocky.resource import RockyResource
from dagster_rocky.step.events import source_synced

if TYPE_CHECKING:
    from dagster_rocky.results import DiscoverResult

Per = Literal["source", "pipeline"]
SENSOR_TAG = "rocky/sensor"
LOCATION_TAG = "rocky/location"
"""Of a run: the code location of the sensor that requested it. Another may have a sensor of the same name."""
SOURCES_TAG = "rocky/sources"
SYNCED_TAG = "rocky/synced_at"
_TAG_CHARACTERS = 200
_SHOWN = 5


class Watched(Protocol):
    """What a sensor needs of a component."""

    @property
    def resource(self) -> RockyResource:
        """The engine and its project."""

    @property
    def graph(self) -> RockyGraph:
        """Its assets; known once its definitions are built."""


@dataclass(frozen=True)
class _Moved:
    """A source that was synced since the last tick, with its assets."""

    pipeline: str
    source: str
    synced_at: str
    nodes: tuple[Node, ...]


@dataclass
class _Tick:
    """What one tick found, for its one line."""

    moved: list[_Moved] = field(default_factory=list)
    quiet: int = 0
    silent: int = 0
    remembered: int = 0
    notes: list[str] = field(default_factory=list)


def build_rocky_source_sensor(
    component: Watched,
    *,
    name: str = "rocky_sources",
    per: Per = "source",
    interval_seconds: int = 300,
    tick_seconds: float = 45,
    max_runs_in_flight: int | None = None,
    request_runs: bool = True,
    tags: Mapping[str, str] | None = None,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.STOPPED,
) -> dg.SensorDefinition:
    """Makes a sensor that asks the engine for its sources and requests runs for those that were synced again.

    A first tick remembers what is there and requests nothing. A source that cannot be discovered at the moment is
    neither taken for synced nor for gone. A tick never fails: what went wrong is in its reason.

    Args:
        component: A component whose definitions are built.
        name: Of the sensor; its runs carry it in the tag `rocky/sensor`.
        per: One run for each source, or one for all synced sources of a pipeline.
        interval_seconds: Between two ticks, at least.
        tick_seconds: How long one tick may ask the engine; pipelines that it did not get to are first in the next.
        max_runs_in_flight: How many runs of this sensor may be unfinished; the rest is requested later.
        request_runs: Whether runs are requested; if not, only source assets are told of their syncs.
        tags: For every requested run.
        default_status: Whether it runs without being switched on.

    Returns:
        The sensor. Each run selects the owned tables of its sources, in the partition that stands for the source.

    Example:
        ```python
        from dagster_rocky import RockyComponent, build_rocky_definitions

        component = RockyComponent(config_path="flights/rocky.toml", binary_path="rocky-local")
        defs = build_rocky_definitions(component)
        sensor = build_rocky_source_sensor(component, name="syncs", max_runs_in_flight=4)
        sensor.name  # 'syncs'
        ```
    """
    by_source = _nodes_by_source(component.graph)
    keys = {node.spec.key for sources in by_source.values() for nodes in sources.values() for node in nodes}

    @dg.sensor(
        name=name,
        target=dg.AssetSelection.assets(*sorted(keys)),
        minimum_interval_seconds=interval_seconds,
        default_status=default_status,
        description="Requests runs for the sources that were synced again.",
    )
    def source_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        cursor, note = SourceCursor.read(context.cursor)
        tick = _Tick(notes=[note] if note else [])
        for pipeline, found in _discover(component.resource, by_source, cursor, tick, tick_seconds):
            _compare(pipeline, found, by_source[pipeline], cursor, tick)
        groups = _grouped(tick.moved, per)
        mark = {SENSOR_TAG: name}
        if location := code_location(context):
            mark[LOCATION_TAG] = location
        allowed = _allowed(context.instance, mark, max_runs_in_flight) if request_runs else None
        taken = groups if allowed is None else list(_with_room(groups, allowed))
        if waiting := sum(map(len, groups)) - sum(map(len, taken)):
            tick.notes.append(f"{waiting} more wait: max_runs_in_flight is {max_runs_in_flight}")
        taken_now = [moved for group in taken for moved in group]
        for moved in taken_now:
            cursor.synced.setdefault(moved.pipeline, {})[moved.source] = moved.synced_at
        requests = (
            [request for group in taken for request in _requests(group, name, {**(tags or {}), **mark})]
            if request_runs
            else []
        )
        synced = [
            (moved, component.graph.source_keys.get((moved.pipeline, moved.source), ()))
            for moved in taken_now
        ]
        reason = _one_line(tick)
        if requests and tick.notes:
            context.log.warning(f"rocky: {reason}")
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else reason,
            cursor=cursor.write(),
            asset_events=[source_synced(key, moved.synced_at) for moved, keys in synced for key in keys],
        )

    return source_sensor


def _nodes_by_source(graph: RockyGraph) -> dict[str, dict[str, tuple[Node, ...]]]:
    found: dict[str, dict[str, list[Node]]] = {}
    for node in graph.nodes.values():
        for asset in node.assets:
            if asset.kind == "table" and asset.pipeline and asset.source_id:
                found.setdefault(asset.pipeline, {}).setdefault(asset.source_id, []).append(node)
    return {name: {key: tuple(nodes) for key, nodes in sources.items()} for name, sources in found.items()}


def _discover(
    resource: RockyResource,
    by_source: Mapping[str, object],
    cursor: SourceCursor,
    tick: _Tick,
    tick_seconds: float,
) -> Iterator[tuple[str, "DiscoverResult"]]:
    """One engine process for each pipeline, until the tick's time is up; a failing one is a note."""
    names = list(by_source)
    if cursor.next_pipeline in names:
        first = names.index(cursor.next_pipeline)
        names = names[first:] + names[:first]
    deadline = time.monotonic() + tick_seconds
    cursor.next_pipeline = None
    for name in names:
        left = deadline - time.monotonic()
        if left <= 0:
            cursor.next_pipeline = name
            tick.notes.append(f"no time was left for pipeline {name}; it is first in the next tick")
            return
        try:
            found = _within(resource, left).discover(name)
        except (dg.Failure, OSError, ValueError) as failure:
            text = getattr(failure, "description", None) or str(failure) or "the engine failed"
            tick.notes.append(f"pipeline {name} could not be discovered: {text.split(chr(10), 1)[0]}")
        else:
            yield name, found


def _within(resource: RockyResource, seconds: float) -> EngineCommands:
    limit = min(seconds, resource.timeout_seconds)
    return RockyResource(**{**resource.model_dump(), "timeout_seconds": limit})


def _compare(
    pipeline: str,
    found: "DiscoverResult",
    known: Mapping[str, tuple[Node, ...]],
    cursor: SourceCursor,
    tick: _Tick,
) -> None:
    """What of one pipeline moved; the cursor forgets what is gone, and keeps what only could not be seen."""
    is_first = pipeline not in cursor.synced
    seen = cursor.synced.setdefault(pipeline, {})
    failed = {lost.id for lost in found.failed_sources}
    for lost in found.failed_sources:
        if is_first:
            seen[lost.id] = NEVER_SEEN
        tick.notes.append(f"source {lost.id} could not be seen ({lost.error_class}: {lost.message})")
    if unknown := sorted({source.id for source in found.sources} - known.keys()):
        tick.notes.append(f"not in the graph: {_listed(unknown)}; refresh the state if they should be")
    for source in found.sources:
        if source.id not in known:
            continue
        if source.last_sync_at is None:
            tick.silent += 1
        elif is_first or seen.get(source.id) == NEVER_SEEN:
            seen[source.id] = source.last_sync_at
            tick.remembered += 1
        elif _same_instant(seen.get(source.id), source.last_sync_at):
            tick.quiet += 1
        else:
            tick.moved.append(_Moved(pipeline, source.id, source.last_sync_at, known[source.id]))
    there = {source.id for source in found.sources} | failed
    for gone in [name for name in seen if name not in there]:
        del seen[gone]


def _same_instant(before: str | None, now: str) -> bool:
    """Whether two texts mean one time: an engine may write it in several ways."""
    if before is None or before == now:
        return before == now
    try:
        return datetime.fromisoformat(before) == datetime.fromisoformat(now)
    except ValueError:
        return False


def _grouped(moved: Sequence[_Moved], per: Per) -> list[list[_Moved]]:
    if per == "source":
        return [[one] for one in moved]
    groups: dict[str, list[_Moved]] = {}
    for one in moved:
        groups.setdefault(one.pipeline, []).append(one)
    return list(groups.values())


def _with_room(groups: Sequence[Sequence[_Moved]], allowed: int) -> Iterator[list[_Moved]]:
    """The sources whose runs are allowed: those of one group may be in several partitions, a run each."""
    for group in groups:
        taken: list[_Moved] = []
        for moved in group:
            if len(list(_requests([*taken, moved], "", {}))) <= allowed:
                taken.append(moved)
        if taken:
            allowed -= len(list(_requests(taken, "", {})))
            yield taken


def _allowed(instance: dg.DagsterInstance, mark: Mapping[str, str], limit: int | None) -> int | None:
    """How many runs may be added; only unfinished ones that this sensor requested, and so marked, count."""
    if limit is None:
        return None
    mine = dg.RunsFilter(tags=mark, statuses=_UNFINISHED)
    return max(0, limit - len(instance.get_run_records(mine, limit=limit)))


_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def _requests(group: Sequence[_Moved], name: str, tags: Mapping[str, str]) -> Iterator[dg.RunRequest]:
    """One run; where tables have partitions, one for each partition that stands for one of the sources."""
    selected: dict[str | None, dict[dg.AssetKey, None]] = {}
    for moved in group:
        for node in moved.nodes:
            values = {asset.partition_key for asset in node.assets if asset.source_id == moved.source}
            for value in values:
                key = latest_key(node.spec.partitions_def, value)
                selected.setdefault(key, {})[node.spec.key] = None
    sources = sorted(moved.source for moved in group)
    synced = max(moved.synced_at for moved in group)
    what = "\n".join(sorted(f"{moved.pipeline} {moved.source} {moved.synced_at}" for moved in group))
    digest = hashlib.sha256(what.encode()).hexdigest()[:16]
    for partition, keys in selected.items():
        yield dg.RunRequest(
            run_key=f"{name}:{digest}:{partition or ''}",
            asset_selection=list(keys),
            partition_key=partition,
            tags={
                **tags,
                SOURCES_TAG: ", ".join(sources)[:_TAG_CHARACTERS],
                SYNCED_TAG: synced,
            },
        )


def _one_line(tick: _Tick) -> str:
    counted = {
        "were synced again": len(tick.moved),
        "have not moved": tick.quiet,
        "tell no last sync": tick.silent,
        "are remembered, and requested when they move": tick.remembered,
    }
    said = [f"{number} sources {what}" for what, number in counted.items() if number]
    return "; ".join([*said, *tick.notes]) or "there is no source to look at"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
