"""What a run did, gathered while it does it, and the JSON object that says so (contract, 5.2)."""

import threading
from typing import Any

from rocky_local import clock, output

Entry = dict[str, Any]

# The keys of the object in the engine's order; `?` marks those that are left out when they are empty.
_ORDER = (
    "status skipped_by_run_id? idempotency_key? pipeline_type filter duration_ms tables_copied tables_failed "
    "tables_skipped? excluded_tables? resumed_from? shadow? materializations model_decisions? contained? check_results "
    "quarantine? anomalies? errors? execution metrics permissions drift partition_summaries? interrupted cost_summary? "
    "budget_breaches? override_warnings?"
)
_KEYS = _ORDER.split()


class RunResult:
    """The outcome of one run, in the order in which things happened.

    Args:
        pipeline_type: As results show it; a `--model` run says `replication`.
        started_ns: When it began, in nanoseconds since 1970.

    Attributes:
        forced_status: A status that does not follow from the rest.
        tables_failed: Failed tables or models.
        attempted: Replication tables that were tried.
        with_metrics: Whether the `metrics` object is there.
        with_cost: Whether the `cost_summary` object is there.
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
        self.adaptive = self.shadow = self.interrupted = self.with_metrics = False
        self.with_cost = True
        self.tables_copied = self.tables_failed = self.tables_skipped = 0
        self.attempted = self.failed_copies = self.schemas_created = 0
        self.excluded_tables: list[Entry] = []
        self.materializations: list[Entry] = []
        self.model_decisions: list[Entry] = []
        self.contained: list[Entry] = []
        self.check_results: list[Entry] = []
        self.quarantine: list[Entry] = []
        self.anomalies: list[Entry] = []
        self.errors: list[Entry] = []
        self.drift_actions: list[dict[str, str]] = []
        self.partition_summaries: list[Entry] = []
        self.override_warnings: list[Entry] = []
        self.budget_breaches: list[Entry] = []
        self.lock = threading.Lock()

    def add_error(
        self, asset_key: list[str], error: str, kind: str = "unknown", *, counted: bool = True
    ) -> None:
        """Add one failure; one that is not counted is another reason of the same table or model."""
        self.errors.append({"asset_key": asset_key, "error": error, "failure_kind": kind})
        self.tables_failed += counted

    def add_materialization(
        self, key: list[str], started_ns: int, duration_ms: int, metadata: Entry, partition: Entry | None
    ) -> Entry:
        """Add one entry of `materializations` and return it."""
        entry: Entry = {"asset_key": key, "rows_copied": None, "duration_ms": duration_ms}
        entry |= {"started_at": clock.rfc3339(started_ns), "metadata": metadata}
        entry |= {"partition": partition} if partition else {}
        entry["cost_usd"] = 0.0
        with self.lock:
            self.materializations.append(entry)
        return entry

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

    @property
    def execution(self) -> Entry:
        """How the tables were worked on; models count nothing here."""
        shown: Entry = {"concurrency": self.concurrency, "tables_processed": self.attempted}
        shown["tables_failed"] = self.failed_copies
        if self.adaptive:
            shown |= {
                "adaptive_concurrency": True,
                "final_concurrency": self.concurrency,
                "rate_limits_detected": 0,
            }
        return shown

    @property
    def metrics(self) -> Entry | None:
        """The counters of a replication; None for everything else."""
        if not self.with_metrics:
            return None
        durations = sorted(entry["duration_ms"] for entry in self.materializations[: self.tables_copied]) or [
            0
        ]
        total = self.tables_copied + self.failed_copies
        rate = float(100 * self.failed_copies // total) if total else 0.0
        zeros = dict.fromkeys(("statements_executed", "retries_attempted", "retries_succeeded"), 0)
        shown: Entry = {"tables_processed": self.tables_copied, "tables_failed": self.failed_copies}
        shown |= {"error_rate_pct": rate, **zeros, "anomalies_detected": len(self.anomalies)}
        for name, share in (("p50", 50), ("p95", 95), ("max", 100)):
            shown[f"table_duration_{name}_ms"] = durations[(len(durations) - 1) * share // 100]
        return shown | {f"query_duration_{name}_ms": 0 for name in ("p50", "p95", "max")}

    @property
    def permissions(self) -> Entry:
        """What was created; DuckDB has no grants."""
        zeros = dict.fromkeys(("grants_added", "grants_revoked", "catalogs_created"), 0)
        return {**zeros, "schemas_created": self.schemas_created}

    @property
    def drift(self) -> Entry:
        """How many copied tables had changed at their source."""
        counts = {"tables_checked": self.tables_copied, "tables_drifted": len(self.drift_actions)}
        return {**counts, "actions_taken": self.drift_actions}

    @property
    def cost_summary(self) -> Entry | None:
        """What it cost, on DuckDB nothing; None where there is nothing to sum up."""
        if not self.with_cost:
            return None
        shown = ("asset_key", "duration_ms", "cost_usd")
        per_model = [{name: entry[name] for name in shown} for entry in self.materializations]
        total: Entry = {"total_cost_usd": 0.0} if per_model else {}
        total["total_duration_ms"] = sum(entry["duration_ms"] for entry in per_model)
        return {**total, "per_model": per_model, "adapter_type": "duckdb"}

    def as_json(self) -> Entry:
        """Return the object for stdout, with its keys in the engine's order."""
        values = {key.rstrip("?"): getattr(self, key.rstrip("?")) for key in _KEYS}
        return output.head("run") | {
            name: value for name, value in values.items() if value or f"{name}?" not in _KEYS
        }
