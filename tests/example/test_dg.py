"""The `dg` command line on the example project: list, check, and launch an asset, a partition and a range."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import duckdb
import pytest

pytestmark = pytest.mark.xdist_group("example")

BIN = Path(sys.executable).parent
DAILY = "key:flights/marts/daily_flights"


def materialized() -> list[tuple[str, str | None]]:
    """What was materialized in this test's Dagster home: the asset and its partition, in order."""
    found = []
    with dg.DagsterInstance.get() as instance:
        for run in instance.get_run_records(ascending=True):
            for entry in instance.all_logs(run.dagster_run.run_id):
                event = entry.dagster_event
                if event is not None and event.event_type_value == "ASSET_MATERIALIZATION":
                    key = event.asset_key
                    assert key is not None
                    found.append((key.to_user_string(), event.partition))
    return found


def test_the_graph_is_one(dg_command: Callable[..., str]):
    listed = json.loads(dg_command("list", "defs", "--json"))
    assets = {asset["asset_key"]: asset for asset in listed["assets"]}
    assert len(assets) == 17 + 9  # and the tables that are copied
    neighbours: dict[str, set[str]] = {key: set() for key in assets}
    for key, asset in assets.items():
        for dep in asset["dependency_keys"]:
            if dep in assets:
                neighbours[key].add(dep)
                neighbours[dep].add(key)
    reached, edge = set(), {"flights/marts/monthly_flights"}
    while edge:
        reached |= edge
        edge = set().union(*(neighbours[key] for key in edge)) - reached
    assert reached == set(assets)
    assert set(assets["flights/staging/stg_flights"]["dependency_keys"]) == {
        "duckdb/ewr/ops/flights", "duckdb/jfk/ops/flights", "duckdb/lga/ops/flights"
    }  # fmt: skip
    assert assets["flights/marts/monthly_flights"]["dependency_keys"] == ["flights/marts/daily_flights"]
    assert {asset["group_name"] for asset in assets.values()} == {"sources", "landing", "marts", "daily"}
    checks = {f"{check['asset_key']}:{check['name']}" for check in listed["asset_checks"]}
    assert len([name for name in checks if name.endswith(":row_count")]) == 9
    assert "duckdb/all/ref/planes:year_built_known" in checks


def test_the_checks_of_dg_pass(dg_command: Callable[..., str]):
    assert "validated successfully" in dg_command("check", "yaml")
    assert "loaded successfully" in dg_command("check", "defs")


@pytest.mark.timeout(900)
def test_launch_of_an_asset_a_partition_and_a_range(dg_command: Callable[..., str], example: Path):
    in_a_new_process = [BIN / "dg", "launch", "--assets", "key:duckdb/jfk/wx/weather"]
    subprocess.run(in_a_new_process, cwd=example, capture_output=True, check=True)
    assert materialized() == [("duckdb/jfk/wx/weather", None)]
    with duckdb.connect(str(example / "flights.duckdb"), read_only=True) as connection:
        copied = connection.execute("SELECT schema_name FROM duckdb_tables() WHERE schema_name LIKE 'lake%'")
        assert copied.fetchall() == [("lake__jfk__wx",)]

    for engine_run in (["--pipeline", "landing", "--filter", "table=flights"], ["--model", "stg_flights"]):
        subprocess.run(["rocky-local", "run", *engine_run], cwd=example, capture_output=True, check=True)
    before = len(materialized())
    dg_command("launch", "--assets", DAILY, "--partition", "2013-07-04")
    assert materialized()[before:] == [("flights/marts/daily_flights", "2013-07-04")]
    with duckdb.connect(str(example / "flights.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT SUM(flights) FROM marts.daily_flights").fetchall() == [(737,)]

    dg_command("launch", "--assets", DAILY, "--partition-range", "2013-07-03...2013-07-05")
    assert materialized()[before + 1 :] == [
        ("flights/marts/daily_flights", f"2013-07-0{day}") for day in (3, 4, 5)
    ]
