"""What the pieces of a range built before a cancellation stays in the event log."""

import os
import re
import signal
import threading
import time
from pathlib import Path

import dagster as dg
import pytest

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
