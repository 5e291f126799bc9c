"""The entries of a run's result; their fields are in the engine's order, those with a default only where they apply."""

from rocky_local.output import Entry

AssetKey = list[str]


class Metadata(Entry):
    """How a table, model or partition was built; a watermark only of copies, the last three only of models."""

    strategy: str
    watermark: str | None = None
    target_table_full_name: str = ""
    sql_hash: str | None = None
    column_count: int | None = None
    compile_time_ms: int | None = None


class Materialization(Entry):
    """A table, model or partition that was built; on DuckDB nobody counts its rows."""

    asset_key: AssetKey
    rows_copied: None
    duration_ms: int
    started_at: str
    metadata: Metadata
    partition: dict[str, str] | None = None
    cost_usd: float = 0.0


class Finding(Entry):
    """The outcome of one check on one table; which of the other fields there are depends on its kind."""

    name: str
    passed: bool
    severity: str = "error"
    source_count: int | None = None
    target_count: int | None = None
    missing: list[str] | None = None
    extra: list[str] | None = None
    kind: str | None = None
    column: str | None = None
    failing_rows: int | None = None
    null_rate: float | None = None
    query: str | None = None
    result_value: int | None = None
    lag_seconds: int | None = None
    threshold_seconds: int | None = None
    threshold: float | None = None
    overlap_count: int | None = None
    contributing_tables: list[str] | None = None
    sample: list[str] | None = None


class CheckedTable(Entry):
    """What the checks on one table found."""

    asset_key: AssetKey
    checks: list[Finding]


class RunError(Entry):
    """Why a table or model failed."""

    asset_key: AssetKey
    error: str
    failure_kind: str = "unknown"


class ExcludedTable(Entry):
    """A table that an override switches off."""

    asset_key: AssetKey
    source_schema: str
    table_name: str
    reason: str = "table_override_disabled"


class OverrideWarning(Entry):
    """An override that matched no table."""

    rule_index: int
    kind: str
    message: str
    connector: str | None = None
    table: str | None = None


class DriftAction(Entry):
    """What brought a copy back in line with its source."""

    table: str
    action: str
    reason: str


class Anomaly(Entry):
    """A row count that stands out from the table's own history."""

    table: str
    current_count: int
    baseline_avg: float
    deviation_pct: float
    reason: str


class Quarantine(Entry):
    """A table that was split into its right and its wrong rows."""

    asset_key: AssetKey
    mode: str
    valid_table: str
    quarantine_table: str | None = None
    valid_rows: int = 0
    quarantined_rows: int = 0
    ok: bool = True


class Decision(Entry):
    """Whether the skip gate let a model be built."""

    model: str
    decision: str
    reason: str


class Contained(Entry):
    """A model that was held back because one that it depends on was not built."""

    model: str
    blocked_by: list[str]
    unblock_hint: str


class PartitionSummary(Entry):
    """How the partitions of a model went."""

    model: str
    partitions_planned: int
    partitions_succeeded: int
    partitions_failed: int


class Breach(Entry):
    """A limit of the budget that was passed."""

    limit_type: str
    limit: float
    actual: float
