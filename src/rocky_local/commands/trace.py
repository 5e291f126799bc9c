"""`rocky trace`: when each table and model of a finished run was worked on."""

from datetime import datetime
from typing import Any

from rocky_local.args import Arguments
from rocky_local.commands.cost import find_run, heading
from rocky_local.commands.history import recipe
from rocky_local.output import Answer, head


def run(args: Arguments) -> Answer:
    """Give the tables and models of a run; those that were worked on at the same time are in different lanes."""
    record = find_run(args)
    ends: list[int] = []
    models = [_traced(entry, record["started_at"], ends) for entry in record["models"]]
    summary = {"run_duration_ms": record["duration_ms"], "lane_count": len(ends), "models": models}
    return Answer({**head("trace"), **heading(record), **summary})


def _traced(entry: dict[str, Any], begun: str, ends: list[int]) -> dict[str, Any]:
    """One entry, in the first lane that is free by then; `ends` says when each of the lanes is."""
    started = datetime.fromisoformat(entry.get("started_at", begun)) - datetime.fromisoformat(begun)
    offset = int(started.total_seconds() * 1000)
    lane = next((number for number, end in enumerate(ends) if end <= offset), len(ends))
    ends[lane : lane + 1] = [offset + entry["duration_ms"]]
    return {
        "model_name": entry["model_name"],
        "status": entry["status"],
        "start_offset_ms": offset,
        "duration_ms": entry["duration_ms"],
        **({"sql_hash": entry["sql_hash"]} if entry.get("sql_hash") else {}),
        "lane": lane,
        **recipe(entry),
    }
