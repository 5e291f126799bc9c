"""A project in a folder of its own, run by `rocky-local`: forked, or anew when a test starts it itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.forking import rocky_local
from support.seeding import opened

ENGINE = str(Path(sys.executable).with_name("rocky-local"))
DATABASE = "lake.duckdb"
ADAPTER = f'[adapter]\ntype = "duckdb"\npath = "{DATABASE}"\n'
REPLICATION = (
    ADAPTER
    + """
[pipeline.landing]
strategy = "incremental"
timestamp_column = "seen_at"
[pipeline.landing.source.schema_pattern]
prefix = "raw__"
separator = "__"
components = ["town"]
[pipeline.landing.target]
catalog_template = "lake"
schema_template = "kept__{town}"
[pipeline.landing.target.governance]
auto_create_schemas = true
"""
)
TRANSFORMATION = (
    ADAPTER
    + """
[pipeline.marts]
type = "transformation"
[pipeline.marts.target.governance]
auto_create_schemas = true
"""
)


@dataclass
class Answer:
    """What one engine process left: exit code, JSON result (None when stdout was empty), stderr."""

    code: int
    result: Any
    stderr: str

    def messages(self) -> list[str]:
        """The messages of the tracing lines."""
        lines = [line for line in self.stderr.splitlines() if line.startswith("{")]
        return [json.loads(line)["fields"]["message"] for line in lines]


@dataclass
class Project:
    """A folder with a project and the commands to work on it."""

    root: Path

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def model(self, name: str, sql: str, sidecar: str = "") -> None:
        self.write(f"models/{name}.sql", sql)
        self.write(f"models/{name}.toml", sidecar)

    def sql(self, sql: str) -> list[tuple[Any, ...]]:
        with opened(self.root / DATABASE) as connection:
            return connection.execute(sql).fetchall()

    def start(self, *argv: str, **env: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [ENGINE, *argv],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(env),
        )

    def __call__(self, *argv: str, **env: str) -> Answer:
        done = rocky_local().run(argv, cwd=self.root, env=_environment(env))
        text = done.stdout.decode()
        result = json.loads(text) if text.startswith("{") else None
        return Answer(done.returncode, result, done.stderr.decode())


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("RUST_", "ROCKY_"))}
    return {**own, **more}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project."""
    return Project(tmp_path)


@pytest.fixture
def landing(project: Project) -> Project:
    """Two towns with a `people` table each, copied incrementally by `seen_at`."""
    project.write("rocky.toml", REPLICATION)
    for town in ("ulm", "bonn"):
        project.sql(
            f"CREATE SCHEMA raw__{town}; CREATE TABLE raw__{town}.people AS "
            "SELECT i AS id, TIMESTAMP '2026-01-01' + to_hours(i) AS seen_at FROM range(3) t(i)"
        )
    return project


@pytest.fixture
def marts(project: Project) -> Project:
    """A transformation project whose models go to `lake.built`, with a source table `raw.log`."""
    project.write("rocky.toml", TRANSFORMATION)
    project.write("models/_defaults.toml", '[target]\ncatalog = "lake"\nschema = "built"\n')
    project.sql(
        "CREATE SCHEMA raw; CREATE TABLE raw.log AS "
        "SELECT i AS id, i % 2 AS kind, TIMESTAMP '2026-01-01' + to_hours(i) AS t FROM range(72) r(i)"
    )
    return project
