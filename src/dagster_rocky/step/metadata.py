"""Under which metadata keys does an engine event say what?"""

from typing import Any

import dagster as dg

from dagster_rocky.engine.news.events import Built, Checked

TABLE_NAME = "dagster/table_name"
ROW_COUNT = "dagster/row_count"
PARTITION_ROW_COUNT = "dagster/partition_row_count"
ROWS_COPIED = "rocky/rows_copied"
STRATEGY = "rocky/strategy"
DURATION = "rocky/duration_seconds"
WATERMARK = "rocky/watermark"
SQL_HASH = "rocky/sql_hash"
RUN_ID = "rocky/run_id"
PARTITION = "rocky/partition"
COST = "rocky/cost_usd"
PLAN_ID = "rocky/plan_id"
OUTCOME = "rocky/outcome"
EVALUATED = "rocky/evaluated"
COMPLETES = "rocky/completes_materialization"
REASON = "rocky/reason"
BUILT_BY_RUN = "rocky/built_by_run"
SELECTED = "rocky/selected"
SHADOW = "rocky/shadow"
SHADOW_OF = "rocky/shadow_of"
LAUNCH = "rocky/launch_options"
PLAN_STATEMENTS = "rocky/plan_statements"

_FROM_ENGINE = {
    "strategy": STRATEGY,
    "target_table_full_name": TABLE_NAME,
    "sql_hash": SQL_HASH,
    "cost_usd": COST,
    "plan_id": PLAN_ID,
    "bytes_scanned": "rocky/bytes_scanned",
    "bytes_written": "rocky/bytes_written",
    "column_lineage_unavailable": "rocky/column_lineage_unavailable",
}


def built_metadata(event: Built) -> dict[str, Any]:
    """A materialization's metadata: plain values under this package's keys and Dagster's own.

    A row count is there only when the engine counted: while it copied (not on DuckDB: contract, section 13), or in
    a `row_count` check.
    """
    metadata: dict[str, Any] = {}
    if event.duration_ms is not None:
        metadata[DURATION] = event.duration_ms / 1000
    if event.run_id:
        metadata[RUN_ID] = event.run_id
    if event.partition:
        metadata[PARTITION] = event.partition
    for name, key in _FROM_ENGINE.items():
        if event.metadata.get(name) is not None:
            metadata[key] = event.metadata[name]
    attempts = event.metadata.get("attempts")
    if attempts:
        metadata["rocky/attempts"] = len(attempts) if isinstance(attempts, list) else attempts
    watermark = event.metadata.get("watermark")
    if watermark is not None:
        metadata[WATERMARK] = str(watermark).replace("+00:00", "Z")
    copied, counted = event.metadata.get("rows_copied"), event.metadata.get("row_count")
    if counted is not None:
        metadata[ROW_COUNT] = counted
    elif copied is not None and event.metadata.get("strategy") == "incremental":
        metadata[ROWS_COPIED] = copied
    elif copied is not None:
        metadata[PARTITION_ROW_COUNT if event.partition else ROW_COUNT] = copied
    return metadata


def checked_metadata(event: Checked) -> dict[str, Any]:
    """A check result's metadata: what the engine measured, under `rocky/…`."""
    metadata: dict[str, Any] = {"rocky/check": event.check, "rocky/severity": event.severity}
    for name, value in event.detail.items():
        if isinstance(value, str | int | float | bool | dict | list):
            metadata[f"rocky/{name}"] = value
        elif value is not None:
            metadata[f"rocky/{name}"] = str(value)
    if not was_evaluated(event):
        metadata[EVALUATED] = False
    return metadata


def severity_of(event: Checked) -> dg.AssetCheckSeverity:
    """What the project configured: a warning warns, everything else is an error."""
    warns = event.severity.startswith("warn")
    return dg.AssetCheckSeverity.WARN if warns else dg.AssetCheckSeverity.ERROR


def was_evaluated(event: Checked) -> bool:
    """Whether the engine could evaluate the check.

    A custom check whose query fails is reported as not passed with `result_value` 0 (contract, section 6); a
    query that ran and gave 0 passes whenever the threshold is not negative, so the two can be told apart.
    """
    threshold = event.detail.get("threshold")
    return not (
        not event.passed
        and "query" in event.detail
        and event.detail.get("result_value") == 0
        and isinstance(threshold, int | float)
        and threshold >= 0
    )
