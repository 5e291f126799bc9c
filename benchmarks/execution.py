"""What the execution engine costs, each number against its floor in the same run.

    python benchmarks/execution.py [--write] [PART ...]

It uses a SQLite event log in a temporary DAGSTER_HOME and stand-in engines, so that the engine's own work is known. It
exits with 1 when a limit is missed.
"""

import argparse
import gc
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import dagster as dg
import psutil
from report import Row, tell

from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.resource import RockyResource
from support.stand_in import PREAMBLE, run_step, table_asset

ROUNDS = 25
LINE = '{"timestamp":"2026-01-01T00:00:00Z","level":"INFO","fields":{"message":"copying data","table":"wh.s.t","n":%d}}'


def engine(folder: Path, body: str, *, timeout: float = 600, grace: float = 2) -> RockyResource:
    """A stand-in engine of a Python script's body."""
    project = folder / "project"
    project.mkdir(exist_ok=True)
    (project / "rocky.toml").touch()
    script = folder / "stand-in"
    script.write_text(f"#!{sys.executable} -SE\n{PREAMBLE}\n{body}")
    script.chmod(0o755)
    return RockyResource(
        binary_path=str(script),
        config_path=str(project / "rocky.toml"),
        timeout_seconds=timeout,
        termination_grace_seconds=grace,
    )


def in_op(instance: dg.DagsterInstance, body: Callable[[dg.OpExecutionContext], Any]) -> Any:
    """Runs something inside a real op on a real instance; gives back what it returned."""
    out: list[Any] = []

    @dg.op
    def measured(context: dg.OpExecutionContext) -> None:
        out.append(body(context))

    @dg.job
    def bench() -> None:
        measured()

    assert bench.execute_in_process(instance=instance, raise_on_error=True).success
    return out[0]


def flooded(folder: Path, instance: dg.DagsterInstance, count: int) -> tuple[float, float, float, bool]:
    """Lines as fast as a script can write them.

    Returns:
        Seconds that the engine took, that it took with stderr piped to `cat`, those from its end to the end of the
        run, and whether all lines are in the event log in order.
    """
    body = (
        "begin = time.monotonic()\nw = sys.stderr.write\n"
        f"for i in range({count}): w('''{LINE}\n''' % i)\n"
        "sys.stderr.flush()\nsay(result([], engine_seconds=time.monotonic() - begin))"
    )
    resource = engine(folder, body)
    floors = []
    for _ in range(3):
        bare = subprocess.run(
            ["/bin/sh", "-c", f"{{ '{resource.binary_path}' 2>&1 >&3 3>&- | cat >/dev/null; }} 3>&1"],
            stdout=subprocess.PIPE,
            check=True,
        )
        floors.append(json.loads(bare.stdout)["engine_seconds"])

    def run(context: dg.OpExecutionContext) -> tuple[float, float, str]:
        begun = time.monotonic()
        result = resource.run_streaming(context)
        return float(result.model_extra["engine_seconds"]), time.monotonic() - begun, context.run_id  # type: ignore[index]

    spent, wall, run_id = in_op(instance, run)
    lines = [
        line
        for entry in instance.all_logs(run_id)
        if entry.user_message.startswith("rocky: ")
        for line in entry.user_message.split("\n")
        if " n=" in line
    ]
    in_order = [int(line.rsplit("n=", 1)[1]) for line in lines] == list(range(count))
    return spent, statistics.median(floors), wall - spent, in_order


def flood(folder: Path, instance: dg.DagsterInstance) -> Iterator[Row]:
    """200,000 lines as fast as a script can write them, against the same with stderr piped to cat."""
    spent, floor, after, in_order = flooded(folder, instance, 200_000)
    yield Row(
        "200,000 stderr lines as fast as a script writes them: engine time",
        f"{floor:.2f} s into `cat`",
        f"{spent:.2f} s",
        "1.3 ×",
        spent <= 1.3 * floor,
    )
    yield Row(
        "the same: all lines in the event log, in order, after the engine's end",
        "",
        f"{after:.2f} s",
        "5 s",
        in_order and after < 5,
    )


