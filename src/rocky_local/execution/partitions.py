"""Partitions of time_interval models: their keys, their bounds, and which ones a run builds (contract, 5.6)."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from rocky_local import clock
from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.execution.result import Partition
from rocky_local.project.models import Model

_UTC = "%Y-%m-%dT%H:%M:%SZ"


class Grain(NamedTuple):
    """A granularity: how messages name it and show its keys, and their format."""

    label: str
    shape: str
    format: str

    def shift(self, start: datetime, count: int) -> datetime:
        """Return the start of the partition that lies so many later, or earlier when negative."""
        if self.label in ("Hour", "Day"):
            return start + timedelta(**{f"{self.label.lower()}s": count})
        months = start.year * 12 + start.month - 1 + count * (12 if self.label == "Year" else 1)
        return start.replace(year=months // 12, month=months % 12 + 1)

    def parse(self, key: str) -> datetime:
        """Return the start of the partition with a key.

        Raises:
            ValueError: The key is not exactly as this grain writes it; the text says so.

        Example:
            >>> GRAINS["month"].parse("2026-05").isoformat()
            '2026-05-01T00:00:00+00:00'
        """
        shown = self.shape
        with suppress(ValueError):
            start, shown = datetime.strptime(key, self.format).replace(tzinfo=UTC), self.format
            if self.key(start) == key:
                return start
        raise ValueError(f"partition key '{key}' does not match the canonical {self.label} format '{shown}'")

    def key(self, moment: datetime) -> str:
        """Return the key of the partition that holds a moment."""
        return moment.strftime(self.format).rjust(len(self.shape), "0")

    def range(self, first: datetime, last: datetime) -> Iterator[Partition]:
        """Yield the partitions from one start to another, both included."""
        while first <= last:
            end = self.shift(first, 1)
            yield Partition(self.key(first), f"{first:{_UTC}}", f"{end:{_UTC}}")
            first = end


GRAINS = {
    "hour": Grain("Hour", "YYYY-MM-DDTHH", "%Y-%m-%dT%H"),
    "day": Grain("Day", "YYYY-MM-DD", "%Y-%m-%d"),
    "month": Grain("Month", "YYYY-MM", "%Y-%m"),
    "year": Grain("Year", "YYYY", "%Y"),
}


def plan_partitions(model: Model, args: Arguments, computed: set[str]) -> list[Partition]:
    """Return the partitions that a run builds, oldest first; only `--missing` looks at the computed ones."""
    grain = GRAINS[model.strategy.granularity]
    failed = f"failed to plan partitions for model '{model.name}'"

    def start_of(key: str) -> datetime:
        try:
            return grain.parse(key)
        except ValueError as error:
            invalid = f"invalid partition key for model '{model.name}': {error}"
            raise EngineError(failed, invalid, str(error)) from None

    now = grain.parse(grain.key(clock.utc(clock.now_ns())))
    lookback, key = int(args.get("lookback") or model.strategy.lookback), args.get("partition")
    if args.has("missing"):
        if not model.strategy.first_partition:
            raise EngineError(failed, "--missing requires `first_partition` to be set in the model TOML")
        every = [*grain.range(start_of(model.strategy.first_partition), now)]
        gaps = [number for number, partition in enumerate(every) if partition.key not in computed]
        again = {number - back for number in gaps for back in range(lookback + 1)}
        return [partition for number, partition in enumerate(every) if number in again]
    ends = (args.get("from"), args.get("to")) if key is None else (key, key)
    first, last = (now if end is None else start_of(end) for end in ends)
    if first > last:
        raise EngineError(failed, f"--from '{ends[0]}' is after --to '{ends[1]}'")
    try:
        return [*grain.range(grain.shift(first, -lookback), last)]
    except (ValueError, OverflowError) as error:
        raise EngineError(failed, f"the range leaves the calendar: {error}") from None
