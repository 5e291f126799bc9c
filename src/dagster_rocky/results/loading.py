"""What did `load` and `seed` bring in, and how far did `run --dag` come?"""

from typing import Any

from pydantic import Field

from dagster_rocky.results.base import EngineObject, EngineOutput


class LoadedFile(EngineObject):
    """One file of a load pipeline; `target` is `catalog.schema.table`."""

    file: str = ""
    target: str | None = None
    rows_loaded: int | None = None
    bytes_read: int | None = None
    duration_ms: int | None = None
    error: str | None = None


class LoadResult(EngineOutput):
    """The output of `load`, and of `run` on a load pipeline."""

    source_dir: str | None = None
    format: str | None = None
    files_loaded: int = 0
    files_failed: int = 0
    total_rows: int | None = None
    total_bytes: int | None = None
    files: list[LoadedFile] = Field(default_factory=list)
    duration_ms: int | None = None


class SeededTable(EngineObject):
    """One seed; `target` is `catalog.schema.table`."""

    name: str = ""
    target: str | None = None
    rows: int | None = None
    columns: int | None = None
    duration_ms: int | None = None
    error: str | None = None


class SeedResult(EngineOutput):
    """The output of `seed`."""

    seeds_dir: str | None = None
    tables_loaded: int = 0
    tables_failed: int = 0
    tables: list[SeededTable] = Field(default_factory=list)
    duration_ms: int | None = None


class DagRunNode(EngineObject):
    """One node of a `run --dag`."""

    id: str = ""
    kind: str = ""
    label: str = ""
    layer: int | None = None
    status: str = ""
    duration_ms: int | None = None
    error: str | None = None


class DagRunResult(EngineOutput):
    """The output of `run --dag` (contract, section 5.7)."""

    total_nodes: int = 0
    total_layers: int = 0
    completed: int = 0
    failed: int = 0
    skipped: int = 0
    duration_ms: int | None = None
    nodes: list[DagRunNode] = Field(default_factory=list)
    warnings: list[Any] = Field(default_factory=list)
