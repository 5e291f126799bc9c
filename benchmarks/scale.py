"""Projects of up to fifty thousand tables against bare Dagster with the same assets, checks and multi-assets.

    python benchmarks/scale.py [--write] [--rounds N] [SIZE ...]

A size is a number of tables, `10000`, or of models, `5000m`. Each load is a fresh process. The two sides of a pair run
at once where there are two cores, so that both meet the machine as it is; pairs come one after the other. Shown are
medians of processor time, and of ratios the median of those of the pairs. `--write` puts the table and the picture
into docs/.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chart
import generated
from report import DOCS, Row, say, tell
from scale_child import ENGINE
from scale_steps import ALL

HERE = Path(__file__).parent
SIZES = ["1000", "10000", "50000", "500m", "5000m"]
SIDES = ("bare", "component")


@dataclass
class Loaded:
    """What the processes of one size said, in turn."""

    tables: int
    models: int
    state: int
    said: dict[str, list[dict[str, float]]] = field(default_factory=lambda: {side: [] for side in SIDES})

    @property
    def size(self) -> int:
        return self.tables + self.models

    @property
    def what(self) -> str:
        return f"{self.tables:,} tables" if self.tables else f"{self.models:,} models"

    def of(self, side: str, what: str) -> float:
        """The median of one side."""
        return statistics.median(said[what] for said in self.said[side])

    def ratio(self, what: str) -> float:
        """The median of what the component takes in terms of bare Dagster, pair by pair."""
        pairs = zip(self.said["bare"], self.said["component"], strict=True)
        return statistics.median(ours[what] / bare[what] for bare, ours in pairs)


def load(tables: int, models: int, rounds: int) -> Loaded:
    """Loads a generated project some times on both sides."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        first, *others = [folder / side for side in SIDES]
        first.mkdir()
        generated.snapshot(first, tables, models).write(first / "state")
        for other in others:
            shutil.copytree(first, other)
        for side in SIDES:
            write_engine(folder / side)
        found = Loaded(tables, models, (first / "state").stat().st_size)
        for number in range(rounds):
            say(f"{found.what}, pair {number + 1} of {rounds}")
            for side, said in _pair(folder, tables, models).items():
                found.said[side].append(said)
    return found


