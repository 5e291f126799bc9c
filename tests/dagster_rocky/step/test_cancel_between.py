"""What the pieces of a range built before a cancellation stays in the event log."""

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_rocky.engine.locks import engine_locks
from dagster_rocky.engine.logs.forward import LogForwarder
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.planning.plan import PlannedRun, Unit
from support.stand_in import run_step, table_asset

ENGINE = """
name = sys.argv[sys.argv.index("--filter") + 1].partition("=")[2]
if name == "b":
    open(os.path.join(os.path.dirname(sys.argv[0]), "started"), "w").close()
    time.sleep(30)
say(result([name]))
"""


@pytest.mark.timeout(60)
def test_what_an_earlier_engine_run_finished_stays(make_engine, mode: str, tmp_path: Path) -> None:
    resource = make_engine(ENGINE)
    assets = [table_asset(name) for name in "abc"]
    plan = [
        PlannedRun(
            request=RunRequest(filter=f"table={asset.name}", options=resource.options()), units=(Unit(asset),)
        )
        for asset in assets
    ]

    def interrupt() -> None:
        while not (tmp_path / "started").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    instance = dg.DagsterInstance.ephemeral()
    ran = run_step(resource, mode, assets, plan=plan, instance=instance)

    assert not ran.success
    told = {
        asset.name: instance.get_latest_materialization_event(asset.asset_key) is not None for asset in assets
    }
    assert told == {"a": True, "b": False, "c": False}

    (failed,) = [event for event in ran.result.all_events if event.is_step_failure]
    error = failed.step_failure_data.error
    assert error is not None
    assert error.stack == []
    summary, *table = error.message.splitlines()
    assert re.fullmatch(
        r"Cancelled: 1 of 3 finished, 2 not finished; the engine was stopped after \d+\.\d s\.", summary
    )
    assert [line.split() for line in table] == [
        ["not", "finished", "duckdb/x/b"],
        ["not", "finished", "duckdb/x/c"],
        ["materialized", "duckdb/x/a"],
    ]


@pytest.mark.timeout(60)
def test_what_was_finished_is_told_when_the_interruption_comes_while_dagster_stores_it(
    make_engine, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = make_engine(
        'open(os.path.join(os.path.dirname(sys.argv[0]), "runs"), "a").write("x")\nsay(result(list("abc")))'
    )
    assets = [table_asset(name) for name in "abcd"]
    request = RunRequest(options=resource.options())
    plan = [
        PlannedRun(request=request, units=tuple(Unit(asset) for asset in assets[:3])),
        PlannedRun(request=request, units=(Unit(assets[3]),)),
    ]
    store, stored = dg.DagsterInstance.handle_new_event, []

    def interrupted_store(self, entry, **more):
        if entry.dagster_event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            stored.append(entry.dagster_event.asset_key.path[-1])
            if len(stored) == 1:
                os.kill(os.getpid(), signal.SIGINT)
        store(self, entry, **more)

    monkeypatch.setattr(dg.DagsterInstance, "handle_new_event", interrupted_store)
    ran = run_step(resource, mode, assets, plan=plan)

    assert stored == ["a", "b", "c"]
    assert (tmp_path / "runs").read_text() == "x"
    (failed,) = [event for event in ran.result.all_events if event.is_step_failure]
    assert failed.step_failure_data.error.message.startswith("Cancelled: 3 of 4 finished, 1 not finished")

    again = run_step(resource, mode, assets[:3])
    assert again.success


@pytest.mark.timeout(60)
def test_a_step_that_waits_for_its_turn_ends_with_a_summary_too(
    make_engine, mode: str, tmp_path: Path
) -> None:
    resource = make_engine("say(result(['a']))")
    (files,) = [resource.engine().locked_files().paths]
    with engine_locks(files, timeout_seconds=1, logger=None):
        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        ran = run_step(resource, mode, [table_asset("a")])
    (failed,) = [event for event in ran.result.all_events if event.is_step_failure]
    error = failed.step_failure_data.error
    assert (
        error.message.splitlines()[0] == "Cancelled: 0 of 1 finished, 1 not finished; no engine was running."
    )
    assert error.stack == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("method", ["run", "run_streaming", "run_pipes"])
def test_a_cancelled_asset_of_the_users_own_says_so_in_one_line(
    make_engine, tmp_path: Path, method: str
) -> None:
    resource = make_engine(
        'open(os.path.join(os.path.dirname(sys.argv[0]), "started"), "w").close()\ntime.sleep(30)'
    )

    @dg.asset
    def copies(context: dg.AssetExecutionContext) -> None:
        getattr(resource, method)(*([] if method == "run" else [context]))

    def interrupt() -> None:
        while not (tmp_path / "started").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    result = dg.materialize([copies], raise_on_error=False)

    (failed,) = [event for event in result.all_events if event.is_step_failure]
    error = failed.step_failure_data.error
    assert re.fullmatch(r"Cancelled: the engine was stopped after \d+\.\d s\.", error.message)
    assert error.stack == []


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_whose_error_python_drops_ends_the_step(
    make_engine, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = make_engine("time.sleep(300)", timeout_seconds=300)
    forward, cleaned_up = LogForwarder.pump, []

    class CleanedUp:
        def __del__(self) -> None:
            cleaned_up.append(True)
            signal.raise_signal(signal.SIGTERM)

    def pump(self: LogForwarder) -> None:
        forward(self)
        if not cleaned_up:
            CleanedUp()

    monkeypatch.setattr(LogForwarder, "pump", pump)
    ran = run_step(resource, mode, [table_asset("a")])
    assert not ran.success
    (failed,) = [event for event in ran.result.all_events if event.is_step_failure]
    assert failed.step_failure_data.error.message.startswith("Cancelled: ")


@pytest.mark.timeout(60)
def test_an_interruption_of_a_storage_at_work_does_not_lock_the_step_out_of_it(
    make_engine, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = make_engine('say(result(["a"]))\nlog("at work")')
    store, lock, interrupted = dg.DagsterInstance.handle_new_event, threading.Lock(), []

    def connection() -> Iterator[None]:
        assert lock.acquire(timeout=20), "whoever was interrupted still has the lock"
        try:
            yield
        finally:
            lock.release()

    def locked_store(self: dg.DagsterInstance, entry: Any, **more: Any) -> None:
        connected = connection()
        next(connected)
        if not interrupted and "at work" in entry.message:
            interrupted.append(entry)
            signal.raise_signal(signal.SIGINT)
        store(self, entry, **more)
        connected.close()

    monkeypatch.setattr(dg.DagsterInstance, "handle_new_event", locked_store)
    ran = run_step(resource, mode, [table_asset("a")])
    assert interrupted
    assert not ran.success
    (failed,) = [event for event in ran.result.all_events if event.is_step_failure]
    assert failed.step_failure_data.error.message.startswith("Cancelled: 1 of 1 finished")
