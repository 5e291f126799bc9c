"""The outputs of what only looks: `discover`, `compile`, `dag`, `validate`, `list`, `lineage`, `state`, …."""

from typing import Any

from pydantic import Field

from dagster_rocky.results.base import EngineObject, EngineOutput


class DiscoveredTable(EngineObject):
    """One table of a source."""

    name: str
    row_count: int | None = None


class DiscoveredSource(EngineObject):
    """One source: a schema, a connector. `components` holds a list for a multi-valued `name...`."""

    id: str
    components: dict[str, str | list[str]] = Field(default_factory=dict)
    source_type: str = ""
    last_sync_at: str | None = None
    tables: list[DiscoveredTable] = Field(default_factory=list)
    metadata: dict[str, Any] = Field(default_factory=dict)


class FailedSource(EngineObject):
    """A source that could not be discovered now; it is not gone."""

    id: str
    source_schema: str | None = Field(default=None, alias="schema")
    source_type: str = ""
    error_class: str = "unknown"
    message: str = ""
    cooldown_seconds: float | None = None


class ConfiguredCheck(EngineObject):
    """A check that `discover` lists for a table name: `custom`, `null_rate` or `assertion`."""

    name: str
    kind: str = ""


class FreshnessConfig(EngineObject):
    """The freshness check of a replication."""

    threshold_seconds: int | None = None


class DiscoveredChecks(EngineObject):
    """Configured checks by bare table name, shared by all sources (contract, section 3)."""

    freshness: FreshnessConfig | None = None
    configured_checks: dict[str, list[ConfiguredCheck]] = Field(default_factory=dict)


class DiscoverResult(EngineOutput):
    """The output of `discover`.

    Example:
        ```python
        tables = [(source.id, table.name) for source in result.sources for table in source.tables]
        ```
    """

    sources: list[DiscoveredSource] = Field(default_factory=list)
    checks: DiscoveredChecks | None = None
    excluded_tables: list[dict[str, Any]] = Field(default_factory=list)
    failed_sources: list[FailedSource] = Field(default_factory=list)
    new_sources: list[str] = Field(default_factory=list)
    collision_candidates: list[Any] = Field(default_factory=list)


class Strategy(EngineObject):
    """How a model is built; the fields of its type are in `model_extra`."""

    type: str = ""
    granularity: str | None = None
    time_column: str | None = None
    first_partition: str | None = None
    lookback: int | None = None
    batch_size: int | None = None


class Target(EngineObject):
    """The table that something writes."""

    catalog: str = ""
    source_schema: str = Field(default="", alias="schema")
    table: str = ""

    @property
    def name(self) -> str:
        """`catalog.schema.table`."""
        return f"{self.catalog}.{self.source_schema}.{self.table}"


class Freshness(EngineObject):
    """How old a model's data may be, in seconds."""

    max_lag_seconds: int | None = None
    time_column: str | None = None
    severity: str | None = None


class ModelDetail(EngineObject):
    """One model as `compile` sees it."""

    name: str
    strategy: Strategy = Field(default_factory=Strategy)
    target: Target = Field(default_factory=Target)
    depends_on: list[str] = Field(default_factory=list)
    tags: dict[str, Any] = Field(default_factory=dict)
    freshness: Freshness | None = None
    contract_source: str | None = None


class Diagnostic(EngineObject):
    """One finding of `compile`."""

    severity: str = ""
    code: str = ""
    message: str = ""
    model: str | None = None
    span: dict[str, Any] | None = None
    suggestion: str | None = None


class CompileResult(EngineOutput):
    """The output of `compile`; `models` is a count, the models are in `models_detail`."""

    models: int = 0
    execution_layers: int = 0
    diagnostics: list[Diagnostic] = Field(default_factory=list)
    has_errors: bool = False
    models_detail: list[ModelDetail] = Field(default_factory=list)


class PartitionShape(EngineObject):
    """The grain of a partitioned node: `hourly`, `daily`, `monthly`, `yearly`."""

    granularity: str = ""
    first_partition: str | None = None


class DagNode(EngineObject):
    """One node of `dag`; its id is `<kind>:<name>`."""

    id: str
    kind: str = ""
    label: str = ""
    pipeline: str | None = None
    target: Target | None = None
    strategy: Strategy | None = None
    freshness: Freshness | None = None
    partition_shape: PartitionShape | None = None
    depends_on: list[str] = Field(default_factory=list)


