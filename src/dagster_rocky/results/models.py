"""What are the models, and what is made of what? The outputs of `compile`, `dag`, `lineage` and `catalog`."""

from typing import Any

from pydantic import Field

from dagster_rocky.results.base import EngineObject, EngineOutput


class Strategy(EngineObject):
    """How a model is built; which fields are set depends on its type."""

    type: str = ""
    granularity: str | None = None
    time_column: str | None = None
    first_partition: str | None = None
    lookback: int | None = None
    batch_size: int | None = None
    timestamp_column: str | None = None
    unique_key: list[str] | None = None
    update_columns: list[str] | None = None


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


class IncrementalityHint(EngineObject):
    """Whether the engine thinks that a model could be built incrementally, by which column, and why."""

    is_candidate: bool = False
    recommended_column: str | None = None
    confidence: str | None = None
    signals: list[str] = Field(default_factory=list)


class CostHint(EngineObject):
    """What the engine guesses that a model costs, in US dollars."""

    estimated_rows: int | None = None
    estimated_bytes: int | None = None
    estimated_cost_usd: float | None = None
    confidence: str | None = None


class ModelDetail(EngineObject):
    """One model as `compile` sees it."""

    name: str = ""
    strategy: Strategy = Field(default_factory=Strategy)
    target: Target = Field(default_factory=Target)
    depends_on: list[str] = Field(default_factory=list)
    tags: dict[str, Any] = Field(default_factory=dict)
    freshness: Freshness | None = None
    contract_source: str | None = None
    incrementality_hint: IncrementalityHint | None = None
    cost_hint: CostHint | None = None


class Span(EngineObject):
    """Where in a file a finding is; line and column count from 1."""

    file: str | None = None
    line: int | None = None
    col: int | None = None


class Diagnostic(EngineObject):
    """One finding of `compile`; severity `Error`, `Warning` or `Info`."""

    severity: str = ""
    code: str = ""
    message: str = ""
    model: str | None = None
    span: Span | None = None
    suggestion: str | None = None


class CompileResult(EngineOutput):
    """The output of `compile`; `models` is a count, the models are in `models_detail`."""

    models: int = 0
    execution_layers: int = 0
    diagnostics: list[Diagnostic] = Field(default_factory=list)
    has_errors: bool = False
    compile_timings: dict[str, int | float] = Field(default_factory=dict)
    models_detail: list[ModelDetail] = Field(default_factory=list)


class PartitionShape(EngineObject):
    """The grain of a partitioned node: `hourly`, `daily`, `monthly`, `yearly`."""

    granularity: str = ""
    first_partition: str | None = None


class DagNode(EngineObject):
    """One node of `dag`; its id is `<kind>:<name>`."""

    id: str = ""
    kind: str = ""
    label: str = ""
    pipeline: str | None = None
    target: Target | None = None
    strategy: Strategy | None = None
    freshness: Freshness | None = None
    partition_shape: PartitionShape | None = None
    depends_on: list[str] = Field(default_factory=list)


class DagEdge(EngineObject):
    """That one node comes after another: `edge_type` is `data` or `check`."""

    source: str = Field(default="", alias="from")
    target: str = Field(default="", alias="to")
    edge_type: str = ""


class DagSummary(EngineObject):
    """How many nodes of which kind a project has."""

    total_nodes: int = 0
    total_edges: int = 0
    execution_layers: int = 0
    counts_by_kind: dict[str, int] = Field(default_factory=dict)


class ColumnRef(EngineObject):
    """A column of a model, or of the physical table or sub-select that SQL names."""

    model: str = ""
    column: str = ""


class ColumnEdge(EngineObject):
    """One column made from another."""

    source: ColumnRef = Field(default_factory=ColumnRef)
    target: ColumnRef = Field(default_factory=ColumnRef)
    transform: str = ""


class DagResult(EngineOutput):
    """The output of `dag`; `column_lineage_unavailable` says for what the engine cannot tell columns, and why."""

    schema_version: str | None = None
    nodes: list[DagNode] = Field(default_factory=list)
    edges: list[DagEdge] = Field(default_factory=list)
    execution_layers: list[list[str]] = Field(default_factory=list)
    summary: DagSummary | None = None
    column_lineage: list[ColumnEdge] = Field(default_factory=list)
    column_lineage_unavailable: list[Any] | dict[str, Any] | str | bool | None = None


class LineageColumn(EngineObject):
    """A column of a model, by its name."""

    name: str = ""


class LineageNode(EngineObject):
    """A model, or with a `source_id` the physical table that it reads."""

    model: str = ""
    target_schema: str | None = None
    source_id: str | None = None


class ListDepsResult(EngineOutput):
    """The output of `list deps`: the models that a model names as upstream."""

    model: str = ""
    depends_on: list[str] = Field(default_factory=list)


class ListConsumersResult(EngineOutput):
    """The output of `list consumers`: the models that name a model as upstream."""

    model: str = ""
    consumers: list[str] = Field(default_factory=list)


class LineageResult(EngineOutput):
    """The output of `lineage`: `columns` and `edges` of a model, or the `trace` of one column."""

    model: str = ""
    column: str | None = None
    direction: str | None = None
    columns: list[LineageColumn] = Field(default_factory=list)
    upstream: list[str] = Field(default_factory=list)
    downstream: list[str] = Field(default_factory=list)
    edges: list[ColumnEdge] = Field(default_factory=list)
    nodes: list[LineageNode] = Field(default_factory=list)
    trace: list[ColumnEdge] = Field(default_factory=list)
