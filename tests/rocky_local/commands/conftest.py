from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.forking import rocky_local
from support.seeding import opened

CONFIG = """
[adapter]
type = "duckdb"
path = "w.duckdb"

[pipeline.marts]
type = "transformation"

[pipeline.marts.target.governance]
auto_create_schemas = true
"""
DEFAULTS = '[target]\ncatalog = "w"\nschema = "out"\n'


@dataclass
class Answer:
    """What one command gave."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def messages(self) -> list[str]:
        lines = [line for line in self.stderr.splitlines() if line.startswith("{")]
        return [json.loads(line)["fields"]["message"] for line in lines]


@dataclass
class Project:
    """A project on disk and the engine that works on it."""

    folder: Path

    def write(self, files: dict[str, str]) -> Project:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self

    def models(self, **models: str) -> Project:
        """Write models; the text after `---` is the sidecar."""
        self.write({"rocky.toml": CONFIG, "models/_defaults.toml": DEFAULTS})
        for name, text in models.items():
            sql, _, sidecar = text.partition("---")
            self.write({f"models/{name}.sql": sql, f"models/{name}.toml": sidecar})
        return self

    def sql(self, script: str) -> list[tuple[Any, ...]]:
        with opened(self.folder / "w.duckdb") as connection:
            return connection.execute(script).fetchall()

    def run(self, *argv: str) -> Answer:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("RUST_", "ROCKY_"))}
        found = rocky_local().run(argv, cwd=self.folder, env=env)
        return Answer(found.returncode, found.stdout.decode(), found.stderr.decode())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
