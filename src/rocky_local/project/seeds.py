"""Seed files: small CSV tables that a project brings along, each with an optional sidecar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from rocky_local import clock
from rocky_local.errors import DatabaseError, EngineError
from rocky_local.output import head
from rocky_local.project import toml
from rocky_local.project.tables import Table, checked
from rocky_local.tracing import Display, Log

if TYPE_CHECKING:
    from rocky_local.adapter import DuckDBAdapter

_LOG = Log("rocky_cli::commands::seed")


class _Sidecar(Table):
    name: str | None = None
    target: dict[str, str] = Field(default_factory=dict)


class Seed(NamedTuple):
    """One seed file and the table it becomes."""

    name: str
    path: Path
    catalog: str
    schema: str
    table: str

    @property
    def target(self) -> str:
        """The table: `catalog.schema.table`."""
        return f"{self.catalog}.{self.schema}.{self.table}"


def read_seeds(directory: str) -> list[Seed]:
    """Return the seeds of a folder, by name; none when the folder does not exist.

    Raises:
        EngineError: A sidecar is not TOML.
    """
    seeds = []
    for path in sorted(Path(directory).glob("*.csv")):
        sidecar = path.with_suffix(".toml")
        try:
            own = checked(_Sidecar, toml.parse(toml.read(sidecar)) if sidecar.is_file() else {})
        except toml.TomlError as error:
            raise EngineError(f"failed to parse seed sidecar '{sidecar}': {error}") from error
        name = own.name or path.stem
        target = {"catalog": "main", "schema": "seeds", "table": name, **own.target}
        seeds.append(Seed(name, path, target["catalog"], target["schema"], target["table"]))
    return seeds


def load_seeds(adapter: DuckDBAdapter, directory: str, seeds: list[Seed]) -> dict[str, Any]:
    """Load seeds one after the other; one that fails does not stop the others.

    Returns:
        The result object of the `seed` command.
    """
    started = clock.now_ns()
    tables = [_load_seed(adapter, seed) for seed in seeds]
    failed = sum("error" in entry for entry in tables)
    return {
        **head("seed"),
        "seeds_dir": directory,
        "tables_loaded": len(tables) - failed,
        "tables_failed": failed,
        "tables": tables,
        "duration_ms": clock.since_ms(started),
    }


def _load_seed(adapter: DuckDBAdapter, seed: Seed) -> dict[str, Any]:
    name, started, problem = Display(seed.name), clock.now_ns(), None
    _LOG.info("loading seed", seed=name, file=Display(seed.path), target=Display(seed.target))
    entry: dict[str, Any] = {"name": seed.name, "target": seed.target, "rows": 0, "columns": 0}
    try:
        adapter.execute(f"CREATE SCHEMA IF NOT EXISTS {seed.catalog}.{seed.schema}")
        adapter.execute(f"CREATE OR REPLACE TABLE {seed.target} AS {adapter.file_query(seed.path)}")
        entry["rows"] = adapter.count(seed.target)
        entry["columns"] = len(adapter.columns(seed.target))
    except DatabaseError as error:
        problem = error.brief
    entry["duration_ms"] = clock.since_ms(started)
    if problem:
        _LOG.warn("seed failed", seed=name, error=Display(problem))
        return {**entry, "error": problem}
    _LOG.info("seed loaded", seed=name, rows=entry["rows"], duration_ms=entry["duration_ms"])
    return entry
