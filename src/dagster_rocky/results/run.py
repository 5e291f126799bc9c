"""The outputs of what changes the warehouse: `run`, `apply`, `load` and `seed`."""

from collections.abc import Iterator
from typing import Any, Self

from pydantic import Field, model_validator

from dagster_rocky.results.base import EngineObject, EngineOutput


class PartitionWindow(EngineObject):
    """The partition that a materialization is of: its key in the engine's format, half-open UTC bounds."""

    key: str
    start: str | None = None
    end: str | None = None
    batched_with: list[str] = Field(default_factory=list)


class MaterializationMetadata(EngineObject):
    """How a table or model was built; `strategy` is the effective one."""

    strategy: str | None = None
    watermark: str | None = None
    target_table_full_name: str | None = None
    sql_hash: str | None = None
    column_count: int | None = None
    compile_time_ms: int | None = None


class Materialization(EngineObject):
    """One table, model or partition that the engine built."""

    asset_key: list[str]
    rows_copied: int | None = None
    duration_ms: int | None = None
    started_at: str | None = None
    metadata: MaterializationMetadata = Field(default_factory=MaterializationMetadata)
    partition: PartitionWindow | None = None
    cost_usd: float | None = None


class CheckOutcome(EngineObject):
    """One evaluated check; its details (`failing_rows`, `lag_seconds`, …) are in `model_extra`."""

    name: str
    passed: bool
    severity: str = "error"

    @property
    def details(self) -> dict[str, Any]:
        """What the engine says of this check beyond name, verdict and severity."""
        return dict(self.model_extra or {})


class CheckResult(EngineObject):
    """The evaluated checks of one asset."""

    asset_key: list[str] = Field(default_factory=list)
    checks: list[CheckOutcome] = Field(default_factory=list)


class RunError(EngineObject):
    """One failure; `asset_key` is empty for a replicated table (contract, section 2.3)."""

    asset_key: list[str] = Field(default_factory=list)
    error: str = ""
    failure_kind: str = "unknown"
    cooldown_seconds: float | None = None


class ExcludedTable(EngineObject):
    """A table that the project switched off."""

    asset_key: list[str] = Field(default_factory=list)
    source_schema: str | None = None
    table_name: str = ""
    reason: str = ""


class DriftAction(EngineObject):
    """What the engine did about a changed source; `table` is `catalog.schema.table`."""

    table: str = ""
    action: str = ""
    reason: str = ""


class Drift(EngineObject):
    """Schema drift that a replication found."""

    tables_checked: int = 0
    tables_drifted: int = 0
    actions_taken: list[DriftAction] = Field(default_factory=list)


class ModelDecision(EngineObject):
    """Why a model was built or skipped by the skip gate."""

    model: str
    decision: str
    reason: str = ""


class ContainedModel(EngineObject):
    """A model that was withheld because something before it failed."""

    model: str
    blocked_by: list[str] = Field(default_factory=list)
    unblock_hint: str | None = None


class Quarantine(EngineObject):
    """Where a quality pipeline put the valid and the invalid rows of a table."""

    asset_key: list[str] = Field(default_factory=list)
    mode: str = ""
    valid_table: str | None = None
    quarantine_table: str | None = None
    valid_rows: int | None = None
    quarantined_rows: int | None = None
    ok: bool | None = None


class Anomaly(EngineObject):
    """A row count far from its history; `table` is `catalog.schema.table`."""

    table: str = ""
    current_count: int | None = None
    baseline_avg: float | None = None
    deviation_pct: float | None = None
    reason: str = ""


class PartitionSummary(EngineObject):
    """How many partitions of one model were planned and built."""

    model: str
    partitions_planned: int = 0
    partitions_succeeded: int = 0
    partitions_failed: int = 0


class ModelCost(EngineObject):
    """The cost of one asset of a run."""

    asset_key: list[str] = Field(default_factory=list)
    duration_ms: int | None = None
    cost_usd: float | None = None


class CostSummary(EngineObject):
    """The cost of a run, in US dollars."""

    total_cost_usd: float | None = None
    total_duration_ms: int | None = None
    per_model: list[ModelCost] = Field(default_factory=list)
    adapter_type: str | None = None


class BudgetBreach(EngineObject):
    """A budget that the run exceeded; its fields depend on the budget and are in `model_extra`."""


class OverrideWarning(EngineObject):
    """A table override rule that did not do what it says."""

    rule_index: int | None = None
    kind: str = ""
    message: str = ""
    connector: str | None = None
    table: str | None = None


class Execution(EngineObject):
    """Counters of a replication; all zero for models."""

    concurrency: int | None = None
    tables_processed: int = 0
    tables_failed: int = 0


