"""The same engine result with nulls, gaps and unknown fields where they change nothing."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

NO_TRUTH = frozenset(
    {
        "version", "pipeline_type", "filter", "duration_ms", "tables_copied", "execution", "metrics", "permissions",
        "cost_summary", "override_warnings", "scheduling_warnings", "rows_copied", "started_at", "cost_usd", "metadata",
        "strategy", "watermark", "sql_hash", "column_count", "compile_time_ms", "bytes_scanned", "bytes_written",
        "start", "end", "attempts", "cooldown_seconds", "current_count", "baseline_avg", "deviation_pct",
        "tables_checked", "tables_drifted", "partition_summaries", "unblock_hint", "valid_rows", "quarantined_rows",
        "grants_added", "concurrency", "source_schema", "failing_rows", "source_count", "lag_seconds",
    }
)  # fmt: skip
"""Fields that say nothing about what was built: the engine may leave them out, or null."""


@st.composite
def sprinkled(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """A document of the same truth: fields without truth and empty lists null or left out, unknown fields added."""
    document = copy.deepcopy(document)
    spots = [
        (holder, name) for holder in _objects(document) for name in holder if _says_nothing(holder, name)
    ]
    for holder, name in draw(st.lists(st.sampled_from(spots), max_size=12, unique_by=_identity)):
        if draw(st.booleans()):
            holder[name] = None
        else:
            holder.pop(name)
    holders = list(_objects(document))
    for holder in draw(st.lists(st.sampled_from(holders), max_size=2, unique_by=id)):
        holder["field_of_tomorrow"] = draw(st.sampled_from([None, 1, "x", [{"a": None}], {"b": []}]))
    return document


def _identity(spot: tuple[dict[str, Any], str]) -> tuple[int, str]:
    return id(spot[0]), spot[1]


def _says_nothing(holder: dict[str, Any], name: str) -> bool:
    return name in NO_TRUTH or holder[name] == [] or (name == "interrupted" and holder[name] is False)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object in a value, itself first."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(item)
