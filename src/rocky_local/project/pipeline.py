"""A `[pipeline.NAME]` table and what may stand in it, strictly where the engine is strict (contract, 2.1)."""

from __future__ import annotations

from typing import Any, Literal, Self, get_args

from pydantic import AliasChoices, AliasPath, Field, model_validator

from rocky_local.project import toml
from rocky_local.project.tables import Assertion, Closed, Count, Names, Severity, Table, inside

PipelineType = Literal["replication", "transformation", "quality", "snapshot", "load"]
CopyKind = Literal["incremental", "full_refresh", "merge", "view"]


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
    schema_name: str = Field("", alias="schema")
    table: str = ""


class _Source(_Place):
    schema_pattern: SchemaPattern = Field(default_factory=SchemaPattern)
    discovery: _Discovery = Field(default_factory=_Discovery)


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
    governance: _Governance = Field(default_factory=_Governance)
    separator: str = ""


class _Match(Closed):
    connector: str | None = None
    table: str | None = None


class TableOverride(Closed):
    """One `[[table_overrides]]` rule; of those that match a table, each field is the most specific one's.

    Attributes:
        index: Its position among the rules of the pipeline.
    """

    match: _Match | None = None
    connector: str | None = inside("match", "connector", default=None)
    table: str | None = inside("match", "table", default=None)
    enabled: bool | None = None
    strategy: CopyKind | None = None
    timestamp_column: str | None = None
    merge_keys: Names = ()
    index: int = inside("index", default=0)


class Execution(Closed):
    """How many tables at a time, and what happens when one fails."""

    concurrency: Count = 32
    fail_fast: bool = False
    table_retries: Count = 1
    error_rate_abort_pct: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_adaptive(cls, table: Any) -> Any:
        adaptive = isinstance(table, dict) and table.get("concurrency") == "adaptive"
        return {name: value for name, value in table.items() if name != "concurrency"} if adaptive else table

    @property
    def adaptive(self) -> bool:
        """Whether the concurrency is the engine's to choose."""
        return "concurrency" not in self.model_fields_set


class _FreshnessCheck(Closed):
    threshold_seconds: Count
    severity: Severity = "error"


class _NullRate(Closed):
    columns: Names = ()
    threshold: float = 0.0
    sample_percent: float = 100
    severity: Severity = "error"


class _CustomCheck(Closed):
    name: str
    sql: str
    threshold: float = 0
    severity: Severity = "error"


class _Overlap(Closed):
    keys: Names
    max_overlap_rows: Count = 0
    severity: Severity = "error"


class _Quarantine(Closed):
    enabled: bool = False
    mode: str = "split"


class _Checks(Closed):
    enabled: bool = False
    row_count: Any = None
    column_match: Any = None
    freshness: _FreshnessCheck | None = None
    null_rate: _NullRate | None = None
    custom: list[_CustomCheck] | None = None
    assertions: list[Assertion] | None = None
    cross_source_overlap: _Overlap | None = None
    anomaly_threshold_pct: float | None = None
    fail_on_error: bool = True
    quarantine: _Quarantine | None = None


class _Options(Closed):
    create_table: bool = True
    truncate_first: bool = False
    format: str = "auto"
    batch_size: Count = 0
    csv_delimiter: str = ","
    csv_has_header: bool = True


class _TableRef(Closed):
    catalog: str
    schema_name: str = Field(alias="schema")
    table: str | None = None


class _MetadataColumn(Closed):
    name: str
    type: str
    value: str


class Pipeline(Table):
    """One `[pipeline.NAME]` table of any type.

    Attributes:
        raw: The table as written, for what only one command reads.
    """

    name: str
    raw: dict[str, Any]
    type: PipelineType = "replication"
    depends_on: Names = ()
    strategy: str = "incremental"
    timestamp_column: str = "_fivetran_synced"
    merge_keys: Names = ()
    models_glob: str = Field("models/**", alias="models")
    source: _Source = Field(default_factory=_Source)
    target: _Target = Field(default_factory=_Target)
    overrides: list[TableOverride] = Field([], alias="table_overrides")
    execution: Execution = Field(default_factory=Execution)
    checks_table: _Checks = Field(default_factory=_Checks, alias="checks")
    options: _Options | None = None
    tables: list[_TableRef] | None = None
    metadata_columns: list[_MetadataColumn] | None = None
    source_dir: str = "."
    updated_at: str = ""
    invalidate_hard_deletes: bool = False
    adapter: str = Field(validation_alias=AliasChoices(AliasPath("target", "adapter"), "fallback"))
    source_adapter: str = Field(validation_alias=AliasChoices(AliasPath("source", "adapter"), "fallback"))
    auto_create_schemas: bool = inside("target", "governance", "auto_create_schemas", default=False)
    catalog_template: str = inside("target", "catalog_template", default="")
    schema_template: str = inside("target", "schema_template", default="")
    pattern: SchemaPattern = inside("source", "schema_pattern", default=SchemaPattern())
    report_new_sources: bool = inside("source", "discovery", "report_new_sources", default=False)

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        for index, rule in enumerate(self.overrides):
            rule.index = index
        if self.type == "replication":
            for table, name in ((self, "source"), (self.source, "schema_pattern"), (self, "target")):
                if name not in table.model_fields_set:
                    raise ValueError(f"missing field `{name}`")
            if self.strategy not in get_args(CopyKind):
                raise ValueError(toml.unknown("variant", self.strategy, [*get_args(CopyKind)]))
        return self

    @property
    def checks(self) -> dict[str, Any]:
        """The `[checks]` table as written, empty when there is none."""
        return dict(self.raw.get("checks", {}))
