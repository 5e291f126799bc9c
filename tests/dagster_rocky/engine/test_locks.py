"""Runs that would collide on the state or the warehouse file wait for each other."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

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
    state = Path(engine.config_path).parent / ".rocky-state.redb"
    with engine_locks([state], timeout_seconds=1, logger=None):
        outcome: list[object] = []
        thread = threading.Thread(target=lambda: outcome.append(run_step(engine, mode, [A])))
        thread.start()
        thread.join(30)
    run = outcome[0]
    assert not run.success  # type: ignore[attr-defined]
    assert "held" in str(run.failure.description)  # type: ignore[attr-defined]
    assert ".rocky-state.redb" in str(run.failure.description)  # type: ignore[attr-defined]


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
