"""What a run did, gathered while it does it, and the JSON object that says so (contract, 5.2).

The fields of its entries are in the engine's order, those with a default only where they apply.
"""

from typing import Any

from rocky_local import clock
from rocky_local.output import Entry

# The keys of the object in the engine's order; `?` marks those that are left out when they are empty.
_ORDER = (
    "status skipped_by_run_id? idempotency_key? pipeline_type filter duration_ms tables_copied tables_failed "
    "tables_skipped? excluded_tables? resumed_from? shadow? materializations model_decisions? contained? check_results "
    "quarantine? anomalies? errors? execution metrics permissions drift partition_summaries? interrupted cost_summary? "
    "budget_breaches? override_warnings?"
)
# The kinds of runs that print success whatever happened, and no costs (contract, 5.2).
_UNTOLD = ("quality", "snapshot")

AssetKey = list[str]


class Metadata(Entry):
    """How a table, model or partition was built; a watermark only of copies, the last three only of models."""

    strategy: str
    watermark: str | None = None
    target_table_full_name: str = ""
    sql_hash: str | None = None
    column_count: int | None = None
    compile_time_ms: int | None = None


class Partition(Entry):
    """A partition of a model: its key and its half-open bounds."""

    key: str
    start: str
    end: str


class Materialization(Entry):
    """A table, model or partition that was built; on DuckDB nobody counts its rows."""

    asset_key: AssetKey
    rows_copied: None
    duration_ms: int
    started_at: str
    metadata: Metadata
    partition: Partition | None = None
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


class _Cost(Entry):
    asset_key: AssetKey
    duration_ms: int
    cost_usd: float


class RunResult:
    """The outcome of one run, in the order in which things happened.

    Attributes:
        forced_status: A status that does not follow from the rest.
        attempted: How many tables a replication tried; None where there was none that ran to its end.
    """

    def __init__(self, pipeline_type: str, started_ns: int) -> None:
        self.pipeline_type = pipeline_type
        self.started_ns = started_ns
        self.concurrency = 1
        self.filter = ""
        self.forced_status: str | None = None
        self.skipped_by_run_id: str | None = None
        self.idempotency_key: str | None = None
        self.resumed_from: str | None = None
        self.adaptive = self.shadow = self.interrupted = False
        self.tables_copied = self.tables_failed = self.tables_skipped = 0
        self.attempted: int | None = None
        self.failed_copies = self.schemas_created = 0
        self.excluded_tables: list[ExcludedTable] = []
        self.materializations: list[Materialization] = []
        self.model_decisions: list[Decision] = []
        self.contained: list[Contained] = []
        self.check_results: list[CheckedTable] = []
        self.quarantine: list[Quarantine] = []
        self.anomalies: list[Anomaly] = []
        self.errors: list[RunError] = []
        self.drift_actions: list[DriftAction] = []
        self.partition_summaries: list[PartitionSummary] = []
        self.override_warnings: list[OverrideWarning] = []
        self.budget_breaches: list[Breach] = []

    def add_error(self, key: AssetKey, error: str, kind: str = "unknown", *, counted: bool = True) -> None:
        """Add one failure; one that is not counted is another reason of the same table or model."""
        self.errors.append(RunError(key, error, kind))
        self.tables_failed += counted

    @property
    def status(self) -> str:
        """`Success`, `PartialFailure` or `Failure`, unless something else was set."""
        if self.forced_status or not self.tables_failed:
            return self.forced_status or "Success"
        return "PartialFailure" if self.materializations else "Failure"

    @property
    def exit_code(self) -> int:
        """The exit code that goes with the status (contract, 1.2)."""
        return 130 if self.interrupted else {"PartialFailure": 2, "Failure": 1}.get(self.status, 0)

    @property
    def duration_ms(self) -> int:
        """Milliseconds since the run began; 0 for one that was skipped."""
        return 0 if self.skipped_by_run_id else clock.since_ms(self.started_ns)

    def _metrics(self) -> dict[str, Any] | None:
        """The counters of a replication; None for everything else."""
        if self.attempted is None:
            return None
        durations = sorted(entry.duration_ms for entry in self.materializations[: self.tables_copied]) or [0]
        total = self.tables_copied + self.failed_copies
        rate = float(100 * self.failed_copies // total) if total else 0.0
        zeros = dict.fromkeys(("statements_executed", "retries_attempted", "retries_succeeded"), 0)
        told: dict[str, Any] = {"tables_processed": self.tables_copied, "tables_failed": self.failed_copies}
        told |= {"error_rate_pct": rate, **zeros, "anomalies_detected": len(self.anomalies)}
        for name, share in (("p50", 50), ("p95", 95), ("max", 100)):
            told[f"table_duration_{name}_ms"] = durations[(len(durations) - 1) * share // 100]
        return told | {f"query_duration_{name}_ms": 0 for name in ("p50", "p95", "max")}

    def _cost_summary(self) -> dict[str, Any] | None:
        """What it cost, on DuckDB nothing; None where there is nothing to sum up."""
        if self.skipped_by_run_id or self.pipeline_type in _UNTOLD:
            return None
        per_model = [_Cost(each.asset_key, each.duration_ms, each.cost_usd) for each in self.materializations]
        total = {"total_cost_usd": 0.0} if per_model else {}
        spent = sum(entry.duration_ms for entry in self.materializations)
        return {**total, "total_duration_ms": spent, "per_model": per_model, "adapter_type": "duckdb"}

    def as_json(self) -> dict[str, Any]:
        """Return the object for stdout, with its keys in the engine's order."""
        # How the tables were worked on; models count nothing here.
        worked = {"tables_processed": self.attempted or 0, "tables_failed": self.failed_copies}
        throttle = {"final_concurrency": self.concurrency, "rate_limits_detected": 0}
        adaptive = {"adaptive_concurrency": True, **throttle} if self.adaptive else {}
        zeros = dict.fromkeys(("grants_added", "grants_revoked", "catalogs_created"), 0)
        drift = {"tables_checked": self.tables_copied, "tables_drifted": len(self.drift_actions)}
        made = {
            "status": "Success" if self.pipeline_type in _UNTOLD else self.status,
            "duration_ms": self.duration_ms,
            "execution": {"concurrency": self.concurrency, **worked, **adaptive},
            "metrics": self._metrics(),
            "permissions": {**zeros, "schemas_created": self.schemas_created},
            "drift": {**drift, "actions_taken": self.drift_actions},
            "cost_summary": self._cost_summary(),
        }
        values = vars(self) | made
        told = [key for key in _ORDER.split() if not key.endswith("?") or values[key[:-1]]]
        return {key.rstrip("?"): values[key.rstrip("?")] for key in told}
