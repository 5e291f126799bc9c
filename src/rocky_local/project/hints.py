"""What compiling guesses about a model: what it may cost, and whether it could be incremental."""

import json
import re
from typing import Any

from rocky_local.project.compiler import Compiled
from rocky_local.project.lineage import QueryLineage
from rocky_local.project.models import Model
from rocky_local.tracing import Log

_LOG = Log("rocky_compiler::incrementality")
_SOURCE_ROWS, _SOURCE_COST = 10_000, 2.28e-05
_BYTES_PER_ROW = 256
_KEPT_FRACTION = 0.8
_COST_PER_ROW = 5e-9
_TIMESTAMP = re.compile(r"_(at|date|time|timestamp|ts)$")
_NUMBER = re.compile(r"(^|_)id$")


def cost_hints(compiled: Compiled) -> dict[str, dict[str, Any]]:
    """Estimate each model: one without dependencies has 10,000 rows, any other four fifths of what it reads."""
    hints: dict[str, dict[str, Any]] = {}
    for model in compiled.order:
        rows, cost = _SOURCE_ROWS, _SOURCE_COST
        if model.depends_on:
            above = [hints[name] for name in dict.fromkeys(model.depends_on)]
            read = sum(hint["estimated_rows"] for hint in above)
            rows = int(read * _KEPT_FRACTION)
            cost = sum(hint["estimated_cost_usd"] for hint in above) + read * _COST_PER_ROW
        hints[model.name] = {
            "estimated_rows": rows,
            "estimated_bytes": rows * _BYTES_PER_ROW,
            "estimated_cost_usd": cost,
            "confidence": "medium" if model.depends_on else "high",
        }
    return hints


def incrementality_hint(model: Model, query: QueryLineage) -> dict[str, Any] | None:
    """Name the column by which a fully refreshed model could be built incrementally, and log it."""
    named = [name for kind in (_TIMESTAMP, _NUMBER) for name in query.columns if kind.search(name)]
    column = next(iter([*named, *(name for name in query.order if name in query.columns)]), None)
    if model.kind != "full_refresh" or column is None:
        return None
    stamp = _TIMESTAMP.search(column)
    why = f"ends with '{stamp[0]}' (timestamp pattern)" if stamp else "matches auto-increment ID pattern"
    confidence, signals = "medium", [f"column name '{column}' {why}"]
    if not named:
        confidence, signals = "low", [f"column '{column}' appears in ORDER BY (suggests monotonic ordering)"]
    if re.search(rf"\b{re.escape(column)}\s*[<>]", model.sql):
        signals.append(f"column '{column}' used with comparison operator in SQL (suggests range filtering)")
    _LOG.info(
        "incrementality candidate detected",
        model=model.name,
        column=column,
        confidence=confidence.capitalize(),
        signals=json.dumps(signals),
    )
    found = {"is_candidate": True, "recommended_column": column, "confidence": confidence}
    return {**found, "signals": signals}
