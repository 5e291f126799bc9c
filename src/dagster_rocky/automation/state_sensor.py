"""Has the project, or what it reads, moved away from the defs state?"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from dagster_rocky.project.refresh import discover_again
from dagster_rocky.project.snapshot import Pipeline, ProjectSnapshot
from dagster_rocky.project.state import describe_staleness
from dagster_rocky.resource import RockyResource

_SHOWN = 5


def build_rocky_state_sensor(
    resource: RockyResource,
    snapshot: ProjectSnapshot,
    *,
    name: str = "rocky_state",
    interval_seconds: int = 3600,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.STOPPED,
) -> dg.SensorDefinition:
    """Makes a sensor that compares the files on disk and the sources in the warehouse with the defs state.

    It requests no run. What has moved is a warning in its log and the reason of its tick.

    Args:
        resource: The engine and its project.
        snapshot: The defs state that the definitions were made of.
        name: Of the sensor.
        interval_seconds: Between two ticks, at least.
        default_status: Whether it runs without being switched on.
    """

    @dg.sensor(
        name=name,
        minimum_interval_seconds=interval_seconds,
        default_status=default_status,
        description="Says when the project has moved away from the defs state.",
    )
    def state_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        found = list(differences(resource, snapshot))
        if not found:
            return dg.SkipReason("The defs state fits the project and its sources.")
        reason = "; ".join(found)
        context.log.warning(f"rocky: {reason}")
        return dg.SkipReason(reason)

    return state_sensor


def differences(resource: RockyResource, snapshot: ProjectSnapshot) -> Iterator[str]:
    """What the defs state does not know, in words; asks the engine once for each replication.

    Args:
        resource: The engine and its project.
        snapshot: The defs state.

    Yields:
        One sentence for the files, and one for each kind of difference of each pipeline.
    """
    stale = describe_staleness(snapshot, Path(resource.config_path).absolute().parent)
    if stale:
        yield stale
    for pipeline in snapshot.pipelines:
        if pipeline.type != "replication":
            continue
        try:
            now = discover_again(resource, pipeline)
        except dg.Failure as failure:
            text = (failure.description or "the engine failed").split("\n", 1)[0]
            yield f"pipeline {pipeline.name} could not be discovered: {text}"
        else:
            yield from _differences(pipeline, now.pipeline)
            yield from now.notices


def _differences(before: Pipeline, after: Pipeline) -> Iterator[str]:
    known = {source.id: set(source.tables) for source in before.sources}
    now = {source.id: set(source.tables) for source in after.sources}
    both = now.keys() & known.keys()
    new, gone = sorted(now.keys() - known.keys()), sorted(known.keys() - now.keys())
    tables = sorted(f"{source}.{table}" for source in both for table in now[source] - known[source])
    lost = sorted(f"{source}.{table}" for source in both for table in known[source] - now[source])
    for what, names in (
        ("has new sources", new),
        ("has lost sources", gone),
        ("has new tables", tables),
        ("has lost tables", lost),
    ):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            yield f"pipeline {before.name} {what}: {', '.join(names[:_SHOWN])}{more}"
