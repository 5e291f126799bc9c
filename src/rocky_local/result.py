"""What a run did, gathered while it does it, and the JSON object that says so."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from rocky_local import clock, output

_EMPTY_METRICS = (
    "statements_executed",
    "retries_attempted",
    "retries_succeeded",
)


@dataclass
class RunResult:
    """The outcome of one run, in the order in which things happened.

    Attributes:
        pipeline_type: As results show it; a `--model` run says `replication`.
        tables_failed: Failed tables or models.
        attempted: Replication tables that were tried.
        with_metrics: Whether the `metrics` object is there.
        with_cost: Whether the `cost_summary` object is there.
    """

    pipeline_type: str
    started_ns: int
    concurrency: int = 1
    adaptive: bool = False
    filter: str = ""
    status: str | None = None
    skipped_by_run_id: str | None = None
    idempotency_key: str | None = None
    tables_copied: int = 0
    tables_failed: int = 0
    tables_skipped: int = 0
    attempted: int = 0
    failed_copies: int = 0
    excluded_tables: list[dict[str, Any]] = field(default_factory=list)
    resumed_from: str | None = None
    shadow: bool = False
    materializations: list[dict[str, Any]] = field(default_factory=list)
    model_decisions: list[dict[str, Any]] = field(default_factory=list)
    contained: list[dict[str, Any]] = field(default_factory=list)
    check_results: list[dict[str, Any]] = field(default_factory=list)
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    anomalies: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    schemas_created: int = 0
    drift_actions: list[dict[str, str]] = field(default_factory=list)
    partition_summaries: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False
    override_warnings: list[dict[str, Any]] = field(default_factory=list)
    with_metrics: bool = False
    with_cost: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add_error(self, asset_key: list[str], error: str, kind: str = "unknown") -> None:
        """Add one failure."""
        self.errors.append({"asset_key": asset_key, "error": error, "failure_kind": kind})
        self.tables_failed += 1

    @property
    def final_status(self) -> str:
        """`Success`, `PartialFailure` or `Failure`, unless something else was set."""
        if self.status:
            return self.status
        if not self.tables_failed:
            return "Success"
        return "PartialFailure" if self.materializations else "Failure"

    @property
    def exit_code(self) -> int:
        """The exit code that goes with the status."""
        if self.interrupted:
            return 130
        return {"PartialFailure": 2, "Failure": 1}.get(self.final_status, 0)

    def elapsed_ms(self) -> int:
        """Return milliseconds since the run began."""
        return (clock.now_ns() - self.started_ns) // 1_000_000

    def as_json(self) -> dict[str, Any]:
        """Return the object for stdout, with its keys in the engine's order."""
        result: dict[str, Any] = {**output.head("run"), "status": self.final_status}
        _set_if(result, "skipped_by_run_id", self.skipped_by_run_id)
        _set_if(result, "idempotency_key", self.idempotency_key)
        result["pipeline_type"] = self.pipeline_type
        result["filter"] = self.filter
        result["duration_ms"] = 0 if self.skipped_by_run_id else self.elapsed_ms()
        result["tables_copied"] = self.tables_copied
        result["tables_failed"] = self.tables_failed
        for name in ("tables_skipped", "excluded_tables", "resumed_from", "shadow"):
            _set_if(result, name, getattr(self, name))
        result["materializations"] = self.materializations
        _set_if(result, "model_decisions", self.model_decisions)
        _set_if(result, "contained", self.contained)
        result["check_results"] = self.check_results
        for name in ("quarantine", "anomalies", "errors"):
            _set_if(result, name, getattr(self, name))
        result["execution"] = self._execution()
        result["metrics"] = self._metrics() if self.with_metrics else None
        result["permissions"] = {
            "grants_added": 0,
            "grants_revoked": 0,
            "catalogs_created": 0,
            "schemas_created": self.schemas_created,
        }
        result["drift"] = {
            "tables_checked": self.tables_copied,
            "tables_drifted": len(self.drift_actions),
            "actions_taken": self.drift_actions,
        }
        _set_if(result, "partition_summaries", self.partition_summaries)
        result["interrupted"] = self.interrupted
        if self.with_cost:
            result["cost_summary"] = self._cost_summary()
        _set_if(result, "override_warnings", self.override_warnings)
        return result

    def _execution(self) -> dict[str, Any]:
        execution: dict[str, Any] = {
            "concurrency": self.concurrency,
            "tables_processed": self.attempted,
            "tables_failed": self.failed_copies,
        }
        if self.adaptive:
            execution["adaptive_concurrency"] = True
            execution["final_concurrency"] = self.concurrency
            execution["rate_limits_detected"] = 0
        return execution

    def _metrics(self) -> dict[str, Any]:
        durations = sorted(entry["duration_ms"] for entry in self.materializations[: self.tables_copied])
        total = self.tables_copied + self.failed_copies
        metrics: dict[str, Any] = {
            "tables_processed": self.tables_copied,
            "tables_failed": self.failed_copies,
            "error_rate_pct": float(100 * self.failed_copies // total) if total else 0.0,
            **dict.fromkeys(_EMPTY_METRICS, 0),
            "anomalies_detected": len(self.anomalies),
        }
        for name, share in (("p50", 50), ("p95", 95), ("max", 100)):
            metrics[f"table_duration_{name}_ms"] = (
                durations[(len(durations) - 1) * share // 100] if durations else 0
            )
        return {**metrics, **{f"query_duration_{name}_ms": 0 for name in ("p50", "p95", "max")}}

    def _cost_summary(self) -> dict[str, Any]:
        per_model = [
            {"asset_key": entry["asset_key"], "duration_ms": entry["duration_ms"], "cost_usd": 0.0}
            for entry in self.materializations
        ]
        summary: dict[str, Any] = {"total_cost_usd": 0.0} if per_model else {}
        summary["total_duration_ms"] = sum(entry["duration_ms"] for entry in per_model)
        summary["per_model"] = per_model
        summary["adapter_type"] = "duckdb"
        return summary


def materialization(
    asset_key: list[str],
    started_ns: int,
    duration_ms: int,
    metadata: dict[str, Any],
    partition: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return one entry of `materializations`."""
    entry: dict[str, Any] = {
        "asset_key": asset_key,
        "rows_copied": None,
        "duration_ms": duration_ms,
        "started_at": clock.rfc3339(started_ns),
        "metadata": metadata,
    }
    if partition is not None:
        entry["partition"] = partition
    entry["cost_usd"] = 0.0
    return entry


def _set_if(result: dict[str, Any], name: str, value: Any) -> None:
    if value:
        result[name] = value
