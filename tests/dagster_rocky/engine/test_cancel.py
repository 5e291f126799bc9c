"""Cancelling: nothing is left behind, and what the engine had finished is in the event log."""

import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psutil
import pytest

from dagster_rocky.engine import process
from dagster_rocky.resource import RockyResource
from support.forking import ForkedProcess, cancelled_step
from support.homes import make_home

Make = Callable[..., RockyResource]

LIVE = textwrap.dedent("""
    import subprocess
    child = subprocess.Popen(["sleep", "60"])
    for name in "ab":
        hook(name)
        pipes("report_asset_materialization", {"asset_key": "duckdb/x/" + name, "data_version": None,
              "metadata": {"duration_ms": 5, "strategy": "full_refresh",
                           "target_table_full_name": "wh.kept__x." + name}})
    open("pids", "w").write(f"{os.getpid()} {child.pid}")
    time.sleep(60)
""")
OBEYS = LIVE
IGNORES = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + LIVE.replace(
    '["sleep", "60"]', '["sh", "-c", "trap : TERM; sleep 60; sleep 60"]'
).replace("time.sleep(60)", "[time.sleep(1) for _ in range(60)]")
GRACEFUL = """
    def stop(*_):
        sys.stderr.write("[rocky] shutdown signal received\\n")
        say(result(["a", "b"], interrupted=True)); os._exit(130)
    signal.signal(signal.SIGTERM, stop)
    open("pids", "w").write(f"{os.getpid()}")
    time.sleep(60)
"""


@contextmanager
def started(resource: RockyResource, mode: str, home: Path, grace: float) -> Iterator[ForkedProcess]:
    """The run in a process of its own, from the moment when the engine works."""
    make_home(home)
    pids = Path(resource.config_path).parent / "pids"
    with open(os.devnull, "w") as nowhere:
        driver = cancelled_step().start(
            [resource.binary_path, resource.config_path, mode, str(grace)],
            cwd=Path.cwd(),
            env={**os.environ, "DAGSTER_HOME": str(home)},
            stdout=nowhere.fileno(),
            stderr=nowhere.fileno(),
        )
    try:
        deadline = time.monotonic() + 240
        while not (pids.exists() and pids.read_text()):
            assert time.monotonic() < deadline, "the engine did not start"
            assert driver.poll() is None, "the run ended by itself"
            time.sleep(0.02)
        yield driver
    finally:
        driver.kill()
        driver.wait()


def engine_pids(resource: RockyResource) -> list[int]:
    return [int(p) for p in (Path(resource.config_path).parent / "pids").read_text().split()]


def alive(pids: list[int]) -> list[int]:
    found = []
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except psutil.NoSuchProcess:
            continue
    return found


def wait_until_gone(pids: list[int], seconds: float) -> float:
    """Seconds until none of the processes is left."""
    begin = time.monotonic()
    while alive(pids):
        assert time.monotonic() - begin < seconds, f"still alive after {seconds} s: {alive(pids)}"
        time.sleep(0.01)
    return time.monotonic() - begin


def materialized(home: Path) -> tuple[set[str], str]:
    """What the event log has of the run: materialized tables, and the run's status."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run = instance.get_runs()[0]
        logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        return {e.dagster_event.asset_key.path[-1] for e in logs}, run.status.value  # type: ignore[union-attr]


def summary(home: Path) -> str:
    """What the run says of itself after it was cancelled, on one line and a table."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        logs = instance.all_logs(instance.get_runs()[0].run_id)
        return next(text for entry in logs if "Cancelled:" in (text := entry.user_message))


@pytest.mark.parametrize(("behaviour", "grace"), [(OBEYS, 5.0), (IGNORES, 0.5)], ids=["obeys", "ignores"])
def test_cancel_leaves_nothing_and_keeps_what_was_finished(
    make_engine: Make, mode: str, tmp_path: Path, behaviour: str, grace: float
) -> None:
    resource = make_engine(behaviour)
    with started(resource, mode, tmp_path / "home", grace) as driver:
        pids = engine_pids(resource)
        driver.send_signal(signal.SIGTERM)
        took = wait_until_gone(pids, 15)
        driver.wait(120)

    assert took < (1.0 if behaviour is OBEYS else grace + 1.0) + 0.5
    tables, status = materialized(tmp_path / "home")
    assert tables == {"a", "b"}
    assert status in ("FAILURE", "CANCELED")
    assert "2 of 3 finished" in summary(tmp_path / "home")


def test_graceful_stop_emits_what_its_json_lists(make_engine: Make, mode: str, tmp_path: Path) -> None:
    resource = make_engine(GRACEFUL)
    with started(resource, mode, tmp_path / "home", 5.0) as driver:
        pids = engine_pids(resource)
        driver.send_signal(signal.SIGINT)
        wait_until_gone(pids, 10)
        driver.wait(120)

    tables, status = materialized(tmp_path / "home")
    assert tables == {"a", "b"}
    assert status in ("FAILURE", "CANCELED")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the parent-death signal is Linux's")
def test_the_engine_does_not_outlive_a_step_that_is_killed_hard(
    make_engine: Make, mode: str, tmp_path: Path
) -> None:
    resource = make_engine(IGNORES.replace('["sh", "-c", "trap : TERM; sleep 60; sleep 60"]', '["true"]'))
    with started(resource, mode, tmp_path / "home", 5.0) as driver:
        pids = engine_pids(resource)[:1]
        driver.kill()
        wait_until_gone(pids, 5)


def test_spool_of_a_killed_step_is_swept_by_the_next_run(
    make_engine: Make, tmp_path: Path, monkeypatch
) -> None:
    spools = tmp_path / "tmp"
    spools.mkdir()
    monkeypatch.setenv("TMPDIR", str(spools))
    monkeypatch.setattr("tempfile.tempdir", None)
    resource = make_engine(OBEYS)
    with started(resource, "pipes", tmp_path / "home", 5.0) as driver:
        assert len(list(spools.glob("dagster-rocky-[0-9]*"))) == 1
        driver.kill()
        driver.wait()

    make_engine('say(result(["a"]))').run()
    assert list(spools.glob("dagster-rocky-[0-9]*")) == []


def test_a_closed_invocation_ends_its_process(make_engine: Make, mode: str) -> None:
    from dagster_rocky.engine.request import RunRequest

    resource = make_engine(OBEYS)
    context = dg.build_op_context()
    with resource.invoke(RunRequest(), mode=mode, context=context) as invocation:
        events = iter(invocation)
        next(events)
        pids = [invocation.pid]
        events.close()  # type: ignore[attr-defined]
    assert alive(pids) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the parent-death signal is Linux's")
@pytest.mark.parametrize(
    "setpriv", [None, "#!/bin/sh\necho unknown option >&2; exit 1\n"], ids=["none", "too-old"]
)
def test_systems_without_a_usable_setpriv_run_the_engine_too(
    make_engine: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setpriv: str | None
) -> None:
    path = tmp_path / "setpriv"
    if setpriv is not None:
        path.write_text(setpriv)
        path.chmod(0o755)
    monkeypatch.setattr(
        "shutil.which", lambda name, **_: str(path) if setpriv and name == "setpriv" else None
    )
    process._launcher.cache_clear()
    try:
        assert [m.asset_key[-1] for m in make_engine('say(result(["a"]))').run().materializations] == ["a"]
        assert process._launcher()[1] is not None
    finally:
        process._launcher.cache_clear()