class RunResult(EngineOutput):
    """The output of `run` and `apply` (contract, section 5.2).

    The exit code decides before `status`: an interrupted copy and a failed quality run both print `Success`.
    `exit_code` and `run_id` are not in the JSON: who ran the engine fills them in, the id from the log lines.

    Example:
        ```python
        result = RunResult.from_stdout(stdout)
        for done in result.materializations:
            print("/".join(done.asset_key), done.duration_ms)
        ```
    """

    exit_code: int | None = None
    run_id: str | None = None
    status: str = ""
    pipeline_type: str = ""
    filter: str = ""
    duration_ms: int | None = None
    tables_copied: int = 0
    tables_failed: int = 0
    tables_skipped: int = 0
    materializations: list[Materialization] = Field(default_factory=list)
    check_results: list[CheckResult] = Field(default_factory=list)
    execution: Execution = Field(default_factory=Execution)
    metrics: dict[str, Any] | None = None
    permissions: dict[str, Any] = Field(default_factory=dict)
    drift: Drift = Field(default_factory=Drift)
    interrupted: bool = False
    skipped_by_run_id: str | None = None
    idempotency_key: str | None = None
    excluded_tables: list[ExcludedTable] = Field(default_factory=list)
    resumed_from: str | None = None
    shadow: bool = False
    model_decisions: list[ModelDecision] = Field(default_factory=list)
    contained: list[ContainedModel] = Field(default_factory=list)
    quarantine: list[Quarantine] = Field(default_factory=list)
    anomalies: list[Anomaly] = Field(default_factory=list)
    errors: list[RunError] = Field(default_factory=list)
    partition_summaries: list[PartitionSummary] = Field(default_factory=list)
    cost_summary: CostSummary | None = None
    budget_breaches: list[BudgetBreach] = Field(default_factory=list)
    scheduling_warnings: list[Any] = Field(default_factory=list)
    override_warnings: list[OverrideWarning] = Field(default_factory=list)

    @model_validator(mode="after")
    def _tell_files_and_seeds(self) -> Self:
        """A load pipeline and `seed` print files and tables; they are told as materializations and errors too."""
        extra = self.model_extra or {}
        done = [*extra.get("files", []), *extra.get("tables", [])] if self.command in {"load", "seed"} else []
        for row in done:
            key = str(row.get("target") or row.get("file") or row.get("name") or "").split(".")
            if row.get("error"):
                self.errors.append(RunError(asset_key=key, error=str(row["error"])))
                continue
            facts = MaterializationMetadata(strategy=self.command, target_table_full_name=row.get("target"))
            self.materializations.append(
                Materialization(
                    asset_key=key,
                    rows_copied=row.get("rows_loaded", row.get("rows")),
                    duration_ms=row.get("duration_ms"),
                    metadata=facts,
                )
            )
        if done and not self.status:
            self.status = "PartialFailure" if self.errors else "Success"
        return self

    @property
    def skipped_idempotent(self) -> bool:
        """Whether nothing ran because a finished run has the same idempotency key."""
        return self.status in {"SkippedIdempotent", "skipped_idempotent"}

    @property
    def skipped_in_flight(self) -> bool:
        """Whether nothing ran because an unfinished run holds the idempotency key."""
        return self.status in {"SkippedInFlight", "skipped_in_flight"}

    @property
    def failed(self) -> bool:
        """Whether the JSON admits a failure; without the exit code this is not the whole truth."""
        return bool(self.errors or self.contained or self.tables_failed) or self.status not in {
            "Success",
            "success",
            "SkippedIdempotent",
            "skipped_idempotent",
        }

    @property
    def is_success(self) -> bool:
        """Whether the JSON admits neither failure nor interruption; the exit code may still say otherwise."""
        return not self.failed and not self.interrupted

    def failed_checks(self) -> Iterator[tuple[list[str], CheckOutcome]]:
        """Each check that did not pass, with the engine key of its asset."""
        for result in self.check_results:
            for check in result.checks:
                if not check.passed:
                    yield result.asset_key, check


class DagRunNode(EngineObject):
    """One node of a `run --dag`."""

    id: str
    kind: str = ""
    label: str = ""
    layer: int | None = None
    status: str = ""
    duration_ms: int | None = None
    error: str | None = None


class DagRunResult(EngineOutput):
    """The output of `run --dag` (contract, section 5.7)."""

    total_nodes: int = 0
    completed: int = 0
    failed: int = 0
    skipped: int = 0
    duration_ms: int | None = None
    nodes: list[DagRunNode] = Field(default_factory=list)
    warnings: list[Any] = Field(default_factory=list)


class LoadedFile(EngineObject):
    """One file of a load pipeline; `target` is `catalog.schema.table`."""

    file: str
    target: str | None = None
    rows_loaded: int | None = None
    bytes_read: int | None = None
    duration_ms: int | None = None
    error: str | None = None


class LoadResult(EngineOutput):
    """The output of `load`, and of `run` on a load pipeline."""

    source_dir: str | None = None
    files_loaded: int = 0
    files_failed: int = 0
    total_rows: int | None = None
    total_bytes: int | None = None
    files: list[LoadedFile] = Field(default_factory=list)
    duration_ms: int | None = None


class SeededTable(EngineObject):
    """One seed; `target` is `catalog.schema.table`."""

    name: str
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
