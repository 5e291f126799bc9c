"""`ProjectSnapshot`: what the engine said of a project, compact, versioned, and tied to the files it came from."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dagster_rocky.vocabulary import EngineKey, Granularity

SNAPSHOT_VERSION = 1

PipelineType = Literal["replication", "transformation", "quality", "snapshot", "load"]


class _Part(BaseModel):
    """A part of the snapshot; what a newer version wrote beyond it is an unreadable state, not a guess."""

    model_config = ConfigDict(extra="forbid")


class ConfiguredCheck(_Part):
    """A check as the project configures it; `name` is the engine's."""

    name: str
    kind: str
    severity: Literal["error", "warning"] = "error"


class Source(_Part):
    """One source of a replication with its copied tables; `unavailable` says why it could not be seen now."""

    id: str
    source_type: str
    components: dict[str, str | list[str]] = Field(default_factory=dict)
    tables: list[str] = Field(default_factory=list)
    unavailable: str | None = None

    def engine_key(self, table: str) -> EngineKey:
        """The engine's key of one of the tables."""
        values: list[str] = []
        for value in self.components.values():
            values += value if isinstance(value, list) else [value]
        return (self.source_type, *values, table)


class CheckedTable(_Part):
    """What a quality pipeline looks at; without `table`, every table of the schema."""

    catalog: str
    schema_name: str
    table: str | None = None


class Pipeline(_Part):
    """One pipeline; what belongs to its type only is empty for the others."""

    name: str
    type: str
    warehouse: str = ""
    depends_on: list[str] = Field(default_factory=list)
    # replication
    catalog_template: str = ""
    schema_template: str = ""
    separator: str = "__"
    freshness_seconds: int | None = None  # of a freshness check with severity error
    sources: list[Source] = Field(default_factory=list)
    checks_of_all: list[ConfiguredCheck] = Field(default_factory=list)
    checks_by_table: dict[str, list[ConfiguredCheck]] = Field(default_factory=dict)
    # quality
    checked: list[CheckedTable] = Field(default_factory=list)
    # load and snapshot: `catalog.schema.table`
    targets: list[str] = Field(default_factory=list)
    reads: list[str] = Field(default_factory=list)

    def target_of(self, source: Source, table: str) -> str:
        """`catalog.schema.table` of a replicated table."""
        values = {
            name: self.separator.join(value) if isinstance(value, list) else value
            for name, value in source.components.items()
        }
        catalog, schema = self.catalog_template, self.schema_template
        for name, value in values.items():
            catalog = catalog.replace(f"{{{name}}}", value)
            schema = schema.replace(f"{{{name}}}", value)
        return f"{catalog}.{schema}.{table}"


class Column(_Part):
    """A column of a model, as far as its SQL, its contract and its sidecar tell."""

    name: str
    type: str | None = None
    description: str | None = None
    nullable: bool | None = None


class ColumnSource(_Part):
    """Where one column of a model comes from: a column of a physical table."""

    column: str
    table: str
    source_column: str


class Model(_Part):
    """One model; `target` is `catalog.schema.table`, `reads` the physical tables that it names."""

    name: str
    pipeline: str | None = None
    target: str
    strategy: str
    granularity: Granularity | None = None
    first_partition: str | None = None
    lookback: int | None = None
    depends_on: list[str] = Field(default_factory=list)
    reads: list[str] = Field(default_factory=list)
    path: str | None = None
    sql: str | None = None
    intent: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    classification: dict[str, str] = Field(default_factory=dict)
    retention: str | None = None
    freshness_seconds: int | None = None
    freshness_severity: str | None = None
    contract: str | None = None
    contract_applies: bool = False
    columns: list[Column] = Field(default_factory=list)
    lineage: list[ColumnSource] = Field(default_factory=list)
    code_version: str | None = None

    @property
    def engine_key(self) -> EngineKey:
        """The engine's key of the model: where it is written."""
        return tuple(self.target.split("."))


class Seed(_Part):
    """A seed file and the table that it becomes; `pipeline` lends its adapter to `rocky seed`."""

    name: str
    target: str
    pipeline: str | None = None


class ProjectSnapshot(_Part):
    """What the engine said of a project when the state was refreshed.

    Attributes:
        version: Of this format.
        engine_version: What the engine said to `--version`.
        fingerprint: Of the contents of the files in `watched`.
        watched: Files and folders relative to the folder of `rocky.toml`.
        refreshed_at: UTC, ISO 8601.
        first_partition: Where partitioned models start that name no first partition.
        problems: What was wrong with the project though it could be read, for a person.

    Example:
        ```python
        snapshot = ProjectSnapshot.read(state_path)
        [model.name for model in snapshot.models]
        ```
    """

    version: int = SNAPSHOT_VERSION
    engine_version: str = ""
    fingerprint: str = ""
    watched: list[str] = Field(default_factory=list)
    refreshed_at: str = ""
    first_partition: str = "2026-01-01"
    pipelines: list[Pipeline] = Field(default_factory=list)
    models: list[Model] = Field(default_factory=list)
    seeds: list[Seed] = Field(default_factory=list)
    problems: list[str] = Field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads a state file.

        Args:
            path: What `write` wrote.

        Returns:
            The snapshot.

        Raises:
            UnreadableState: When the file is cut off, of another version, or something else.
        """
        content = path.read_bytes()
        try:
            snapshot = cls.model_validate_json(content)
        except ValidationError as error:
            raise UnreadableState(path, f"{error.error_count()} field(s) do not fit this version") from error
        if snapshot.version != SNAPSHOT_VERSION:
            raise UnreadableState(
                path, f"it has format {snapshot.version}, this version reads {SNAPSHOT_VERSION}"
            )
        return snapshot

    def write(self, path: Path) -> None:
        """Writes the state file whole or not at all: a reader never sees half of it.

        Args:
            path: The file; its folder must exist.
        """
        draft = path.with_name(f"{path.name}.draft")
        draft.write_text(self.model_dump_json(exclude_defaults=True, by_alias=True), encoding="utf-8")
        draft.replace(path)

    def pipeline(self, name: str) -> Pipeline | None:
        """A pipeline by name."""
        return next((pipeline for pipeline in self.pipelines if pipeline.name == name), None)


class UnreadableState(Exception):
    """A state file that cannot be read; refreshing replaces it.

    Attributes:
        path: The file.
        reason: What is wrong with it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(
            f"The defs state in {path} cannot be read: {reason}. Refresh it with `dg utils refresh-defs-state`."
        )


def watched_files(project_dir: Path, watched: Iterable[str]) -> Iterator[Path]:
    """The files whose contents decide whether a snapshot is stale, in a stable order.

    Args:
        project_dir: The folder of `rocky.toml`.
        watched: Files and folders relative to it; what does not exist is left out.

    Yields:
        Absolute paths of `.sql`, `.rocky`, `.toml` and `.csv` files; the engine's own folders are left out.
    """
    for name in sorted(set(watched)):
        root = project_dir / name
        if root.is_file():
            yield root
        elif root.is_dir():
            for path in sorted(root.rglob("*")):
                hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
                if path.suffix in {".sql", ".rocky", ".toml", ".csv"} and not hidden and path.is_file():
                    yield path


def fingerprint(project_dir: Path, watched: Iterable[str]) -> str:
    """A hash of the watched files' names and contents: the same on every machine that has the same files.

    Args:
        project_dir: The folder of `rocky.toml`.
        watched: Files and folders relative to it.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    for path in watched_files(project_dir, watched):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(project_dir).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
