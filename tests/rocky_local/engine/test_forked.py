"""A forked engine ends as one that is started anew: by its own code, by a signal, with whoever asked for it."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.forking import rocky_local

from .conftest import ENGINE, Project
from .test_process_manners import HEAVY


@pytest.fixture
def working(marts: Project) -> Project:
    """A project whose second model takes long."""
    marts.model("a_quick", "SELECT 1 AS x")
    marts.model("b_heavy", HEAVY)
    return marts


def _started(binary: Path, project: Project) -> subprocess.Popen[bytes]:
    """The engine, from the moment when it is at the second model."""
    log = project.root / "stderr.txt"
    with log.open("wb") as stderr:
        process = subprocess.Popen([binary, "run"], cwd=project.root, stdout=subprocess.PIPE, stderr=stderr)
    deadline = time.monotonic() + 30
    while '"model":"b_heavy"' not in log.read_text():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.01)
    return process


def _holds_the_database(project: Project) -> bool:
    opened = (project.root / "lake.duckdb").resolve()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.resolve() == opened:
                return True
        except OSError:
            continue
    return False


@pytest.mark.parametrize("argv", [["--version"], ["nonsense"], ["-o", "json", "run"], ["validate"]])
def test_it_says_what_the_real_one_says(marts: Project, argv: list[str]) -> None:
    marts.model("a_quick", "SELECT 1 AS x")
    ends = []
    for binary in (ENGINE, rocky_local().script):
        done = subprocess.run([binary, *argv], cwd=marts.root, capture_output=True, check=False)
        ends.append((done.returncode, len(done.stdout.splitlines()), len(done.stderr.splitlines())))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_on_and_is_the_end(working: Project, number: signal.Signals) -> None:
    process = _started(rocky_local().script, working)
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (-number, b"")
    assert not _holds_the_database(working)


def test_it_ends_with_whoever_asked_for_it(working: Project) -> None:
    process = _started(rocky_local().script, working)
    assert _holds_the_database(working)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    deadline = time.monotonic() + 10
    while _holds_the_database(working):
        assert time.monotonic() < deadline
        time.sleep(0.02)
