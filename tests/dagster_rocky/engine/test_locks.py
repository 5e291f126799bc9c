"""Runs that would collide on the state or the warehouse file wait for each other."""

import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from dagster_rocky.engine.command import Engine
from dagster_rocky.engine.locks import engine_locks
from dagster_rocky.resource import RockyResource
from support.stand_in import run_step, table_asset

Make = Callable[..., RockyResource]
A = table_asset("a")

EXCLUSIVE = """
    try:
        fd = os.open("busy", os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        sys.stderr.write("Error: Conflicting lock is held\\n"); sys.exit(1)
    time.sleep(0.5); os.remove("busy")
    say(result(["a"]))
"""


class Recorder:
    """A logger that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def log(self, level: int, msg: object, /) -> None:
        self.said.append(str(msg))


def wait_for(condition: Callable[[], bool]) -> None:
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < 30
        time.sleep(0.005)


def test_two_steps_on_one_state_queue(make_engine: Make, mode: str) -> None:
    engine = make_engine(EXCLUSIVE)
    runs = []
    threads = [threading.Thread(target=lambda: runs.append(run_step(engine, mode, [A]))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [run.success for run in runs] == [True, True]
    waited = [line for run in runs for line in run.logs if "waiting for another run" in line]
    assert len(waited) == 1


def test_waiting_ends_with_the_timeout(make_engine: Make, mode: str) -> None:
    engine = make_engine('say(result(["a"]))', timeout_seconds=0.5)
    state = Path(engine.config_path).parent / ".rocky-state"
    with engine_locks([state], timeout_seconds=1, logger=None):
        outcome: list[object] = []
        thread = threading.Thread(target=lambda: outcome.append(run_step(engine, mode, [A])))
        thread.start()
        thread.join(30)
    run = outcome[0]
    assert not run.success  # type: ignore[attr-defined]
    assert "held" in str(run.failure.description)  # type: ignore[attr-defined]
    assert ".rocky-state" in str(run.failure.description)  # type: ignore[attr-defined]


def test_a_lock_of_a_dead_process_is_no_obstacle(tmp_path: Path) -> None:
    state = tmp_path / "state.redb"
    code = (
        "import sys, time, pathlib\n"
        "from dagster_rocky.engine.locks import engine_locks\n"
        f"with engine_locks([pathlib.Path({str(state)!r})], timeout_seconds=5, logger=None):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    with (
        pytest.raises(dg.Failure, match="Another run held"),
        engine_locks([state], timeout_seconds=0.2, logger=None),
    ):
        pass
    holder.kill()
    holder.wait()
    begin = time.monotonic()
    with engine_locks([state], timeout_seconds=5, logger=None):
        assert time.monotonic() - begin < 2


def test_waiters_come_in_the_order_of_their_arrival_and_know_whom_they_wait_for(tmp_path: Path) -> None:
    warehouse = tmp_path / "wh.duckdb"
    order: list[int] = []
    recorder = Recorder()

    def run(number: int) -> None:
        with engine_locks([warehouse], timeout_seconds=30, logger=recorder, dagster_run=f"run-{number}"):
            order.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    with engine_locks([warehouse], timeout_seconds=5, logger=None, dagster_run="the-first"):
        for number, thread in enumerate(threads, start=1):
            thread.start()
            wait_for(lambda: len(recorder.said) == number)  # noqa: B023
    for thread in threads:
        thread.join()

    assert order == list(range(6))
    assert all(f"process {os.getpid()} of Dagster run the-first, since 20" in text for text in recorder.said)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".wh.duckdb.rocky-lock"]
    assert stat.S_IMODE((tmp_path / ".wh.duckdb.rocky-lock").stat().st_mode) == 0o600


def test_a_dead_waiter_holds_nobody_up(tmp_path: Path) -> None:
    state = tmp_path / "state"
    code = (
        "import pathlib\n"
        "from dagster_rocky.engine.locks import engine_locks\n"
        "class Said:\n"
        "    def log(self, *_): print('waiting', flush=True)\n"
        f"with engine_locks([pathlib.Path({str(state)!r})], timeout_seconds=60, logger=Said()): pass\n"
    )
    with engine_locks([state], timeout_seconds=5, logger=None):
        waiter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert waiter.stdout is not None
        waiter.stdout.readline()
        assert (tmp_path / ".state.rocky-lock.queue").is_dir()
        waiter.kill()
        waiter.wait()
    with engine_locks([state], timeout_seconds=5, logger=None):
        pass


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "second-name", "queue-link"])
def test_what_stands_in_a_locks_place_is_refused_and_not_followed(tmp_path: Path, kind: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    place = tmp_path / ".wh.duckdb.rocky-lock"
    if kind == "link":
        place.symlink_to(precious)
    elif kind == "folder":
        place.mkdir()
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "second-name":
        place.hardlink_to(precious)
    else:
        place.with_name(f"{place.name}.queue").symlink_to(tmp_path)
    with (
        pytest.raises(dg.Failure, match=r"The lock file .*/\.wh\.duckdb\.rocky-lock.* is .*remove it"),
        engine_locks([tmp_path / "wh.duckdb"], timeout_seconds=1, logger=None),
    ):
        pass
    assert precious.read_text() == "keep me"


def test_where_no_file_can_be_made_the_users_own_folder_takes_the_lock(tmp_path: Path, monkeypatch) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    recorder = Recorder()
    nowhere = Path("/proc/nowhere/wh.duckdb")
    with engine_locks([nowhere], timeout_seconds=1, logger=recorder):
        assert "no lock file can be made beside /proc/nowhere/wh.duckdb" in recorder.said[0]
        assert str(runtime) in recorder.said[0]
        with (
            pytest.raises(dg.Failure, match="Another run held"),
            engine_locks([nowhere], timeout_seconds=0.1, logger=None),
        ):
            pass


def test_a_runtime_folder_that_others_may_write_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"dagster-rocky-{os.getuid()}").mkdir()
    (tmp_path / f"dagster-rocky-{os.getuid()}").chmod(0o777)
    with (
        pytest.raises(dg.Failure, match=r"Cannot keep lock files in .*open to other users.*TMPDIR"),
        engine_locks([Path("/proc/nowhere/wh.duckdb")], timeout_seconds=1, logger=None),
    ):
        pass


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        ({}, ["models/.rocky-state", "wh.duckdb"]),
        ({"state_path": "models/.rocky-state.redb"}, ["models/.rocky-state", "wh.duckdb"]),
        ({"state_path": "x.local.sqlite"}, ["x", "wh.duckdb"]),
        ({"state_namespace": "eu"}, ["models/.rocky-state/eu", "wh.duckdb"]),
    ],
)
@pytest.mark.parametrize(
    "config",
    [
        '[adapter]\ntype = "duckdb"\npath = "${WAREHOUSE:-wh.duckdb}"',
        '\ufeff[adapters.x]\ntype = "duckdb"\npath = "wh.duckdb"\n[adapters.y]\ntype = "duckdb"\npath = ":memory:"',
    ],
)
def test_both_engines_queue_on_the_same_files(
    tmp_path: Path, settings: dict[str, str], places: list[str], config: str
) -> None:
    (tmp_path / "models").mkdir()
    path = tmp_path / "rocky.toml"
    path.write_text(config, encoding="utf-8")
    locked = [
        Engine(binary=binary, config=path, **settings).locked_files() for binary in ("rocky", "rocky-local")
    ]

    assert locked[0] == locked[1]
    assert [str(found.relative_to(tmp_path)) for found in locked[0].paths] == places
    assert locked[0].problem is None


@pytest.mark.parametrize("suffix", [".redb", ".local.sqlite"])
def test_a_state_file_beside_the_config_stays_where_it_is(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / f".rocky-state{suffix}").touch()
    engine = Engine(binary="rocky", config=tmp_path / "rocky.toml")

    assert engine.locked_files().paths[0] == tmp_path / ".rocky-state"


def test_a_config_that_cannot_be_read_loses_no_lock_in_silence(make_engine: Make, mode: str) -> None:
    engine = make_engine('say(result(["a"]))')
    Path(engine.config_path).write_text("[adapter\n")
    run = run_step(engine, mode, [A])

    assert any(
        "rocky.toml cannot be read" in line and "no lock of its DuckDB file" in line for line in run.logs
    )
