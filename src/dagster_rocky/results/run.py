"""What does a run say at its end? The output of `run` and `apply`, and of `load` and `seed` told in the same words."""

from collections.abc import Iterator
from typing import Any, Self

from pydantic import Field, model_validator

from dagster_rocky.results.base import EngineObject, EngineOutput
from dagster_rocky.results.built import (
    ContainedModel,
    Drift,
    ExcludedTable,
    Materialization,
    MaterializationMetadata,
    ModelDecision,
    OverrideWarning,
    PartitionSummary,
    Permissions,
)
from dagster_rocky.results.costs import BudgetBreach, CostSummary
from dagster_rocky.results.failures import Attempts, RunError
from dagster_rocky.results.loading import LoadedFile, SeededTable
from dagster_rocky.results.verdicts import Anomaly, CheckOutcome, CheckResult, Quarantine


class Execution(EngineObject):
    """Counters of a replication; all zero for models."""

    concurrency: int | None = None
    tables_processed: int = 0
    tables_failed: int = 0
    adaptive_concurrency: bool | None = None
    final_concurrency: int | None = None
    rate_limits_detected: int | None = None


class RunMetrics(EngineObject):
    """Figures of a replication that ran."""

    tables_processed: int = 0
    tables_failed: int = 0
    error_rate_pct: float | None = None
    statements_executed: int = 0
    retries_attempted: int = 0
    retries_succeeded: int = 0
    anomalies_detected: int = 0
    table_duration_p50_ms: int | None = None
    table_duration_p95_ms: int | None = None
    table_duration_max_ms: int | None = None
    query_duration_p50_ms: int | None = None
    query_duration_p95_ms: int | None = None
    query_duration_max_ms: int | None = None


class RunResult(EngineOutput):
    """The output of `run` and `apply` (contract, section 5.2).

    The exit code decides before `status`: an interrupted copy and a failed quality run both print `Success`.
    `exit_code` and `run_id` are not in the JSON: who ran the engine fills them in, the id from the log lines.

    Example:
        ```python
        stdout = b'{"command": "run", "materializations": [{"asset_key": ["duckdb", "jfk"], "duration_ms": 7}]}'
        ["/".join(done.asset_key) for done in RunResult.from_stdout(stdout).materializations]  # ['duckdb/jfk']
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
    metrics: RunMetrics | None = None
    permissions: Permissions = Field(default_factory=Permissions)
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
    attempts: Attempts = Field(default_factory=list)
    partition_summaries: list[PartitionSummary] = Field(default_factory=list)
    cost_summary: CostSummary | None = None
    budget_breaches: list[BudgetBreach] = Field(default_factory=list)
    scheduling_warnings: list[Any] = Field(default_factory=list)
    override_warnings: list[OverrideWarning] = Field(default_factory=list)
    files: list[LoadedFile] = Field(default_factory=list)
    tables: list[SeededTable] = Field(default_factory=list)

    @model_validator(mode="after")
    def _tell_files_and_seeds(self) -> Self:
        """A load pipeline and `seed` print files and tables; they are told as materializations and errors too."""
        if self.command not in {"load", "seed"} or self.materializations or self.errors:
            return self
        for file in self.files:
            self._tell(file.target or file.file, file.error, file.target, file.rows_loaded, file.duration_ms)
        for table in self.tables:
            self._tell(table.target or table.name, table.error, table.target, table.rows, table.duration_ms)
        if (self.files or self.tables) and not self.status:
            self.status = "PartialFailure" if self.errors else "Success"
        return self

    def _tell(
        self, name: str, error: str | None, target: str | None, rows: int | None, duration_ms: int | None
    ) -> None:
        if error:
            self.errors.append(RunError(asset_key=name.split("."), error=error))
            return
        facts = MaterializationMetadata(strategy=self.command, target_table_full_name=target)
        self.materializations.append(
            Materialization(
                asset_key=name.split("."), rows_copied=rows, duration_ms=duration_ms, metadata=facts
            )
        )

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
