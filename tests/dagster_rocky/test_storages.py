"""The storages in memory that the tests share parts of hold what Dagster's own hold."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("storages")
_PROGRAM = """
import re, sys
sys.path.insert(0, sys.argv[1])
import dagster as dg
from support import storages

@dg.multi_asset(
    specs=[dg.AssetSpec("a"), dg.AssetSpec("b", deps=["a"])], check_specs=[dg.AssetCheckSpec("c", asset="b")]
)
def step(context):
    yield dg.MaterializeResult(asset_key="a", metadata={"rows": 1}, tags={"mark": "7"})
    context.log.info("between")
    yield dg.MaterializeResult(asset_key="b", check_results=[dg.AssetCheckResult(passed=False, check_name="c")])

def tell():
    instance = dg.DagsterInstance.ephemeral()
    for count in (1, 2):
        done = dg.materialize([step], instance=instance, raise_on_error=False, tags={"nth": str(count)})
    entries = instance.all_logs(done.run_id)
    print([(re.sub(r"[0-9.]+", "#", entry.user_message), entry.is_dagster_event) for entry in entries])
    latest = instance.get_latest_materialization_events([dg.AssetKey("a")])[dg.AssetKey("a")]
    print([run.tags["nth"] for run in instance.get_runs()], latest.asset_materialization.metadata)
    for storage in (instance.event_log_storage, instance.run_storage):
        connection = storage._held_conn
        print(connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2").fetchall())
        print(connection.exec_driver_sql("SELECT * FROM alembic_version").fetchall())

tell()
storages.share()
tell()
tell()
store = storages._store

def odd(storage, event):
    if "odd" in event.user_message:
        raise OSError("no space")
    store(storage, event)

storages._store = odd

@dg.op
def say(context):
    for word in ("first", "odd", "last"):
        context.log.info(word)

@dg.job
def job():
    say()

instance = dg.DagsterInstance.ephemeral()
run_id = job.execute_in_process(instance=instance).run_id
try:
    instance.all_logs(run_id)
except OSError as error:
    print(error)
print([e.user_message for e in instance.all_logs(run_id) if e.user_message in ("first", "odd", "last")])
"""


@pytest.fixture(scope="module")
def told() -> list[str]:
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tests)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_shared_storages_hold_the_same(told: list[str]):
    plain, first, second = told[:6], told[6:12], told[12:18]
    assert "between" in plain[0]
    assert plain == first == second


def test_an_event_that_cannot_be_stored_takes_no_other_with_it(told: list[str]):
    assert told[18:] == ["no space", "['first', 'last']"]
