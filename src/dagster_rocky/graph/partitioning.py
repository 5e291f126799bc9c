"""Which partitions do assets have: by time, by the value of a schema component, or by both?"""

from collections.abc import Iterable
from datetime import datetime

import dagster as dg

from dagster_rocky.accepting import accepted
from dagster_rocky.graph.ownership import SelectionError
from dagster_rocky.partitions import parse_start, time_partitions
from dagster_rocky.project.snapshot import Source
from dagster_rocky.vocabulary import Granularity
from dagster_rocky.yaml.options import PartitionsOptions

TIME_DIMENSION = "time"
"""The dimension beside the schema component in a multi-partition."""


def in_time(
    options: PartitionsOptions, granularity: Granularity, first: str
) -> dg.TimeWindowPartitionsDefinition:
    """The partitions of one grain, as the component wants them.

    Args:
        options: The component's.
        granularity: The grain.
        first: The first partition.

    Returns:
        The definition.

    Raises:
        SelectionError: When the options do not fit the grain.
    """
    if granularity == "hour" and options.timezone != "UTC":
        raise SelectionError(
            ("partitions", "timezone"),
            f"is {options.timezone!r}, but the engine's hours are UTC hours: leave it out for a component with hourly "
            "models, or give those models a component of their own",
        )
    if options.end and parse_start(granularity, options.end) <= parse_start(granularity, first):
        raise SelectionError(
            ("partitions", "end"), f"{options.end} leaves no {granularity}: the first one is {first}"
        )
    return time_partitions(
        granularity, first, end=options.end, end_offset=options.end_offset, timezone=options.timezone
    )


def dynamic_name(pipeline: str, component: str) -> str:
    """The name of a dynamic partitions definition in the instance."""
    return f"rocky_{pipeline}_{component}"


class ComponentPartitions:
    """The partitions of replicated tables.

    Args:
        options: The component's.

    Example:
        ```python
        ComponentPartitions(PartitionsOptions(by="operator")).value_of(source)  # 'fjordline'
        ```
    """

    def __init__(self, options: PartitionsOptions) -> None:
        self._options = options
        self._accepted: dict[str, bool] = {}

    def value_of(self, source: Source) -> str | None:
        """The value whose partition a source's tables are.

        Args:
            source: The source.

        Returns:
            The value; `None` where component values are no partitions, where the source has none, and, with a
            warning, where Dagster does not take it as a partition: its tables are assets of their own then.

        Raises:
            SelectionError: When the component has several values in the source.
        """
        by = self._options.by
        value = source.components.get(by) if by else None
        if value is None:
            return None
        if isinstance(value, list):
            raise SelectionError(
                ("partitions", "by"),
                f"is {by!r}, which has several values in source {source.id!r}: "
                "only a component with one value can be the partition",
            )
        if self._options.every and by == TIME_DIMENSION:
            raise SelectionError(
                ("partitions", "by"), "is 'time', which is the name of the other dimension: leave `every` out"
            )
        if value not in self._accepted:
            what = f"partition {value!r} of {by}"
            self._accepted[value] = accepted(what, lambda: self._by_value([value])) is not None
        return value if self._accepted[value] else None

    def definition(self, pipeline: str, values: Iterable[str | None]) -> dg.PartitionsDefinition | None:
        """The partitions of one asset.

        Args:
            pipeline: The replication.
            values: What `value_of` gave for each of its tables.

        Returns:
            By component value, by time, by both, or none.
        """
        known = sorted({value for value in values if value is not None})
        if not known:
            return self._by_time()
        if self._options.dynamic:
            return dg.DynamicPartitionsDefinition(name=dynamic_name(pipeline, self._options.by or ""))
        return self._by_value(known)

    def _by_value(self, values: list[str]) -> dg.PartitionsDefinition:
        static = dg.StaticPartitionsDefinition(values)
        time = self._by_time()
        if time is None:
            return static
        return dg.MultiPartitionsDefinition({self._options.by or "": static, TIME_DIMENSION: time})

    def _by_time(self) -> dg.TimeWindowPartitionsDefinition | None:
        every = self._options.every
        return in_time(self._options, every, self._options.start or "") if every else None


def latest_key(
    partitions_def: dg.PartitionsDefinition | None, value: str | None, at: datetime | None = None
) -> str | None:
    """The last partition that exists, for a component value where partitions are by value.

    Args:
        partitions_def: Of an asset.
        value: The component value, where it is a partition or a part of one.
        at: The moment that counts as now.

    Returns:
        A partition key; `None` without partitions, and while there is none.

    Example:
        ```python
        latest_key(dg.StaticPartitionsDefinition(["jfk", "ewr"]), "jfk")  # 'jfk'
        ```
    """
    if isinstance(partitions_def, dg.MultiPartitionsDefinition):
        keys = {
            part.name: latest_key(part.partitions_def, None if part.name == TIME_DIMENSION else value, at)
            for part in partitions_def.partitions_defs
        }
        known = {name: key for name, key in keys.items() if key is not None}
        return dg.MultiPartitionKey(known) if len(known) == len(keys) else None
    if isinstance(partitions_def, dg.TimeWindowPartitionsDefinition):
        return next(iter(partitions_def.get_partition_keys(current_time=at)[-1:]), None)
    if partitions_def is None or value is not None:
        return value
    return next(reversed(partitions_def.get_partition_keys()), None)
