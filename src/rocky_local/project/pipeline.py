"""A `[pipeline.NAME]` table and what may stand in it, strictly where the engine is strict (contract, 2.1)."""

from typing import Any, Literal, get_args

from rocky_local.project import toml
from rocky_local.project.tables import Assertion, Closed, Keyed, Names, Severity, Table

PipelineType = Literal["replication", "transformation", "quality", "snapshot", "load"]
CopyKind = Literal["incremental", "full_refresh", "merge", "view"]
_SWITCHES = ("row_count", "column_match")


class SchemaPattern(Closed):
    """How a source schema's name is taken apart, and which schemas count at all.

    Example:
        >>> pattern = SchemaPattern(prefix="in__", components=("operator", "zones...", "system"))
        >>> pattern.parse("in__lagoon__north__iceland__fleet")
        {'operator': 'lagoon', 'zones': ['north', 'iceland'], 'system': 'fleet'}
    """

    prefix: str = ""
    separator: str = "__"
    components: Names = ()

    def parse(self, schema: str) -> dict[str, str | list[str]]:
        """Return the components of a schema name; a `name...` component is a list.

        Raises:
            ValueError: The name does not fit the pattern; the text says how.
        """
        if not schema.startswith(self.prefix):
            raise ValueError(f"schema '{schema}' does not start with prefix '{self.prefix}'")
        segments, wanted = schema[len(self.prefix) :].split(self.separator), len(self.components)
        many = next((n for n, name in enumerate(self.components) if name.endswith("...")), None)
        if len(segments) < wanted or (many is None and len(segments) > wanted):
            need = f"{'at least' if len(segments) < wanted else 'exactly'} {wanted}"
            raise ValueError(f"schema '{schema}' has {len(segments)} segments but pattern requires {need}")
        values: list[str | list[str]] = [*segments]
        if many is not None:
            after = len(segments) - (wanted - many - 1)
            values = [*segments[:many], segments[many:after], *segments[after:]]
        return {name.removesuffix("..."): value for name, value in zip(self.components, values, strict=True)}

    def fill(self, template: str, components: dict[str, str | list[str]]) -> str:
        """Return a `{component}` template with the values in place."""
        for name, value in components.items():
            text = value if isinstance(value, str) else self.separator.join(value)
            template = template.replace("{" + name + "}", text)
        return template


class _Discovery(Closed):
    adapter: str | None = None
    report_new_sources: bool = False


class _Place(Closed):
    adapter: str = ""
    catalog: str = ""
    schema: str = ""
    table: str = ""


class _Source(_Place):
    schema_pattern: SchemaPattern = SchemaPattern()
    discovery: _Discovery = _Discovery()


class _Governance(Closed):
    auto_create_catalogs: bool = False
    auto_create_schemas: bool = False
    tags: dict[str, str] | None = None
    isolation: Any = None
    grants: Any = None
    schema_grants: Any = None


class _Target(_Place):
    catalog_template: str = ""
    schema_template: str = ""
    governance: _Governance = _Governance()
    separator: str = ""


class _Match(Closed):
    connector: str | None = None
    table: str | None = None


class TableOverride(Closed):
    """One `[[table_overrides]]` rule; of those that match a table, each field is the most specific one's."""

    match: _Match = _Match()
    enabled: bool | None = None
    strategy: CopyKind | None = None
    timestamp_column: str | None = None
    merge_keys: Names = ()


class Execution(Closed):
    """How many tables at a time, and what happens when one fails."""

    concurrency: int = 32
    fail_fast: bool = False
    table_retries: int = 1
    error_rate_abort_pct: int | None = None

    @classmethod
    def prepared(cls, table: dict[str, Any]) -> dict[str, Any]:
        """Leave out the concurrency that is the engine's to choose."""
        if table.get("concurrency") == "adaptive":
            table = {name: value for name, value in table.items() if name != "concurrency"}
        return super().prepared(table)

    @property
    def adaptive(self) -> bool:
        """Whether the concurrency is the engine's to choose."""
        return "concurrency" not in self.written


class FreshnessCheck(Closed):
    """How old the latest row may be."""

    threshold_seconds: int
    severity: Severity = "error"


class NullRate(Closed):
    """Which share of some columns may be null."""

    columns: Names = ()
    threshold: float = 0.0
    sample_percent: float = 100
    severity: Severity = "error"


class CustomCheck(Closed):
    """A query of the project's own, and the number that it may give at most."""

    name: str
    sql: str
    threshold: float = 0
    severity: Severity = "error"


class Overlap(Closed):
    """Which keys tables of one name may not share."""

    keys: Names
    max_overlap_rows: int = 0
    severity: Severity = "error"


class Switch(Table):
    """A check that is switched on, by `true` or by a table."""

    enabled: bool = True
    severity: Severity = "error"


class _Quarantine(Closed):
    enabled: bool = False
    mode: str = "split"


class Checks(Closed):
    """What is checked of each table."""

    enabled: bool = False
    row_count: Switch = Switch(enabled=False)
    column_match: Switch = Switch(enabled=False)
    freshness: FreshnessCheck | None = None
    null_rate: NullRate | None = None
    custom: tuple[CustomCheck, ...] = ()
    assertions: tuple[Assertion, ...] = ()
    cross_source_overlap: Overlap | None = None
    anomaly_threshold_pct: float | None = None
    fail_on_error: bool = True
    quarantine: _Quarantine = _Quarantine()

    @classmethod
    def prepared(cls, table: dict[str, Any]) -> dict[str, Any]:
        """Let a switch that is no table be one."""
        lone = {name: on for name, on in table.items() if name in _SWITCHES and isinstance(on, bool)}
        return super().prepared(table | {name: {"enabled": on} for name, on in lone.items()})


class _Options(Closed):
    create_table: bool = True
    truncate_first: bool = False
    format: str = "auto"
    batch_size: int = 0
    csv_delimiter: str | None = None
    csv_has_header: bool | None = None


class _TableRef(Closed):
    catalog: str
    schema: str
    table: str | None = None


class _MetadataColumn(Closed):
    name: str
    type: str
    value: str


class Pipeline(Keyed):
    """One `[pipeline.NAME]` table of any type, with its name and the adapters that it writes and reads with."""

    name = adapter = source_adapter = ""
    type: PipelineType = "replication"
    depends_on: Names = ()
    strategy: str = "incremental"
    timestamp_column: str = "_fivetran_synced"
    merge_keys: Names = ()
    models: str = "models/**"
    source: _Source = _Source()
    target: _Target = _Target()
    table_overrides: tuple[TableOverride, ...] = ()
    execution: Execution = Execution()
    checks: Checks = Checks()
    options: _Options = _Options()
    tables: tuple[_TableRef, ...] = ()
    metadata_columns: tuple[_MetadataColumn, ...] = ()
    source_dir: str = "."
    updated_at: str = ""
    invalidate_hard_deletes: bool = False

    def complete(self) -> None:
        """Look for what a replication needs."""
        if self.type == "replication":
            for table, name in ((self, "source"), (self.source, "schema_pattern"), (self, "target")):
                if name not in table.written:
                    raise ValueError(f"missing field `{name}`")
            if self.strategy not in get_args(CopyKind):
                raise ValueError(toml.unknown("variant", self.strategy, [*get_args(CopyKind)]))

    @property
    def pattern(self) -> SchemaPattern:
        """How the names of source schemas are taken apart."""
        return self.source.schema_pattern