class ColumnRef(EngineObject):
    """A column of a model, or of the physical table or sub-select that SQL names."""

    model: str
    column: str


class ColumnEdge(EngineObject):
    """One column made from another."""

    source: ColumnRef
    target: ColumnRef
    transform: str = ""


class DagResult(EngineOutput):
    """The output of `dag`."""

    nodes: list[DagNode] = Field(default_factory=list)
    edges: list[dict[str, Any]] = Field(default_factory=list)
    execution_layers: list[list[str]] = Field(default_factory=list)
    column_lineage: list[ColumnEdge] = Field(default_factory=list)


class ValidatedPipeline(EngineObject):
    """One pipeline as `validate` sees it; the templates are those of a replication's target."""

    name: str
    pipeline_type: str = ""
    strategy: str = ""
    catalog_template: str = ""
    schema_template: str = ""
    ok: bool = True


class ValidatedAdapter(EngineObject):
    """One adapter as `validate` sees it."""

    name: str
    adapter_type: str = ""
    ok: bool = True


class ValidationMessage(EngineObject):
    """One line of `validate`: severity ok, warn, error or lint."""

    severity: str = ""
    code: str = ""
    message: str = ""
    file: str | None = None
    field: str | None = None


class ValidateResult(EngineOutput):
    """The output of `validate`, valid or not."""

    valid: bool
    adapters: list[ValidatedAdapter] = Field(default_factory=list)
    pipelines: list[ValidatedPipeline] = Field(default_factory=list)
    models: dict[str, Any] = Field(default_factory=dict)
    messages: list[ValidationMessage] = Field(default_factory=list)

    @property
    def errors(self) -> list[ValidationMessage]:
        """The messages that make the project invalid."""
        return [message for message in self.messages if message.severity == "error"]


class ListedPipeline(EngineObject):
    """One pipeline of `list pipelines`."""

    name: str
    pipeline_type: str = ""
    target_adapter: str | None = None
    source_adapter: str | None = None
    depends_on: list[str] = Field(default_factory=list)


class ListPipelinesResult(EngineOutput):
    """The output of `list pipelines`, in alphabetical order."""

    pipelines: list[ListedPipeline] = Field(default_factory=list)


class ListedModel(EngineObject):
    """One model of `list models`; `target` is `catalog.schema.table`."""

    name: str
    target: str = ""
    strategy: str = ""
    depends_on: list[str] = Field(default_factory=list)
    has_contract: bool = False


class ListModelsResult(EngineOutput):
    """The output of `list models`."""

    models: list[ListedModel] = Field(default_factory=list)


class LineageResult(EngineOutput):
    """The output of `lineage`: `columns` and `edges` of a model, or the `trace` of one column."""

    model: str = ""
    column: str | None = None
    direction: str | None = None
    columns: list[dict[str, Any]] = Field(default_factory=list)
    upstream: list[str] = Field(default_factory=list)
    downstream: list[str] = Field(default_factory=list)
    edges: list[ColumnEdge] = Field(default_factory=list)
    trace: list[ColumnEdge] = Field(default_factory=list)


class Watermark(EngineObject):
    """How far a copied table has come; `table` is `catalog.schema.table`."""

    table: str
    last_value: str | None = None
    updated_at: str | None = None


class StateResult(EngineOutput):
    """The output of `state`."""

    watermarks: list[Watermark] = Field(default_factory=list)
    schema_version_supported: int | None = None
    schema_version_on_disk: int | None = None


class HistoryRun(EngineObject):
    """One earlier run."""

    run_id: str
    started_at: str | None = None
    status: str = ""
    trigger: str | None = None
    models_executed: int = 0
    duration_ms: int | None = None
    pipeline: str | None = None
    models: list[dict[str, Any]] = Field(default_factory=list)


class HistoryResult(EngineOutput):
    """The output of `history`; with `--model`, `executions` instead of `runs`."""

    runs: list[HistoryRun] = Field(default_factory=list)
    executions: list[dict[str, Any]] = Field(default_factory=list)
    model: str | None = None
    count: int = 0


class DoctorCheck(EngineObject):
    """One check-up of `doctor`: healthy, warning or critical."""

    name: str
    status: str = ""
    message: str = ""
    duration_ms: int | None = None


class DoctorResult(EngineOutput):
    """The output of `doctor`, which has no `version`."""

    overall: str
    checks: list[DoctorCheck] = Field(default_factory=list)
    suggestions: list[Any] = Field(default_factory=list)
