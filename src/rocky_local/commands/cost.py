"""`rocky cost`: what a finished run cost, on DuckDB nothing but time."""

from typing import Any

from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.output import Answer, head
from rocky_local.state import reading

_STATUSES = {"PartialFailure": "partial_failure"}


def run(args: Arguments) -> Answer:
    """Give the durations of a run's tables and models."""
    record = find_run(args)
    models = [
        {**{key: entry[key] for key in ("model_name", "status", "duration_ms")}, "cost_usd": 0.0}
        for entry in record["models"]
    ]
    total = sum(entry["duration_ms"] for entry in models)
    times = {"duration_ms": record["duration_ms"], "adapter_type": "duckdb"}
    summary = {"total_cost_usd": 0.0, "total_duration_ms": total, "per_model": models}
    return Answer({**head("cost"), **heading(record), **times, **summary})


def find_run(args: Arguments) -> dict[str, Any]:
    """Return the record of the run that the first argument names: an id, or `latest`.

    Raises:
        EngineError: There is no such run.
    """
    wanted = args.positionals[0]
    with reading(args.state_file) as store:
        for record in store.runs():
            if wanted in ("latest", record["run_id"]):
                return record
    raise EngineError(f"run '{wanted}' not found in the state store")


def heading(record: dict[str, Any]) -> dict[str, Any]:
    """Return how a run is introduced, in this command's own spelling of states and times."""
    return {
        "run_id": record["run_id"],
        "status": _STATUSES.get(record["status"], record["status"].lower()),
        "trigger": record.get("trigger", "Manual").lower(),
        **{
            key: record[key].removesuffix("Z") + "+00:00"
            for key in ("started_at", "finished_at")
            if key in record
        },
    }