def _pair(folder: Path, tables: int, models: int) -> dict[str, dict[str, float]]:
    """Both sides once."""
    children, said = {}, {}
    for side in SIDES:
        arguments = [side, str(tables), str(models), str(folder / side)]
        children[side] = subprocess.Popen(
            [sys.executable, str(HERE / "scale_child.py"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if (os.cpu_count() or 1) < 2:
            children[side].wait()
    for side, child in children.items():
        told, wrong = child.communicate()
        if child.returncode:
            raise SystemExit(f"{side} with {tables} tables and {models} models failed:\n{wrong}")
        said[side] = json.loads(told)
    return said


def write_engine(folder: Path) -> None:
    """An engine that notes when it starts, and has copied the first table."""
    (folder / "result.json").write_text(json.dumps(_result(), indent=2))
    (folder / "engine").write_text(ENGINE.format(folder=folder))
    (folder / "engine").chmod(0o755)


def _result() -> dict[str, Any]:
    """What the engine prints when it has copied the first table."""
    table = generated.Table(0)
    parts = list(table.components.values())
    built = {
        "asset_key": ["duckdb", *parts, table.name],
        "rows_copied": None,
        "duration_ms": 5,
        "metadata": {
            "strategy": "full_refresh",
            "watermark": None,
            "target_table_full_name": f"lake.raw__{'__'.join(parts)}.{table.name}",
        },
    }
    return {
        "version": "1.71.0",
        "command": "run",
        "status": "Success",
        "pipeline_type": "replication",
        "filter": "",
        "duration_ms": 9,
        "tables_copied": 1,
        "tables_failed": 0,
        "materializations": [built],
        "check_results": [],
        "interrupted": False,
    }


IMPORTS = """
import sys, time
times = [time.process_time()]
import dagster
times.append(time.process_time())
heavy = {"duckdb", "sqlglot", "jinja2"}
before = heavy & {*sys.modules}
import dagster_rocky
times.append(time.process_time())
dagster_rocky.RockyComponent
times.append(time.process_time())
print(*(later - sooner for sooner, later in zip(times, times[1:])), len((heavy & {*sys.modules}) - before))
"""


def imports(rounds: int = 5) -> Iterator[Row]:
    """Importing the package, and then the component, beyond `import dagster`."""
    told = [
        [float(number) for number in subprocess.check_output([sys.executable, "-c", IMPORTS]).split()]
        for _ in range(rounds)
    ]
    floor, package, component, heavy = (min(found) for found in zip(*told, strict=True))
    yield Row(
        "`import dagster_rocky`, least of five",
        f"{1_000 * floor:.0f} ms for `import dagster`",
        f"{1_000 * package:+.0f} ms",
        "+60 ms",
        package <= 0.06 and not heavy,
    )
    yield Row("and then the component, as each load needs it", "", f"{1_000 * component:+.0f} ms")


def load_rows(found: Sequence[Loaded]) -> Iterator[Row]:
    """What the loads came to."""
    for one in found:
        is_limited = one.tables >= 10_000
        for what, label, limit in (
            ("load", "loading", 1.10),
            ("launch", "one asset, until the engine starts", 1.15),
        ):
            if what == "launch" and not one.tables:
                continue
            ratio = one.ratio(what)
            yield Row(
                f"{label}, {one.what}",
                f"{one.of('bare', what):.2f} s",
                f"{one.of('component', what):.2f} s, {ratio:.2f} ×",
                f"{limit:.2f} ×" if is_limited else "",
                ratio <= limit if is_limited else None,
            )
        ratio = one.ratio("peak")
        yield Row(
            f"peak memory, {one.what}",
            f"{one.of('bare', 'peak'):.0f} MiB",
            f"{one.of('component', 'peak'):.0f} MiB, {ratio:.2f} ×",
            "1.15 ×" if is_limited else "",
            ratio <= 1.15 if is_limited else None,
        )
        share = statistics.median(said["parse"] / said["load"] for said in one.said["component"])
        per = one.state / one.size
        yield Row(
            f"state, {one.what}",
            "",
            f"{per:.0f} bytes each, {share:.1%} of the load to parse",
            "100 bytes, 5 %" if one.tables else "",
            (per < 100 and share < 0.05) if one.tables else None,
        )
    tables = [one for one in found if one.tables]
    if len(tables) > 1:
        first, last = tables[-2:]
        each = [one.of("component", "load") / one.tables for one in (first, last)]
        yield Row(
            f"growth from {first.what} to {last.what}",
            f"{1e6 * each[0]:.0f} µs a table",
            f"{1e6 * each[1]:.0f} µs a table",
            "linear, 120 s",
            each[1] <= 1.25 * each[0] and last.of("component", "load") < 120,
        )


def picture(found: Sequence[Loaded]) -> str:
    """Load time and memory by size."""
    panels = []
    for title, what in (("Loading, seconds of processor time", "load"), ("Peak memory, MiB", "peak")):
        curves: dict[str, dict[int, float]] = {}
        for one in found:
            kind = "tables" if one.tables else "models"
            for side, name in (("component", "the component"), ("bare", "bare Dagster")):
                curves.setdefault(f"{name}, {kind}", {})[one.size] = one.of(side, what)
        panels.append(chart.Panel(title, curves))
    return chart.draw(
        panels, "Load time and peak memory by the number of tables and models, against bare Dagster"
    )


def main() -> int:
    """Prints every row; 0 when none misses its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", default=SIZES)
    parser.add_argument("--rounds", type=int, default=2, help="pairs of loads of each size")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md and docs/scale.svg")
    parser.add_argument("--only-loads", action="store_true")
    chosen = parser.parse_args()
    found: list[Loaded] = []

    def loads() -> Iterator[Row]:
        for size in chosen.sizes:
            count = int(size.removesuffix("m"))
            tables, models = (0, count) if size.endswith("m") else (count, 0)
            found.append(load(tables, models, chosen.rounds))
        yield from load_rows(found)

    parts: list[Callable[[], Iterator[Row]]] = [imports, loads]
    parts += [] if chosen.only_loads else ALL.values()
    missed = tell("scale", (row for part in parts for row in part()), write=chosen.write)
    if chosen.write:
        (DOCS / "scale.svg").write_text(picture(found))
    return missed


if __name__ == "__main__":
    sys.exit(main())
