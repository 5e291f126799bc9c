"""Row counts that jump: the latest count of a table against the average of its recent ones."""

from __future__ import annotations

from typing import Any

WINDOW = 10
MINIMUM_COUNTS = 2


def detect(table: str, counts: list[int], threshold_pct: float) -> dict[str, Any] | None:
    """Return the anomaly of the last of some row counts, or None.

    Args:
        table: The full name of the table.
        counts: Oldest first; the last one is the current run's, and is part of the baseline.
        threshold_pct: How many percent of the baseline count as normal.

    Example:
        >>> detect("c.s.t", [400, 400, 400, 400, 20], 30.0)["reason"]
        'row count dropped 93.8% (expected ~324, got 20)'
    """
    if len(counts) < MINIMUM_COUNTS:
        return None
    current, baseline = counts[-1], sum(counts) / len(counts)
    if not baseline:
        return None
    deviation = abs(current - baseline) / baseline * 100
    if deviation <= threshold_pct:
        return None
    verb = "dropped" if current < baseline else "increased"
    return {
        "table": table,
        "current_count": current,
        "baseline_avg": baseline,
        "deviation_pct": deviation,
        "reason": f"row count {verb} {deviation:.1f}% (expected ~{baseline:.0f}, got {current})",
    }
