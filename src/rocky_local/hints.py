"""What compiling guesses about a model: what it may cost, and whether it could be incremental."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rocky_local import tracing

if TYPE_CHECKING:
    from rocky_local.compiler import Compiled
    from rocky_local.models import Model

_SOURCE_ROWS = 10_000
_SOURCE_COST = 2.28e-05
_BYTES_PER_ROW = 256
_KEPT_FRACTION = 0.8
_COST_PER_ROW = 5e-9
_TIMESTAMP = re.compile(r"_(at|date|time|timestamp|ts)$")


def cost_hints(compiled: Compiled) -> dict[str, dict[str, Any]]:
    """Estimate rows, bytes and cost of each model from those it depends on.

    A model without dependencies counts as 10,000 rows; any other keeps four fifths of what it reads.
    """
    rows: dict[str, int] = {}
    costs: dict[str, float] = {}
    for model in compiled.order:
        needs = list(dict.fromkeys(model.depends_on))
        read = sum(rows[name] for name in needs)
        rows[model.name] = int(read * _KEPT_FRACTION) if needs else _SOURCE_ROWS
        costs[model.name] = sum(costs[n] for n in needs) + read * _COST_PER_ROW if needs else _SOURCE_COST
    return {
        model.name: {
            "estimated_rows": rows[model.name],
            "estimated_bytes": rows[model.name] * _BYTES_PER_ROW,
            "estimated_cost_usd": costs[model.name],
            "confidence": "medium" if model.depends_on else "high",
        }
        for model in compiled.order
    }


def incrementality_hint(model: Model, columns: list[str]) -> dict[str, Any] | None:
    """Name the column by which a fully refreshed model could be built incrementally, and log it."""
    if model.kind != "full_refresh":
        return None
    stamped = next((name for name in columns if _TIMESTAMP.search(name)), None)
    numbered = next((name for name in columns if name == "id" or name.endswith("_id")), None)
    if stamped is not None:
        column = stamped
        suffix = stamped[stamped.rindex("_") :]
        signal = f"column name '{column}' ends with '{suffix}' (timestamp pattern)"
    elif numbered is not None:
        column = numbered
        signal = f"column name '{column}' matches auto-increment ID pattern"
    else:
        return None
    tracing.info(
        "rocky_compiler::incrementality",
        "incrementality candidate detected",
        model=model.name,
        column=tracing.Display(column),
        confidence=tracing.Display("Medium"),
        signals=tracing.Display(f'["{signal}"]'),
    )
    return {
        "is_candidate": True,
        "recommended_column": column,
        "confidence": "medium",
        "signals": [signal],
    }
