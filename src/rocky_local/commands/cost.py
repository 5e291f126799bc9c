"""`rocky cost`: what a run cost; on DuckDB nothing, so mostly how long it took."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rocky_local import clock, output
from rocky_local.errors import EngineError
from rocky_local.state import locate, open_for_reading

if TYPE_CHECKING:
    from rocky_local.args import Arguments


def run(args: Arguments) -> int:
    """Print the cost of the latest run or of the one that is named."""
    if not args.positionals:
        raise EngineError("name the run: rocky cost <RUN_ID>, or rocky cost latest")
    wanted = args.positionals[0]
    store = open_for_reading(locate(args.get("state-path"), args.get("state-namespace")))
    records = store.runs() if store else []
    if store:
        store.close()
    found = next((r for r in records if wanted in ("latest", r["run_id"])), None)
    if found is None:
        raise EngineError("no runs recorded" if wanted == "latest" else f"run '{wanted}' not found")
    result = _result(found)
    if args.json:
        output.print_json(result)
    else:
        output.print_text(f"{result['run_id']}: {result['duration_ms']} ms, 0.00 USD")
    return 0


def _result(record: dict[str, Any]) -> dict[str, Any]:
    started = record["started_at"].removesuffix("Z")
    finished = record.get("finished_at", _later(started, record["duration_ms"])).removesuffix("Z")
    per_model = [
        {
            "model_name": entry["model_name"],
            "status": entry["status"],
            "duration_ms": entry["duration_ms"],
            "cost_usd": 0.0,
        }
        for entry in record["models"]
    ]
    return {
        **output.head("cost"),
        "run_id": record["run_id"],
        "status": re.sub(r"(?<!^)(?=[A-Z])", "_", record["status"]).lower(),
        "trigger": "manual",
        "started_at": f"{started}+00:00",
        "finished_at": f"{finished}+00:00",
        "duration_ms": record["duration_ms"],
        "adapter_type": "duckdb",
        "total_cost_usd": 0.0,
        "total_duration_ms": sum(entry["duration_ms"] for entry in per_model),
        "per_model": per_model,
    }


def _later(started: str, milliseconds: int) -> str:
    begin = datetime.fromisoformat(started[:26])
    return clock.rfc3339(clock.from_datetime(begin + timedelta(milliseconds=milliseconds)))
