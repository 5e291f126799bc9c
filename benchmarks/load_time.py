"""How long loading takes with a state that is there, against bare Dagster building as many specs.

    python benchmarks/load_time.py [tables ...]

Both sides end with the asset graph and the job that runs everything. They take turns, and the median of three ratios is
shown. What is measured is processor time, which a machine's other work disturbs least.
"""

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg

from dagster_rocky import RockyComponent
from dagster_rocky.graph.grouping import MOST_OUTPUTS
from dagster_rocky.project.snapshot import ConfiguredCheck, Pipeline, ProjectSnapshot, Source, fingerprint

TABLES_PER_SOURCE = 10
LIMIT = 1.25
"""Loading may take this many times what bare Dagster takes."""


def project(folder: Path, tables: int) -> ProjectSnapshot:
    """A replication of many sources, with a row count check on each table."""
    (folder / "rocky.toml").write_text("")
    sources = [
        Source(
            id=f"raw__r{index % 40}__s{index}",
            source_type="duckdb",
            components={"region": f"r{index % 40}", "shop": f"s{index}"},
            tables=[f"table_{number}" for number in range(TABLES_PER_SOURCE)],
        )
        for index in range(tables // TABLES_PER_SOURCE)
    ]
    pipeline = Pipeline(
        name="landing",
        type="replication",
        warehouse="duckdb",
        catalog_template="lake",
        schema_template="lake__{region}__{shop}",
        sources=sources,
        checks_of_all=[ConfiguredCheck(name="row_count", kind="row_count")],
    )
    watched = ["rocky.toml"]
    return ProjectSnapshot(
        pipelines=[pipeline], watched=watched, fingerprint=fingerprint(folder, watched), refreshed_at="now"
    )


def load_component(folder: Path, state: Path) -> int:
    """What a process does that loads the component: state file to graph and job."""
    component = RockyComponent(config_path=str(folder / "rocky.toml"), binary_path="/not/needed")
    return finish(component.build_defs_from_snapshot(ProjectSnapshot.read(state)))


def load_bare(tables: int) -> int:
    """The same number of specs and checks, written down by hand in multi-assets of the same size."""
    definitions = []
    per_group = MOST_OUTPUTS // 2
    for start in range(0, tables, per_group):
        numbers = range(start, min(start + per_group, tables))
        specs = [
            dg.AssetSpec(
                dg.AssetKey(["duckdb", f"r{number % 40}", f"s{number // 10}", f"table_{number}"]),
                group_name="landing",
                description="A table.",
                kinds={"rocky", "duckdb", "table"},
                tags={"region": f"r{number % 40}", "shop": f"s{number // 10}"},
                metadata={"dagster/table_name": f"lake.lake__{number}.table", "rocky/pipeline": "landing"},
            )
            for number in numbers
        ]

        @dg.multi_asset(
            name=f"bare_{start}",
            specs=specs,
            check_specs=[dg.AssetCheckSpec("row_count", asset=spec.key) for spec in specs],
            can_subset=True,
        )
        def bare(context: dg.AssetExecutionContext):
            yield from ()

        definitions.append(bare)
    return finish(dg.Definitions(assets=definitions))


def finish(defs: dg.Definitions) -> int:
    count = len(defs.resolve_asset_graph().get_all_asset_keys())
    defs.resolve_implicit_global_asset_job_def()
    return count


def processor_seconds(action: Callable[[], int], expected: int) -> float:
    """What one load takes; what the one before left is cleared away first."""
    gc.collect()
    start = time.process_time()
    count = action()
    taken = time.process_time() - start
    assert count == expected, (count, expected)
    return taken


def measure(tables: int, rounds: int = 3) -> float:
    """Prints one line and returns how many times bare Dagster's time loading takes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = folder / "state"
        project(folder, tables).write(state)
        load_component(folder, state)  # imports, and what is compiled once
        pairs = [
            (
                processor_seconds(lambda: load_bare(tables), tables),
                processor_seconds(lambda: load_component(folder, state), tables),
            )
            for _ in range(rounds)
        ]
        size = state.stat().st_size / tables
    bare, rocky = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(rocky / bare for bare, rocky in pairs)
    print(f"{tables:>8} {bare:>7.2f}s {rocky:>7.2f}s {ratio:>6.2f} {size:>4.0f} B/table", flush=True)
    return ratio


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", type=int, default=[1_000, 10_000])
    print(f"{'tables':>8} {'bare':>8} {'rocky':>8} {'ratio':>6} {'state':>12}")
    too_slow = [tables for tables in parser.parse_args().tables if measure(tables) > LIMIT]
    if too_slow:
        print(f"loading takes more than {LIMIT} times what bare Dagster takes", file=sys.stderr)
    return int(bool(too_slow))


if __name__ == "__main__":
    raise SystemExit(main())
