"""Seed files: small CSV tables that a project brings along, each with an optional sidecar."""

from pathlib import Path
from typing import NamedTuple

from rocky_local.errors import EngineError
from rocky_local.project import toml
from rocky_local.project.tables import EMPTY, Table, checked


class _Sidecar(Table):
    name: str | None = None
    target: dict[str, str] = EMPTY


class Seed(NamedTuple):
    """One seed file and the table it becomes."""

    name: str
    path: Path
    catalog: str
    schema: str
    table: str

    @property
    def place(self) -> dict[str, str]:
        """The table, part by part."""
        return {"catalog": self.catalog, "schema": self.schema, "table": self.table}

    @property
    def target(self) -> str:
        """The table: `catalog.schema.table`."""
        return f"{self.catalog}.{self.schema}.{self.table}"


def read_seeds(directory: str) -> list[Seed]:
    """Return the seeds of a folder, by name; none when the folder does not exist."""
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
