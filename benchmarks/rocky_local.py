"""How fast `rocky-local` is: starting, asking, and the example against the bare statements that it runs.

The statements are taken from the engine's own debug log and run again by a process that does nothing else. The
project's hooks are left out of both, since they are shells of the project's own; what one costs is a row by itself. Run
it with `make bench`; it exits with 1 when a limit is missed.
"""

import compileall
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from report import Row, say, tell

ROOT = Path(__file__).parents[1]
ENGINE = Path(sys.executable).with_name("rocky-local")
RUNS = (
    ("run", "--pipeline", "landing"),
    ("run", "--pipeline", "marts"),
    ("run", "--model", "daily_flights", "--from", "2013-01-01", "--to", "2013-06-30"),
)
BARE = """
import duckdb, json, sys
connection = duckdb.connect(sys.argv[1])
for statement in json.load(open(sys.argv[2])):
    connection.execute(statement).fetchall()
"""


def seconds(action: Callable[[], object], times: int) -> float:
    """The median of several timings."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def processor_seconds(action: Callable[[], object]) -> float:
    """The processor time that the processes of an action took; other work on the machine does not count."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    action()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def engine(folder: Path, *args: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """One command of the engine."""
    return subprocess.run(
        [ENGINE, *args, "-o", "json"],
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=True,
    )


def statements(folder: Path, args: tuple[str, ...]) -> list[str]:
    """What the engine has DuckDB do, from its debug log."""
    log = engine(folder, *args, env={"RUST_LOG": "info,rocky_duckdb=debug"}).stderr
    found = []
    for line in log.splitlines():
        fields = json.loads(line).get("fields", {}) if line.startswith("{") else {}
        if str(fields.get("message", "")).startswith("executing DuckDB"):
            found.append(fields["sql"])
    return found


def starts(folder: Path) -> Iterator[Row]:
    """The least processor time of ten starts in turn, so that all of them meet the machine as it is."""
    ways: dict[str, Callable[[], object]] = {
        "pass": lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
        "import": lambda: subprocess.run([sys.executable, "-c", "import _duckdb"], check=True),
        "--version": lambda: subprocess.run([ENGINE, "--version"], capture_output=True, check=True),
        "discover": lambda: engine(folder, "discover", "--pipeline", "landing"),
    }
    taken = dict.fromkeys(ways, 1e9)
    for _ in range(10):
        for name, start in ways.items():
            taken[name] = min(taken[name], processor_seconds(start))
    nothing = taken["pass"]
    floor = f"{nothing * 1000:.0f} ms for `python -c pass`"
    for name, what, limit in (
        ("import", "a Python that imports DuckDB and does nothing", None),
        ("--version", "`rocky-local --version`", 2.25),
        ("discover", "`rocky-local discover` on the example", 9.0),
    ):
        measured = f"{taken[name] * 1000:.0f} ms, {taken[name] / nothing:.1f} ×"
        yield Row(
            what,
            floor,
            measured,
            f"{limit:g} ×" if limit else "",
            taken[name] <= limit * nothing if limit else None,
        )


def example(folder: Path) -> Iterator[Row]:
    """The runs of the example in turn with their bare statements: the long one once, the others three times."""
    month = (*RUNS[-1][:-1], "2013-01-31")
    for run in (*RUNS[:-1], month):
        engine(folder, *run)
    hooked = seconds(lambda: engine(folder, *month), 3)
    config = folder / "rocky.toml"
    config.write_text(config.read_text().split("[[hook.")[0])
    plain = seconds(lambda: engine(folder, *month), 3)
    yield Row("a hook, for each table or partition", "", f"{(hooked - plain) / 31 * 1000:.1f} ms")
    spent, least, count = 0.0, 0.0, 0
    for run in RUNS:
        say(f"`rocky-local {' '.join(run)}`")
        found = statements(folder, run)
        count += len(found)
        script = folder / "statements.json"
        script.write_text(json.dumps(found))
        bare = [sys.executable, "-c", BARE, str(folder / "flights.duckdb"), str(script)]
        ours, floor = [], []
        for _ in range(1 if run is RUNS[-1] else 3):
            ours.append(processor_seconds(lambda run=run: engine(folder, *run)))
            floor.append(processor_seconds(lambda bare=bare: subprocess.run(bare, check=True)))
        yield Row(
            f"of the example, `{' '.join(run)}`: processor time",
            f"{min(floor):.2f} s for its {len(found)} bare statements",
            f"{min(ours):.2f} s, {min(ours) / min(floor):.2f} ×",
        )
        spent, least = spent + min(ours), least + min(floor)
    yield Row(
        f"the example, {count} statements: processor time, starts and all",
        f"{least:.1f} s for the bare statements",
        f"{spent:.1f} s, {spent / least:.2f} ×",
        "1.10 ×",
        spent <= 1.10 * least,
    )


def rows() -> Iterator[Row]:
    """On a copy of the example."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(ROOT / "src" / "rocky_local", quiet=1)  # As an installed package is.
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "example_project"
        shutil.copytree(
            ROOT / "example_project", folder, ignore=shutil.ignore_patterns("*.duckdb*", ".*", "__pycache__")
        )
        subprocess.run([sys.executable, "seed.py"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        yield from starts(folder)
        yield from example(folder)


if __name__ == "__main__":
    sys.exit(tell("rocky_local", rows(), write="--write" in sys.argv))
