"""How fast `rocky-local` is: starting, asking, and the whole example against the bare statements that it runs.

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
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENGINE = Path(sys.executable).with_name("rocky-local")
RUNS = (
    ("run", "--pipeline", "landing"),
    ("run", "--pipeline", "marts"),
    ("run", "--model", "daily_flights", "--from", "2013-01-01", "--to", "2013-12-31"),
)
BARE = """
import duckdb, json, sys
connection = duckdb.connect(sys.argv[1])
for statement in json.load(open(sys.argv[2])):
    connection.execute(statement).fetchall()
"""
ROWS: list[tuple[str, str, str, bool]] = []


def record(what: str, measured: str, limit: str, good: bool) -> None:
    """Adds a row to the table and shows it at once."""
    ROWS.append((what, measured, limit, good))
    print(f"{'ok  ' if good else 'MISS'} {what}: {measured} (limit {limit})", flush=True)


def seconds(action: Callable[[], object], times: int) -> float:
    """The median of several timings."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def processor_seconds(action: Callable[[], object], times: int) -> float:
    """The least processor time that the processes of an action took; other work on the machine does not count."""
    taken = []
    for _ in range(times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        action()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(taken)


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


def main() -> int:
    """All of it; 0 when every limit is kept."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(ROOT / "src" / "rocky_local", quiet=1)  # As an installed package is.
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "example_project"
        shutil.copytree(
            ROOT / "example_project", folder, ignore=shutil.ignore_patterns("*.duckdb*", ".*", "__pycache__")
        )
        subprocess.run([sys.executable, "seed.py"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        starts: dict[str, Callable[[], object]] = {
            "pass": lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
            "import": lambda: subprocess.run([sys.executable, "-c", "import _duckdb"], check=True),
            "--version": lambda: subprocess.run([ENGINE, "--version"], capture_output=True, check=True),
            "discover": lambda: engine(folder, "discover", "--pipeline", "landing"),
        }
        # In turn, so that all of them meet the machine as it is.
        taken_by = {name: 1e9 for name in starts}
        for _ in range(15):
            for name, start in starts.items():
                taken_by[name] = min(taken_by[name], processor_seconds(start, 1))
        nothing = taken_by["pass"]
        imported = f"{taken_by['import'] * 1000:.0f} ms, {taken_by['import'] / nothing:.1f} x"
        record("a Python that imports DuckDB and does nothing", imported, "none", True)
        for what, limit in (("--version", 2.25), ("discover", 9.0)):
            taken = taken_by[what]
            measured = f"{taken * 1000:.0f} ms, {taken / nothing:.1f} x"
            shown = f"{limit} x `python -c pass` ({nothing * 1000:.0f} ms)"
            record(f"rocky-local {what}", measured, shown, taken <= limit * nothing)
        year = RUNS[-1]
        engine(folder, *RUNS[0])
        engine(folder, *RUNS[1])
        hooked = seconds(lambda: engine(folder, *year), 3)
        config = folder / "rocky.toml"
        config.write_text(config.read_text().split("[[hook.")[0])
        plain = seconds(lambda: engine(folder, *year), 3)
        record("a hook, for each table or partition", f"{(hooked - plain) / 365 * 1000:.1f} ms", "none", True)
        idle_script = Path(temporary) / "nothing.json"
        idle_script.write_text("[]")
        idle_bare = [sys.executable, "-c", BARE, str(folder / "flights.duckdb"), str(idle_script)]
        idle_floor = seconds(lambda: subprocess.run(idle_bare, check=True), 7)
        idle = seconds(lambda: engine(folder, "run", "--pipeline", "landing", "--filter", "id=none"), 7)
        total, floor, spent, least, count = 0.0, 0.0, 0.0, 0.0, 0
        for args in RUNS:
            engine(folder, *args)
            script = Path(temporary) / "statements.json"
            found = statements(folder, args)
            script.write_text(json.dumps(found))
            count += len(found)
            bare = [sys.executable, "-c", BARE, str(folder / "flights.duckdb"), str(script)]
            timed, bare_timed, processor, bare_processor = [], [], [], []
            for _ in range(3):
                begin = time.perf_counter()
                processor.append(processor_seconds(lambda args=args: engine(folder, *args), 1))
                middle = time.perf_counter()
                bare_processor.append(
                    processor_seconds(lambda bare=bare: subprocess.run(bare, check=True), 1)
                )
                timed.append(middle - begin)
                bare_timed.append(time.perf_counter() - middle)
            print(
                f"     {' '.join(args)}: {min(timed):.2f} s, bare {min(bare_timed):.2f} s; "
                f"processor {min(processor):.2f} s, bare {min(bare_processor):.2f} s",
                flush=True,
            )
            total, floor = total + min(timed), floor + min(bare_timed)
            spent, least = spent + min(processor), least + min(bare_processor)
        work, bare_work = total - len(RUNS) * idle, floor - len(RUNS) * idle_floor
        for what, taken, bare_taken in (
            (f"the whole example, {count} statements", total, floor),
            ("the same without the starts of the processes", work, bare_work),
            ("the same in processor time, starts and all", spent, least),
        ):
            measured = f"{taken:.2f} s, bare {bare_taken:.2f} s, {taken / bare_taken:.2f} x"
            record(what, measured, "1.10 x", taken <= 1.10 * bare_taken)
    print("\n| what | measured | limit |\n| --- | --- | --- |")
    for what, measured, limit, good in ROWS:
        print(f"| {what} | {measured} | {limit}{'' if good else ' (missed)'} |")
    return 0 if all(good for *_, good in ROWS) else 1


if __name__ == "__main__":
    sys.exit(main())
