"""What planning costs, against one pass over the tables in the same process.

It plans 5,000 of 50,000 tables, scattered and whole sources: first with an index that is yet to be made, as a step
does, then with the index there, as every plan after the first of a loaded graph has it. It exits with 1 when a limit is
missed.
"""

import sys
import time
from collections.abc import Callable, Iterator

import dagster as dg
from report import Row, tell

from dagster_rocky.graph.universe import Universe
from dagster_rocky.planning.plan import Unit, plan_units
from dagster_rocky.vocabulary import EngineAsset

SOURCES, TABLES = 1_000, 50
LIMIT = 100
"""Milliseconds of processor time."""
ROUNDS = 5


def universe() -> list[EngineAsset]:
    """Fifty thousand tables of a thousand sources in forty regions."""
    return [
        EngineAsset(
            engine_key=("duckdb", f"shop{i}", f"t{j}"),
            asset_key=dg.AssetKey(["duckdb", f"shop{i}", f"t{j}"]),
            kind="table",
            name=f"t{j}",
            pipeline="landing",
            target=f"wh.lake__shop{i}.t{j}",
            source_id=f"raw__shop{i}",
            components={"shop": f"shop{i}", "region": f"r{i % 40}"},
        )
        for i in range(SOURCES)
        for j in range(TABLES)
    ]


def best(action: Callable[[], object]) -> float:
    """The shortest of some rounds, in milliseconds of processor time."""
    took = []
    for _ in range(ROUNDS):
        started = time.process_time()
        action()
        took.append(1_000 * (time.process_time() - started))
    return min(took)


def rows() -> Iterator[Row]:
    """Two for each selection."""
    tables = universe()
    floor = best(lambda: {table.engine_key: table for table in tables})
    selections = {
        "four regions of forty": [t for t in tables if t.components["region"] in {"r1", "r2", "r3", "r4"}],
        "every tenth source": [t for t in tables if int(t.components["shop"][4:]) % 10 == 3],
        "five tables of every source": [t for t in tables if t.name in {"t1", "t2", "t3", "t4", "t5"}],
    }
    for what, chosen in selections.items():
        units = [Unit(table) for table in chosen]
        indexed = Universe(tables)
        runs = plan_units(units, indexed)
        first = best(lambda units=units: plan_units(units, Universe(tables)))
        later = best(lambda units=units, indexed=indexed: plan_units(units, indexed))
        yield Row(
            f"{what}, {len(runs):,} runs: the first plan, index and all",
            f"{floor:.0f} ms for one pass over the tables",
            f"{first:.0f} ms",
            f"{LIMIT} ms",
            first <= LIMIT,
        )
        yield Row("the same: each plan after it", "", f"{later:.0f} ms", f"{LIMIT} ms", later <= LIMIT)


if __name__ == "__main__":
    sys.exit(tell("planning", rows(), write="--write" in sys.argv))
