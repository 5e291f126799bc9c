"""The `dg` command line on the example project: list, check, and launch an asset."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.seeding import opened

pytestmark = pytest.mark.xdist_group("example")

Materialized = Callable[[], list[tuple[str, str | None]]]
BIN = Path(sys.executable).parent


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


def test_a_launch_of_one_asset_builds_that_asset(example: Path, materialized: Materialized):
    in_a_new_process = [BIN / "dg", "launch", "--assets", "key:duckdb/jfk/wx/weather"]
    subprocess.run(in_a_new_process, cwd=example, capture_output=True, check=True)
    assert materialized() == [("duckdb/jfk/wx/weather", None)]
    with opened(example / "flights.duckdb", read_only=True) as connection:
        copied = connection.execute(
            "SELECT schema_name FROM duckdb_tables() WHERE database_name = 'flights' AND schema_name LIKE 'lake%'"
        )
        assert copied.fetchall() == [("lake__jfk__wx",)]
