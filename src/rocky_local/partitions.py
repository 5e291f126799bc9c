"""Partitions of time_interval models: their keys, their bounds, and which ones a run builds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rocky_local import clock
from rocky_local.errors import EngineError

if TYPE_CHECKING:
    from rocky_local.models import Model
    from rocky_local.options import PartitionSelection


@dataclass(frozen=True)
class Grain:
    """A granularity: how its keys look.

    Attributes:
        label: As error messages name it.
        shape: As error messages show its keys.
        format: For reading and writing keys.
        loose: What a key of this grain looks like when its padding is forgotten.
    """

    label: str
    shape: str
    format: str
    loose: str

    def floor(self, moment: datetime) -> datetime:
        """Return the start of the partition that holds a moment."""
        return datetime.strptime(moment.strftime(self.format), self.format).replace(tzinfo=UTC)

    def shift(self, start: datetime, count: int) -> datetime:
        """Return the start of the partition that lies so many later, or earlier when negative."""
        if self.label == "Hour":
            return start + timedelta(hours=count)
        if self.label == "Day":
            return start + timedelta(days=count)
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
        shown = self.format if re.fullmatch(self.loose, key) else self.shape
        problem = f"partition key '{key}' does not match the canonical {self.label} format '{shown}'"
        try:
            start = datetime.strptime(key, self.format).replace(tzinfo=UTC)
        except ValueError:
            raise ValueError(problem) from None
        if self.key(start) != key:
            raise ValueError(problem)
        return start

    def key(self, start: datetime) -> str:
        """Return the key of the partition that starts here."""
        text = start.strftime(self.format)
        return text.rjust(len(self.shape), "0")


GRAINS = {
    "hour": Grain("Hour", "YYYY-MM-DDTHH", "%Y-%m-%dT%H", r"\d+-\d+-\d+T\d+"),
    "day": Grain("Day", "YYYY-MM-DD", "%Y-%m-%d", r"\d+-\d+-\d+"),
    "month": Grain("Month", "YYYY-MM", "%Y-%m", r"\d+-\d+"),
    "year": Grain("Year", "YYYY", "%Y", r"\d+"),
}


@dataclass(frozen=True)
class Partition:
    """One partition: its key and its half-open bounds."""

    key: str
    start: datetime
    end: datetime

    def as_json(self) -> dict[str, str]:
        """Return it as results show it."""
        form = "%Y-%m-%dT%H:%M:%SZ"
        return {"key": self.key, "start": self.start.strftime(form), "end": self.end.strftime(form)}

    def sql_bounds(self) -> tuple[str, str]:
        """Return the bounds as SQL text, without quotes."""
        return self.start.strftime("%Y-%m-%d %H:%M:%S"), self.end.strftime("%Y-%m-%d %H:%M:%S")


def grain_of(model: Model) -> Grain:
    """Return a model's grain.

    Raises:
        EngineError: Its sidecar names none that exists.
    """
    name = model.strategy["granularity"]
    if name not in GRAINS:
        raise EngineError(f"model '{model.name}' has unknown granularity '{name}'; use {', '.join(GRAINS)}")
    return GRAINS[name]


def plan_partitions(model: Model, selection: PartitionSelection, computed: set[str]) -> list[Partition]:
    """Return the partitions that a run builds, oldest first, each with the ones that its lookback adds.

    Args:
        model: A time_interval model.
        selection: What was asked for.
        computed: The keys that state says are there; only `--missing` looks at them.

    Raises:
        EngineError: A key does not fit the model, or the range is the wrong way round.
    """
    grain = grain_of(model)
    failed = f"failed to plan partitions for model '{model.name}'"
    now = grain.floor(clock.utc(clock.now_ns()))
    lookback = model.strategy["lookback"] if selection.lookback is None else selection.lookback
    if selection.missing:
        first = model.strategy["first_partition"]
        if not first:
            raise EngineError(failed, "--missing requires `first_partition` to be set in the model TOML")
        every = _range(grain, _parsed(model, grain, first), now)
        gaps = [number for number, partition in enumerate(every) if partition.key not in computed]
        again = {number - back for number in gaps for back in range(lookback + 1)}
        return [partition for number, partition in enumerate(every) if number in again]
    if selection.first is not None and selection.last is not None:
        start, end = (_parsed(model, grain, key) for key in (selection.first, selection.last))
        if start > end:
            raise EngineError(failed, f"--from '{selection.first}' is after --to '{selection.last}'")
        return _range(grain, grain.shift(start, -lookback), end)
    last = _parsed(model, grain, selection.key) if selection.key is not None else now
    return _range(grain, grain.shift(last, -lookback), last)


def _parsed(model: Model, grain: Grain, key: str) -> datetime:
    try:
        return grain.parse(key)
    except ValueError as error:
        raise EngineError(
            f"failed to plan partitions for model '{model.name}'",
            f"invalid partition key for model '{model.name}': {error}",
            str(error),
        ) from None


def _range(grain: Grain, first: datetime, last: datetime) -> list[Partition]:
    found = []
    start = first
    while start <= last:
        end = grain.shift(start, 1)
        found.append(Partition(grain.key(start), start, end))
        start = end
    return found
