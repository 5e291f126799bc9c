"""The checks of a replication run, kind by kind over all copied tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rocky_local import anomalies, checks, clock, tracing
from rocky_local.context import RUN_TARGET, RunContext
from rocky_local.errors import DatabaseError, Unsupported

if TYPE_CHECKING:
    from rocky_local.config import Pipeline
    from rocky_local.replication import Copied


def run_checks(context: RunContext, pipeline: Pipeline, copied: list[Copied]) -> None:
    """Check every copied table and report each finding as it is made.

    A failing check never fails a replication.

    Raises:
        Unsupported: A kind of check that only the real engine knows.
    """
    config = pipeline.checks
    if config.get("cross_source_overlap"):
        raise Unsupported("the check 'cross_source_overlap'")
    started = clock.now_ns()
    fresh = config.get("freshness")
    tracing.info(
        RUN_TARGET,
        "running batched checks concurrently",
        row_count_tables=len(copied) if config.get("row_count") else 0,
        freshness_tables=len(copied) if fresh else 0,
    )
    batch = _Batch(context, copied)
    if config.get("column_match"):
        for item in copied:
            batch.add(item, checks.column_match(item.source_columns, item.columns_before))
    if config.get("row_count"):
        batch.row_counts(config.get("anomaly_threshold_pct"))
    if fresh:
        batch.freshness(fresh)
    batch.assertions(config.get("assertions", []))
    for rule in config.get("custom", []):
        for item in copied:
            batch.add(item, checks.custom(context.adapter, rule, item.copy.target))
    if config.get("null_rate"):
        for item in copied:
            for found in checks.null_rates(context.adapter, config["null_rate"], item.copy.target):
                batch.add(item, found)
    context.result.check_results += batch.results()
    tracing.info(
        RUN_TARGET,
        "batched checks complete",
        duration_ms=(clock.now_ns() - started) // 1_000_000,
        tables=len(copied),
    )


class _Batch:
    """The findings of one run, by table."""

    def __init__(self, context: RunContext, copied: list[Copied]) -> None:
        self._context = context
        self._copied = copied
        self._found: list[list[dict[str, Any]]] = [[] for _ in copied]
        self._position = {id(item): number for number, item in enumerate(copied)}

    def add(self, item: Copied, finding: dict[str, Any]) -> None:
        """Keep a finding and tell Dagster."""
        self._found[self._position[id(item)]].append(finding)
        self._context.messages.check(item.copy.asset_key, finding)

    def results(self) -> list[dict[str, Any]]:
        """Return the entries of `check_results`; a table without findings has none."""
        return [
            {"asset_key": item.copy.asset_key, "checks": findings}
            for item, findings in zip(self._copied, self._found, strict=True)
            if findings
        ]

    def row_counts(self, threshold: float | None) -> None:
        """Compare row counts with the sources, and with the tables' own history."""
        adapter = self._context.adapter
        sources = [
            adapter.query(f"SELECT COUNT(*) FROM {item.copy.source_name}")[0][0] for item in self._copied
        ]
        targets = [adapter.query(f"SELECT COUNT(*) FROM {item.copy.target}")[0][0] for item in self._copied]
        for item, source, target in zip(self._copied, sources, targets, strict=True):
            self.add(item, checks.row_count(source, target))
        if threshold is None:
            return
        state = self._context.state
        for item, count in zip(self._copied, targets, strict=True):
            state.add_row_count(item.copy.target, count)
            history = state.row_counts(item.copy.target, anomalies.WINDOW)
            anomaly = anomalies.detect(item.copy.target, history, threshold)
            if anomaly is not None:
                tracing.warn(
                    RUN_TARGET, "row count anomaly detected", table=anomaly["table"], reason=anomaly["reason"]
                )
                self._context.result.anomalies.append(anomaly)

    def freshness(self, config: dict[str, Any]) -> None:
        """Say how old the latest row of each table is; a table without timestamps gives no finding."""
        for item in self._copied:
            query = f"SELECT MAX({item.copy.timestamp_column}) FROM {item.copy.target}"
            try:
                latest = self._context.adapter.query(query)[0][0]
            except DatabaseError as error:
                tracing.warn(
                    RUN_TARGET,
                    "per-table freshness check failed",
                    table=tracing.Display(item.copy.target),
                    error=tracing.Display(error.brief),
                )
                continue
            if hasattr(latest, "year"):
                self.add(item, checks.freshness(clock.as_datetime(latest), config))

    def assertions(self, rules: list[dict[str, Any]]) -> None:
        """Evaluate the assertions; they find their tables by name."""
        for item in self._copied:
            for rule in rules:
                if rule.get("table") in (None, item.copy.target_table):
                    self._assertion(item, rule)

    def _assertion(self, item: Copied, rule: dict[str, Any]) -> None:
        try:
            self.add(item, checks.assertion(self._context.adapter, rule, item.copy.target))
        except DatabaseError as error:
            tracing.warn(
                RUN_TARGET,
                "assertion query failed — skipping",
                table=tracing.Display(item.copy.target),
                error=tracing.Display(error.brief),
                check=checks.assertion_name(rule),
            )