def trickle(folder: Path, instance: dg.DagsterInstance) -> Iterator[Row]:
    """One line every 50 ms: each an event of its own, soon."""
    count = 60
    body = (
        f"for i in range({count}):\n    log('tick', n=i, at=time.time()); time.sleep(0.05)\nsay(result([]))"
    )
    resource = engine(folder, body)
    run_id = in_op(instance, lambda context: (resource.run_streaming(context), context.run_id)[1])
    delays = []
    for entry in instance.all_logs(run_id):
        if entry.user_message.startswith("rocky: INFO tick"):
            assert "\n" not in entry.user_message, "lines were joined"
            delays.append(entry.timestamp - float(entry.user_message.rsplit("at=", 1)[1]))
    median = statistics.median(delays)
    yield Row(
        "a line every 50 ms: each an event of its own, in the event log after (median)",
        "",
        f"{median * 1000:.0f} ms",
        "250 ms",
        len(delays) == count and median < 0.25,
    )


def pipes_delay(folder: Path, instance: dg.DagsterInstance) -> Iterator[Row]:
    """From the Pipes message to the event in the event log, in a component's step."""
    names = [f"t{i}" for i in range(20)]
    body = (
        f"for name in {names!r}:\n"
        "    pipes('report_asset_materialization', {'asset_key': 'duckdb/x/' + name, 'data_version': None,\n"
        "          'metadata': {'duration_ms': 1, 'strategy': 's', 'watermark': str(time.time())}})\n"
        "    time.sleep(0.1)\n"
        f"time.sleep(0.3)\nsay(result({names!r}))"
    )
    at_once = RunOptions(live_after_seconds=0)
    tables = [table_asset(n) for n in names]
    run = run_step(engine(folder, body), "pipes", tables, options=at_once, instance=instance)
    delays = [
        entry.timestamp - float(entry.asset_materialization.metadata["rocky/watermark"].value)  # type: ignore[union-attr,arg-type]
        for entry in instance.all_logs(run.result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    ]
    median = statistics.median(delays)
    yield Row(
        "from a Pipes message to the event in the event log (median)",
        "",
        f"{median * 1000:.0f} ms",
        "200 ms",
        len(delays) == 20 and median < 0.2,
    )


def overhead(folder: Path, instance: dg.DagsterInstance) -> Iterator[Row]:
    """The three ways to run against the bare process: one table, 90 ms, medians in turn."""
    # Without a message, pipes mode would say so in the event log each time.
    body = (
        "log('copying data', table='wh.kept__x.a')\ntime.sleep(0.07)\nlog('done')\n"
        "pipes('report_asset_materialization', {'asset_key': 'duckdb/x/a', 'data_version': None, 'metadata': {}})\n"
        "say(result(['a']))"
    )
    resource = engine(folder, body)
    folder_of_project = Path(resource.config_path).parent

    def bare() -> None:
        subprocess.run([resource.binary_path, "run"], cwd=folder_of_project, capture_output=True, check=True)

    def run(context: dg.OpExecutionContext) -> dict[str, list[float]]:
        ways: dict[str, Callable[[], Any]] = {
            "bare": bare,
            "run": resource.run,
            "run_streaming": lambda: resource.run_streaming(context),
            "run_pipes": lambda: resource.run_pipes(context),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                begin = time.monotonic()
                way()
                times[name].append(time.monotonic() - begin)
        return times

    times = in_op(instance, run)
    floor = statistics.median(times["bare"])
    for name, limit in {"run": 8, "run_streaming": 15, "run_pipes": 20}.items():
        more = (statistics.median(times[name]) - floor) * 1000
        yield Row(
            f"`{name}` (median of {ROUNDS}, in turn)",
            f"{floor * 1000:.0f} ms for the bare process",
            f"{more:+.1f} ms",
            f"+{limit} ms",
            more < limit,
        )


class PeakMemory:
    """The growth of this process's resident memory while a block runs."""

    def __enter__(self) -> "PeakMemory":
        gc.collect()
        self._process = psutil.Process()
        self.start = self.peak = self._process.memory_info().rss
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            self.peak = max(self.peak, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        """In bytes."""
        return self.peak - self.start


def memory_lines(folder: Path, instance: dg.DagsterInstance) -> Iterator[Row]:
    """Half a million stderr lines."""
    body = (
        f"w = sys.stderr.write\nfor i in range(500_000): w('''{LINE}\\n''' % i)\n"
        "sys.stderr.flush()\nsay(result([]))"
    )
    resource = engine(folder, body)

    def run(context: dg.OpExecutionContext) -> int:
        with PeakMemory() as memory:
            resource.run_streaming(context)
        return memory.growth

    growth = in_op(instance, run)
    yield Row(
        "500,000 stderr lines: growth of peak memory",
        "",
        f"{growth / 2**20:.0f} MiB",
        "64 MiB",
        growth < 64 * 2**20,
    )


def memory_json(folder: Path) -> Iterator[Row]:
    """A stdout JSON of 100 MB, in processes of their own: parsed by us, and held by pydantic alone."""
    path = folder / "big.json"
    one = json.dumps(
        {
            "asset_key": ["duckdb", "x", "t"],
            "duration_ms": 1,
            "metadata": {"strategy": "full_refresh"},
            "note": "n" * 100,
        }
    )
    with path.open("w") as f:
        f.write('{\n"version": "1", "command": "run", "status": "Success", "materializations": [\n')
        for _ in range(100_000_000 // (len(one) + 2)):
            f.write(one + ",\n")
        f.write(one + "\n]}\n")
    (folder / "project" / "rocky.toml").parent.mkdir(exist_ok=True)
    (folder / "project" / "rocky.toml").touch()
    script = folder / "cat-big"
    script.write_text(f"#!/bin/sh\nexec cat '{path}'\n")
    script.chmod(0o755)
    measure = (
        "import resource, sys, gc\nfrom pathlib import Path\n"
        "from dagster_rocky.results import RunResult\nfrom dagster_rocky.resource import RockyResource\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n{}\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    config = folder / "project" / "rocky.toml"
    ours = measure.format(
        f"r = RockyResource(binary_path={str(script)!r}, config_path={str(config)!r}).run()"
    )
    floor = measure.format(f"r = RunResult.model_validate_json(Path({str(path)!r}).read_bytes())")
    with ThreadPoolExecutor() as both:
        grown = [
            *both.map(lambda code: int(subprocess.check_output([sys.executable, "-c", code])), (ours, floor))
        ]
    yield Row(
        "100 MB of JSON on stdout: peak memory",
        f"{grown[1] / 1024:.0f} MiB for pydantic alone",
        f"{grown[0] / 1024:.0f} MiB",
        "2 ×",
        grown[0] <= 2 * grown[1],
    )


def cancel(folder: Path) -> Iterator[Row]:
    """From the request to no process left."""
    for name, ignore, limit in (
        ("an engine that obeys SIGTERM", "", 1.0),
        (
            "an engine that ignores it, with 2 s of grace",
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n",
            3.0,
        ),
    ):
        resource = engine(folder, f"{ignore}open('up', 'w').close()\n[time.sleep(1) for _ in range(60)]")
        up = Path(resource.config_path).parent / "up"
        times = []
        for _ in range(3):
            up.unlink(missing_ok=True)
            with resource.invoke(RunRequest(options=resource.options()), mode="buffered") as invocation:
                while not up.exists():
                    time.sleep(0.01)
                begin = time.monotonic()
                invocation.terminate()
                list(invocation.remaining_events())
                times.append(time.monotonic() - begin)
                assert not psutil.pid_exists(invocation.pid)
        worst = max(times)
        yield Row(
            f"cancel: from the request to no process left, {name}",
            "",
            f"{worst:.2f} s",
            f"{limit:g} s",
            worst < limit,
        )


def measure(wanted: set[str]) -> Iterator[Row]:
    """The parts that are wanted, or all of them."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        home = folder / "home"
        home.mkdir()
        (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        os.environ["DAGSTER_HOME"] = str(home)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with dg.DagsterInstance.get() as instance:
            for part in (flood, trickle, pipes_delay, overhead, memory_lines):
                if not wanted or part.__name__ in wanted:
                    yield from part(folder, instance)
        for alone in (memory_json, cancel):
            if not wanted or alone.__name__ in wanted:
                yield from alone(folder)


def main() -> int:
    """All of it; 0 when every limit is kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    chosen = parser.parse_args()
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - the compute log of a step goes to a file, not to a terminal
    return tell("execution", measure({*chosen.parts}), write=chosen.write)


if __name__ == "__main__":
    sys.exit(main())
