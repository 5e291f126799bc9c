"""When is what run, and which of its partitions?"""

from collections.abc import Iterator, Sequence
from itertools import groupby

import dagster as dg

from dagster_rocky.graph.edges import RockyGraph
from dagster_rocky.graph.partitioning import latest_key
from dagster_rocky.yaml.automation import ScheduleOptions, schedule_status

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
SCHEDULE_TAG = "rocky/schedule"


class UnusableSchedule(ValueError):
    """A schedule that could never run what it should; the message has its name, the reason and the way out."""


def build_rocky_schedule(
    assets: Sequence[dg.AssetsDefinition], graph: RockyGraph, options: ScheduleOptions
) -> dg.ScheduleDefinition:
    """Makes a schedule over assets of a component.

    Args:
        assets: The component's definitions, over which the selection is read.
        graph: The component's graph.
        options: What and when.

    Returns:
        The schedule, with a job of its own of the same name.

    Raises:
        UnusableSchedule: When nothing is selected, the selection cannot be read, or its assets have partitions of
            different kinds, which one run cannot have.

    Example:
        ```python
        from dagster_rocky import RockyComponent, build_rocky_definitions

        component = RockyComponent(config_path="flights/rocky.toml", binary_path="rocky-local")
        defs = build_rocky_definitions(component)
        options = ScheduleOptions(name="nightly", cron="0 3 * * *")
        build_rocky_schedule(defs.assets, component.graph, options).cron_schedule  # '0 3 * * *'
        ```
    """
    keys = _selected(assets, graph, options)
    partitions_def = _one_partitions_def(graph, keys, options)
    job = dg.define_asset_job(
        options.name,
        selection=dg.AssetSelection.assets(*keys),
        tags=options.tags,
        partitions_def=partitions_def,
    )

    @dg.schedule(
        name=options.name,
        job=job,
        cron_schedule=options.cron,
        execution_timezone=options.timezone,
        default_status=schedule_status(options.default_status),
        description=f"Runs `{options.selection}`.",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext,
    ) -> list[dg.RunRequest] | dg.SkipReason:
        tags = {SCHEDULE_TAG: options.name}
        if partitions_def is None:
            return [dg.RunRequest(tags=tags)]
        if options.partitions == "latest":
            latest = latest_key(partitions_def, None, context.scheduled_execution_time)
            if latest is None:
                return dg.SkipReason("There is no partition yet.")
            return [dg.RunRequest(partition_key=latest, tags=tags)]
        partitioned = [key for key in keys if graph.nodes[key].spec.partitions_def is not None]
        known = partitions_def.get_partition_keys(
            current_time=context.scheduled_execution_time, dynamic_partitions_store=context.instance
        )
        missing = _missing(context.instance, partitioned, partitions_def, known[-options.look_back :])
        requests = [_request(row, tags) for row in missing]
        return requests or dg.SkipReason(f"None of the last {options.look_back} partitions is missing.")

    return schedule


def _selected(
    assets: Sequence[dg.AssetsDefinition], graph: RockyGraph, options: ScheduleOptions
) -> list[dg.AssetKey]:
    try:
        found = dg.AssetSelection.from_string(options.selection).resolve(assets)
    except (ValueError, dg.DagsterError) as error:
        text = str(error).split("\n", 1)[0]
        raise UnusableSchedule(
            f"schedule {options.name!r}: the selection {options.selection!r} cannot be read: {text}"
        ) from error
    keys = sorted(key for key in found if key in graph.nodes)
    if not keys:
        groups = sorted({node.spec.group_name or "default" for node in graph.nodes.values()})
        raise UnusableSchedule(
            f"schedule {options.name!r}: {options.selection!r} selects none of the component's assets; its groups are "
            f"{', '.join(groups)}. Correct the selection, or leave the schedule out."
        )
    return keys


def _one_partitions_def(
    graph: RockyGraph, keys: Sequence[dg.AssetKey], options: ScheduleOptions
) -> dg.PartitionsDefinition | None:
    """The partitions that one run can have: all partitioned assets share them."""
    found: list[tuple[dg.PartitionsDefinition, dg.AssetKey]] = []
    for key in keys:
        definition = graph.nodes[key].spec.partitions_def
        if definition is not None and all(definition != known for known, _ in found):
            found.append((definition, key))
    if len(found) > 1:
        (_, first), (_, second) = found[:2]
        raise UnusableSchedule(
            f"schedule {options.name!r}: {first.to_user_string()} and {second.to_user_string()} have different "
            "partitions, which one run cannot have: make one schedule for each."
        )
    return found[0][0] if found else None


def _missing(
    instance: dg.DagsterInstance,
    keys: Sequence[dg.AssetKey],
    partitions_def: dg.PartitionsDefinition,
    known: Sequence[str],
) -> Iterator[list[str]]:
    """Those of the known partitions of which some asset was never built, in rows that one run can build."""
    built = [instance.get_materialized_partitions(key) for key in keys]
    is_missing = {key: any(key not in of_one for of_one in built) for key in known}
    in_ranges = isinstance(partitions_def, dg.TimeWindowPartitionsDefinition)
    for missing, row in groupby(known, key=is_missing.__getitem__):
        if missing and in_ranges:
            yield list(row)
        elif missing:
            yield from ([key] for key in row)


def _request(row: Sequence[str], tags: dict[str, str]) -> dg.RunRequest:
    if len(row) == 1:
        return dg.RunRequest(partition_key=row[0], tags=tags)
    return dg.RunRequest(tags={**tags, RANGE_START: row[0], RANGE_END: row[-1]})
