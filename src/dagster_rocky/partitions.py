"""Time partitions: the engine's keys, Dagster's keys, and the definitions that hold them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import dagster as dg

from dagster_rocky.vocabulary import Granularity

_Standard = dg.HourlyPartitionsDefinition | dg.DailyPartitionsDefinition | dg.MonthlyPartitionsDefinition


@dataclass(frozen=True)
class KeyFormat:
    """How both sides write the start of a window of one grain, and an example of each."""

    engine: str
    dagster: str
    example: str
    cron: str


FORMATS: dict[Granularity, KeyFormat] = {
    "hour": KeyFormat("%Y-%m-%dT%H", "%Y-%m-%d-%H:%M", "2026-05-02-08:00", "0 * * * *"),
    "day": KeyFormat("%Y-%m-%d", "%Y-%m-%d", "2026-05-02", "0 0 * * *"),
    "month": KeyFormat("%Y-%m", "%Y-%m-%d", "2026-05-01", "0 0 1 * *"),
    "year": KeyFormat("%Y", "%Y", "2026", "0 0 1 1 *"),
}


def _parse(granularity: Granularity, key: str, fmt: str, whose: str, example: str) -> datetime:
    """The start of a window; strict, so that `2026-5-2` is no key."""
    problem = f"{key!r} is no {granularity} partition key of {whose}: write it like {example!r} ({fmt})"
    try:
        start = datetime.strptime(key, fmt)
    except ValueError as error:
        raise ValueError(problem) from error
    if start.strftime(fmt) != key or start != _floor(granularity, start):
        raise ValueError(problem)
    return start


def _floor(granularity: Granularity, moment: datetime) -> datetime:
    """The start of the window that contains a moment."""
    moment = moment.replace(minute=0, second=0, microsecond=0)
    if granularity == "hour":
        return moment
    moment = moment.replace(hour=0)
    if granularity == "day":
        return moment
    moment = moment.replace(day=1)
    return moment if granularity == "month" else moment.replace(month=1)


def _next(granularity: Granularity, start: datetime) -> datetime:
    """The start of the window after the one that starts there."""
    if granularity == "hour":
        return start + timedelta(hours=1)
    if granularity == "day":
        return start + timedelta(days=1)
    if granularity == "month":
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return start.replace(year=start.year + 1)


def to_engine_key(granularity: Granularity, dagster_key: str) -> str:
    """A Dagster partition key as the engine writes it.

    Args:
        granularity: `hour`, `day`, `month` or `year`.
        dagster_key: For example `2026-05-02-08:00`, `2026-05-02`, `2026-05-01`, `2026`.

    Returns:
        For example `2026-05-02T08`, `2026-05-02`, `2026-05`, `2026`.

    Raises:
        ValueError: When the key has not that grain's format; the message shows the format.

    Example:
        ```python
        to_engine_key("month", "2026-05-01")  # '2026-05'
        ```
    """
    form = FORMATS[granularity]
    return _parse(granularity, dagster_key, form.dagster, "Dagster", form.example).strftime(form.engine)


def to_dagster_key(granularity: Granularity, engine_key: str) -> str:
    """An engine partition key as Dagster writes it: the inverse of `to_engine_key`.

    Args:
        granularity: `hour`, `day`, `month` or `year`.
        engine_key: For example `2026-05-02T08`.

    Returns:
        For example `2026-05-02-08:00`.

    Raises:
        ValueError: When the key has not that grain's format; the message shows the format.

    Example:
        ```python
        to_dagster_key("hour", "2026-05-02T08")  # '2026-05-02-08:00'
        ```
    """
    form = FORMATS[granularity]
    example = datetime(2026, 5, 2, 8).strftime(form.engine)
    return _parse(granularity, engine_key, form.engine, "the engine", example).strftime(form.dagster)


def consecutive_runs(granularity: Granularity, dagster_keys: Iterable[str]) -> list[tuple[str, ...]]:
    """Keys in stretches without a gap, ascending: each stretch can be one `--from … --to …`.

    Args:
        granularity: The grain of the keys.
        dagster_keys: Dagster keys in any order.

    Returns:
        For example `[("2026-05-01", "2026-05-02"), ("2026-05-09",)]`.

    Raises:
        ValueError: When a key has not the grain's format.

    Example:
        ```python
        consecutive_runs("day", ["2026-05-02", "2026-05-01", "2026-05-09"])
        # [('2026-05-01', '2026-05-02'), ('2026-05-09',)]
        ```
    """
    form = FORMATS[granularity]
    starts = sorted({_parse(granularity, key, form.dagster, "Dagster", form.example) for key in dagster_keys})
    stretches: list[list[datetime]] = []
    for start in starts:
        if stretches and _next(granularity, stretches[-1][-1]) == start:
            stretches[-1].append(start)
        else:
            stretches.append([start])
    return [tuple(start.strftime(form.dagster) for start in stretch) for stretch in stretches]


def parse_start(granularity: Granularity, text: str) -> datetime:
    """The first partition's start from an engine key of any grain, or a date or a date with a time.

    Args:
        granularity: The grain of the partitions; the start is moved to the start of its window.
        text: For example `2026-05`, `2026-05-01`, `2026-05-01T08`, `2026-05-01-08:00`.

    Returns:
        The window's start, without a zone.

    Raises:
        ValueError: When the text is none of these.

    Example:
        ```python
        parse_start("month", "2026-05-17")  # datetime(2026, 5, 1)
        ```
    """
    formats = ("%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H", "%Y-%m-%d-%H:%M", "%Y-%m-%dT%H:%M:%S")
    for fmt in formats:
        try:
            return _floor(granularity, datetime.strptime(text, fmt))
        except ValueError:
            continue
    example = datetime(2026, 5, 2, 8).strftime(FORMATS[granularity].engine)
    raise ValueError(
        f"{text!r} is no first {granularity} partition: write it like {example!r} or '2026-05-01'"
    )


@lru_cache(maxsize=256)
def time_partitions(
    granularity: Granularity,
    first: str,
    *,
    end: str | None = None,
    end_offset: int = 0,
    timezone: str = "UTC",
) -> dg.TimeWindowPartitionsDefinition:
    """The partitions of a `time_interval` model.

    Args:
        granularity: The model's grain.
        first: Its first partition, in the engine's format or as a date.
        end: The first one that is no longer there, written alike; `None` goes on for ever.
        end: The first partition that does not exist, in the same formats; `None` lets them go on.
        end_offset: Partitions beyond the last complete one.
        timezone: When a partition is complete.

    Returns:
        Dagster's own hourly, daily or monthly definition, or a yearly one with keys like `2026`.

    Raises:
        ValueError: When `first` or `end` cannot be read, or an hourly model is given another zone than UTC: the
            engine's hours are UTC hours.

    Example:
        ```python
        time_partitions("day", "2013-01-01").get_first_partition_key()  # '2013-01-01'
        ```
    """
    if granularity == "hour" and timezone != "UTC":
        raise ValueError(
            f"partitions.timezone is {timezone!r}, but the engine's hours are UTC hours: leave the zone out "
            "for a component with hourly models, or give those models a component of their own"
        )
    form = FORMATS[granularity]
    start = parse_start(granularity, first).strftime(form.dagster)
    stop = parse_start(granularity, end).strftime(form.dagster) if end else None
    if granularity == "year":
        return dg.TimeWindowPartitionsDefinition(
            start=start,
            end=stop,
            fmt=form.dagster,
            cron_schedule=form.cron,
            end_offset=end_offset,
            timezone=timezone,
        )
    kinds: dict[Granularity, type[_Standard]] = {
        "hour": dg.HourlyPartitionsDefinition,
        "day": dg.DailyPartitionsDefinition,
        "month": dg.MonthlyPartitionsDefinition,
    }
    return kinds[granularity](start_date=start, end_date=stop, end_offset=end_offset, timezone=timezone)


def default_first_partition(known: Sequence[str], now: datetime | None = None) -> str:
    """Where models start that name no first partition.

    Args:
        known: First partitions of other models of the project, in the engine's formats.
        now: The clock, for tests.

    Returns:
        The earliest known one, as a date; otherwise 1 January of this year.

    Example:
        ```python
        default_first_partition(["2026-05-01", "2026-04"])  # '2026-04-01'
        ```
    """
    starts = [parse_start("day", text) for text in known]
    first = min(starts, default=(now or datetime.now(UTC)).replace(month=1, day=1))
    return first.strftime("%Y-%m-%d")
