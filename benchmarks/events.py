"""What a step's events cost, against Dagster's plain way of telling the same.

    python benchmarks/events.py [--write] [--rounds N] [TABLESxCHECKS[:memory] ...]

The plain way is a multi-asset that yields `MaterializeResult` and `AssetCheckResult`. The other is a step with an
engine, which is a script that prints its result at once. Each is a process of its own. With the event log in SQLite
the two take turns; with one in memory, where nothing but the processor counts, they run at once on two cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import dagster as dg
from report import Row, say, tell

from support.stand_in import run_step, table_asset, write_engine

LIMIT = 0.70
BODY = """
names = [f"t{{number}}" for number in range({tables})]
checks = [{{"name": f"check_{{number}}", "passed": True, "severity": "error"}} for number in range({checks})]
found = [{{"asset_key": ["duckdb", "x", name], "checks": checks}} for name in names]
say(result(names, check_results=found))
"""
SIZES = ["1000x3:memory", "200x1"]


@dataclass(frozen=True)
class Size:
    """How many tables with how many checks each, and where the events go."""

    text: str
    tables: int
    checks: int
    in_memory: bool

    @classmethod
    def of(cls, text: str) -> Self:
        """`200x1`, or `200x1:memory`."""
        numbers, _, store = text.partition(":")
        tables, checks = map(int, numbers.split("x"))
        return cls(text, tables, checks, store == "memory")

    @property
    def what(self) -> str:
        checks = "one check" if self.checks == 1 else f"{self.checks} checks"
        return f"{self.tables:,} tables, {checks} each, events in {'memory' if self.in_memory else 'SQLite'}"


def plain_way(folder: Path, size: Size, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """As a person writes it."""
    names = [f"check_{number}" for number in range(size.checks)]
    assets = [table_asset(f"t{number}", names) for number in range(size.tables)]

    @dg.multi_asset(
        specs=[dg.AssetSpec(asset.asset_key, skippable=True) for asset in assets],
        check_specs=[dg.AssetCheckSpec(name, asset=asset.asset_key) for asset in assets for name in names],
        name="plain",
        can_subset=True,
    )
    def plain(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        for asset in assets:
            yield dg.MaterializeResult(asset_key=asset.asset_key, metadata={"rocky/outcome": "materialized"})
        for asset in assets:
            for name in names:
                yield dg.AssetCheckResult(asset_key=asset.asset_key, check_name=name, passed=True)

    return dg.materialize([plain], instance=instance)


def step_way(folder: Path, size: Size, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """A step of this package."""
    assets = [table_asset(f"t{n}", [f"check_{m}" for m in range(size.checks)]) for n in range(size.tables)]
    engine = write_engine(folder, BODY.format(tables=size.tables, checks=size.checks), timeout_seconds=600)
    return run_step(engine, "streaming", assets, instance=instance).result


WAYS: dict[str, Callable[[Path, Size, dg.DagsterInstance], dg.ExecuteInProcessResult]] = {
    "plain": plain_way,
    "step": step_way,
}


@dg.asset
def first() -> None:
    """Not measured."""


def child(side: str, size: Size) -> None:
    """One side in this process; prints what it took."""
    with tempfile.TemporaryDirectory() as temporary:
        (Path(temporary) / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        os.environ["DAGSTER_HOME"] = temporary
        made = dg.DagsterInstance.ephemeral() if size.in_memory else dg.DagsterInstance.get()
        with made as instance:
            dg.materialize([first], instance=instance)  # makes the tables of the event log
            began = time.perf_counter(), time.process_time()
            result = WAYS[side](Path(temporary), size, instance)
            wall, used = time.perf_counter() - began[0], time.process_time() - began[1]
            assert result.success
            assert len(result.get_asset_materialization_events()) == size.tables
            assert len(result.get_asset_check_evaluations()) == size.tables * size.checks
            events = len(instance.all_logs(result.run_id))
    sys.stdout.write(json.dumps({"wall": wall, "processor": used, "events": events}))


def pair(size: Size) -> dict[str, dict[str, float]]:
    """Both sides once."""
    at_once = size.in_memory and (os.cpu_count() or 1) > 1
    children, said = {}, {}
    for side in WAYS:
        command = [sys.executable, __file__, "--side", side, size.text]
        children[side] = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        if not at_once:
            said[side] = children[side].communicate()[0]
    for side in WAYS:
        said.setdefault(side, children[side].communicate()[0] if at_once else "")
        if children[side].returncode:
            raise SystemExit(f"{side} of {size.text} failed")
    return {side: json.loads(text) for side, text in said.items()}


def rows(sizes: list[Size], rounds: int) -> Iterator[Row]:
    """One for each size."""
    for size in sizes:
        found = []
        for number in range(rounds):
            say(f"{size.what}, pair {number + 1} of {rounds}")
            found.append(pair(size))
        ratios = {
            what: statistics.median(one["step"][what] / one["plain"][what] for one in found)
            for what in ("wall", "processor")
        }
        plain, step = (
            {what: statistics.median(one[side][what] for one in found) for what in found[0][side]}
            for side in ("plain", "step")
        )
        clock = "processor" if size.in_memory else "wall"
        both = (
            f", {ratios['processor']:.2f} × of the processor time" if clock == "wall" else " of the processor"
        )
        yield Row(
            size.what,
            f"{plain[clock]:.1f} s, {plain['events']:,.0f} events",
            f"{step[clock]:.1f} s, {step['events']:,.0f} events: {ratios[clock]:.2f} ×{both}",
            f"{LIMIT:.2f} ×",
            ratios[clock] <= LIMIT,
        )


def main() -> int:
    """All sizes; 0 when each keeps the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", default=SIZES)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    parser.add_argument("--side", choices=WAYS, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    sizes = [Size.of(text) for text in chosen.sizes]
    if chosen.side:
        child(chosen.side, sizes[0])
        return 0
    return tell("events", rows(sizes, chosen.rounds), write=chosen.write)


if __name__ == "__main__":
    sys.exit(main())
