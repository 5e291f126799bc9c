"""Seed files: small CSV tables that a project brings along, each with an optional sidecar."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rocky_local import toml
from rocky_local.errors import EngineError

DEFAULT_CATALOG, DEFAULT_SCHEMA = "main", "seeds"


@dataclass(frozen=True)
class Seed:
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
            table = toml.parse(sidecar.read_text(encoding="utf-8")) if sidecar.is_file() else {}
        except toml.TomlError as error:
            raise EngineError(f"failed to parse seed sidecar '{sidecar}': {error}") from error
        target = table.get("target", {})
        name = table.get("name", path.stem)
        seeds.append(
            Seed(
                name,
                path,
                target.get("catalog", DEFAULT_CATALOG),
                target.get("schema", DEFAULT_SCHEMA),
                target.get("table", name),
            )
        )
    return seeds
