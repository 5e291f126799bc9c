"""What a step's events cost, against Dagster's plain way of telling the same.

    python benchmarks/events.py [TABLESxCHECKS ...]

The plain way is a multi-asset that yields `MaterializeResult` and `AssetCheckResult`. The other is a step with an
engine, which is a script that prints its result at once. The event log is SQLite; the two take turns, and the medians
are shown.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import dagster as dg

from support.stand_in import run_step, table_asset, write_engine

LIMIT = 0.70
BODY = """
names = [f"t{{number}}" for number in range({tables})]
checks = [{{"name": f"check_{{number}}", "passed": True, "severity": "error"}} for number in range({checks})]
found = [{{"asset_key": ["duckdb", "x", name], "checks": checks}} for name in names]
say(result(names, check_results=found))
"""
Way = Callable[[dg.DagsterInstance], dg.ExecuteInProcessResult]


def ways(folder: Path, tables: int, checks: int) -> dict[str, Way]:
    """Both, by name."""
    names = [f"check_{number}" for number in range(checks)]
    assets = [table_asset(f"t{number}", names) for number in range(tables)]
    engine = write_engine(folder, BODY.format(tables=tables, checks=checks), timeout_seconds=600)

    @dg.multi_asset(
        specs=[dg.AssetSpec(asset.asset_key, skippable=True) for asset in assets],
        check_specs=[dg.AssetCheckSpec(name, asset=asset.asset_key) for asset in assets for name in names],
        name="plain",
        can_subset=True,
    )
    def plain(context: dg.AssetExecutionContext):
        for asset in assets:
            yield dg.MaterializeResult(asset_key=asset.asset_key, metadata={"rocky/outcome": "materialized"})
        for asset in assets:
            for name in names:
                yield dg.AssetCheckResult(asset_key=asset.asset_key, check_name=name, passed=True)

    return {
        "plain": lambda instance: dg.materialize([plain], instance=instance),
        "step": lambda instance: run_step(engine, "streaming", assets, instance=instance).result,
    }


@dg.asset
def first() -> None:
    """Not measured."""


def measure(tables: int, checks: int, rounds: int) -> bool:
    """Prints a row; whether the limit is kept."""
    wall: dict[str, list[float]] = {"plain": [], "step": []}
    processor: dict[str, list[float]] = {"plain": [], "step": []}
    events: dict[str, int] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as temporary:
            for name, way in ways(Path(temporary), tables, checks).items():
                home = Path(temporary) / name
                home.mkdir()
                (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
                os.environ["DAGSTER_HOME"] = str(home)
                with dg.DagsterInstance.get() as instance:
                    dg.materialize([first], instance=instance)  # makes the tables of the event log
                    began: Any = (time.perf_counter(), time.process_time())
                    result = way(instance)
                    wall[name].append(time.perf_counter() - began[0])
                    processor[name].append(time.process_time() - began[1])
                    assert result.success
                    assert len(result.get_asset_materialization_events()) == tables
                    assert len(result.get_asset_check_evaluations()) == tables * checks
                    events[name] = len(instance.all_logs(result.run_id))
    ratio = statistics.median(a / b for a, b in zip(wall["step"], wall["plain"], strict=True))
    used = statistics.median(a / b for a, b in zip(processor["step"], processor["plain"], strict=True))
    plain, step = statistics.median(wall["plain"]), statistics.median(wall["step"])
    print(
        f"| {tables:,} tables, {checks} checks each | {plain:.1f} s, {events['plain']:,} events "
        f"| {step:.1f} s, {events['step']:,} events | {ratio:.2f} | {used:.2f} |",
        flush=True,
    )
    return min(ratio, used) <= LIMIT


def main() -> int:
    """All sizes; 0 when each keeps the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", default=["200x1", "100x3"])
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - Dagster's console log of every event
    print("| step | Dagster's plain way | with this package | ratio | of processor time |")
    print("| --- | --- | --- | --- | --- |")
    sizes = [tuple(int(part) for part in size.split("x")) for size in chosen.sizes]
    kept = [measure(tables, checks, chosen.rounds) for tables, checks in sizes]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
