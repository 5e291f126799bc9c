"""Components of one project that are refreshed together ask the engine once."""

import shutil
import sys
from pathlib import Path

import pytest

from dagster_rocky import RockyResource
from dagster_rocky.project.state import write_state
from support.seeding import opened

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def engine(tmp_path: Path) -> RockyResource:
    """The example's project with one source, and an engine that notes each of its calls."""
    for name in ("rocky.toml", "models"):
        source = REPOSITORY / "example_project" / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    with opened(tmp_path / "flights.duckdb") as connection:
        connection.execute("CREATE SCHEMA raw__ewr__ops")
        connection.execute("CREATE TABLE raw__ewr__ops.flights AS SELECT 1 AS year")
    binary = tmp_path / "noting-engine"
    rocky_local = Path(sys.executable).parent / "rocky-local"
    binary.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\nexec {rocky_local} "$@"\n')
    binary.chmod(0o755)
    return RockyResource(binary_path=str(binary), config_path=str(tmp_path / "rocky.toml"))


def discoveries(tmp_path: Path) -> int:
    """How often the engine was asked for the sources."""
    return sum(" discover " in f" {line} " for line in (tmp_path / "calls").read_text().splitlines())


def test_one_answer_serves_each_component_once(engine: RockyResource, tmp_path: Path):
    first = write_state(engine, tmp_path / "states" / "a", "a")
    second = write_state(engine, tmp_path / "states" / "b", "b")
    assert discoveries(tmp_path) == 1
    assert second == first
    assert (tmp_path / "states" / "a").read_bytes() == (tmp_path / "states" / "b").read_bytes()
    write_state(engine, tmp_path / "states" / "a", "a")
    assert discoveries(tmp_path) == 2


def test_a_changed_project_is_asked_again(engine: RockyResource, tmp_path: Path):
    write_state(engine, tmp_path / "states" / "a", "a")
    (tmp_path / "models" / "route_summary.sql").write_text("SELECT 1 AS id")
    write_state(engine, tmp_path / "states" / "b", "b")
    assert discoveries(tmp_path) == 2


def test_an_old_answer_is_not_used(engine: RockyResource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dagster_rocky.project.state._SHARED_SECONDS", 0.0)
    write_state(engine, tmp_path / "states" / "a", "a")
    write_state(engine, tmp_path / "states" / "b", "b")
    assert discoveries(tmp_path) == 2
