"""What is known of a project, compact, versioned, and tied to the files that it came from?"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from dagster_rocky.engine.model_folders import files_below
from dagster_rocky.vocabulary import EngineKey, Granularity

SNAPSHOT_VERSION = 2

PipelineType = Literal["replication", "transformation", "quality", "snapshot", "load"]


class _Part(BaseModel):
    """A part of the snapshot; what a newer version wrote beyond it is an unreadable state, not a guess."""

    model_config = ConfigDict(extra="forbid")


class ConfiguredCheck(_Part):
    """A check as the project configures it.

    Attributes:
        name: The engine's; several checks of one table may share it (contract, section 18).
        kind: `row_count`, `custom`, `null_rate`, `assertion`, `cross_source_overlap`, ….
        severity: What the engine gives a failure of it.
        description: What holds when it passes, in words, e.g. `carrier is never null`.
        candidate: Of a `cross_source_overlap`: the engine reports it on one of the tables of this name.
        title: What the project calls it, where the engine's results do not tell that name.
    """

    name: str
    kind: str
    severity: Literal["error", "warning"] = "error"
    title: str | None = None
    description: str | None = None
    candidate: bool = False


class Source(_Part):
    """One source of a replication with its copied tables; `unavailable` says why it could not be seen now.

    `last_sync_at` is when its own loader last succeeded, as the engine wrote it at the refresh; `row_counts` and
    `facts` are what discovery said of its tables and of itself, where it said something.
    """

    id: str
    source_type: str
    components: dict[str, str | list[str]] = {}
    tables: list[str] = []
    unavailable: str | None = None
    last_sync_at: str | None = None
    row_counts: dict[str, int] = {}
    facts: dict[str, str] = {}

    def engine_key(self, table: str) -> EngineKey:
        """The engine's key of one of the tables."""
        values: list[str] = []
        for value in self.components.values():
            values += value if isinstance(value, list) else [value]
        return (self.source_type, *values, table)


# What there are many of are data classes: pydantic reads them in half the time of models, and they hold no dictionary.


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a model, as far as its SQL, contract, sidecar and the engine tell; of a file, by its first line."""

    __pydantic_config__ = ConfigDict(extra="forbid")
    name: str
    type: str | None = None
    description: str | None = None
    nullable: bool | None = None


class CheckedTable(_Part):
    """What a quality pipeline looks at; without `table`, every table of the schema."""

    catalog: str
    schema_name: str
    table: str | None = None


class Pipeline(_Part):
    """One pipeline; what belongs to its type only is empty for the others.

    `line` is where `rocky.toml` defines it.
    """

    name: str
    type: str
    warehouse: str = ""
    depends_on: list[str] = []
    line: int | None = None
    # replication
    catalog_template: str = ""
    schema_template: str = ""
    separator: str = "__"
    freshness_seconds: int | None = None  # of a freshness check with severity error
    sources: list[Source] = []
    checks_of_all: list[ConfiguredCheck] = []
    checks_by_table: dict[str, list[ConfiguredCheck]] = {}
    # quality
    checked: list[CheckedTable] = []
    # load and snapshot: `catalog.schema.table`
    targets: list[str] = []
    reads: list[str] = []
    columns_by_target: dict[str, list[Column]] = {}

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSource:
    """Where one column of a model comes from: a column of a physical table."""

    __pydantic_config__ = ConfigDict(extra="forbid")
    column: str
    table: str
    source_column: str


@dataclass(slots=True, kw_only=True)
class Model:
    """One model; `target` is `catalog.schema.table`, `reads` the physical tables that it names.

    `promise` is what its contract says, in words.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")
    name: str
    pipeline: str | None = None
    target: str
    strategy: str
    granularity: Granularity | None = None
    first_partition: str | None = None
    lookback: int | None = None
    depends_on: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    path: str | None = None
    sql: str | None = None
    intent: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    classification: dict[str, str] = field(default_factory=dict)
    retention: str | None = None
    freshness_seconds: int | None = None
    contract: str | None = None
    contract_applies: bool = False
    promise: str | None = None
    tests: list[ConfiguredCheck] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    lineage: list[ColumnSource] = field(default_factory=list)
    code_version: str | None = None

    @property
    def engine_key(self) -> EngineKey:
        """The engine's key of the model: where it is written."""
        return tuple(self.target.split("."))

    @property
    def known_files(self) -> "KnownFiles":
        """What is kept of it when the graph is made, which is the smallest part of it."""
        return KnownFiles(self.name, self.path, self.contract, self.contract_applies, self.code_version)


class KnownFiles(NamedTuple):
    """The files of a model, and the version of them that the state was made of."""

    name: str
    path: str | None
    contract: str | None
    contract_applies: bool
    code_version: str | None


class Seed(_Part):
    """A seed file and the table that it becomes; `pipeline` lends its adapter to `rocky seed`."""

    name: str
    target: str
    pipeline: str | None = None
    columns: list[Column] = []


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
        notices: What is new or worth a look, for a person: it is no fault of the project.
        budget: What a run may cost, as a check, where the project says it.

    Example:
        ```python
        snapshot = ProjectSnapshot.read(state_path)
        [model.name for model in snapshot.models]
        ```
    """

    version: int = SNAPSHOT_VERSION
    engine_version: str = ""
    fingerprint: str = ""
    watched: list[str] = []
    refreshed_at: str = ""
    first_partition: str = "2026-01-01"
    pipelines: list[Pipeline] = []
    models: list[Model] = []
    seeds: list[Seed] = []
    problems: list[str] = []
    notices: list[str] = []
    budget: ConfiguredCheck | None = None

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
            raise UnreadableState(path, _misfits(error)) from error
        if "version" not in snapshot.model_fields_set:
            raise UnreadableState(path, "it names no format")
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
        body = self.model_dump_json(exclude_defaults=True, exclude={"version"}).removeprefix("{")
        comma = "" if body == "}" else ","
        draft = path.with_name(f"{path.name}.draft")
        draft.write_text(f'{{"version":{self.version}{comma}{body}', encoding="utf-8")
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


def _misfits(error: ValidationError) -> str:
    """What does not fit, with the first place: a cut-off file and a foreign one read differently."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    where = f"{place}: " if place else ""
    return f"{error.error_count()} field(s) do not fit this version ({where}{first['msg']})"


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
        for path in files_below(root):
            hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
            if path.suffix in {".sql", ".rocky", ".toml", ".csv"} and not hidden:
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
