"""`rocky history`: the finished runs, or those of one table or model."""

import hashlib
import os
from statistics import fmean, pstdev
from typing import Any

from rocky_local import __version__
from rocky_local.args import Arguments
from rocky_local.output import Answer, head
from rocky_local.state import reading

_Record = dict[str, Any]
_WINDOW = 20
_SHOWN = 50


def run(args: Arguments) -> Answer:
    """Give the runs, newest first."""
    with reading(args.state_file) as store:
        records = [run for run in store.runs() if run["started_at"] >= (args.get("since") or "")]
    if (model := args.get("model")) is None:
        runs = [_shown(record, audit=args.has("audit")) for record in records[:_SHOWN]]
        return Answer({**head("history"), "runs": runs, "count": len(runs)})
    found = [
        _execution(record, entry)
        for record in records
        for entry in record["models"]
        if entry["model_name"] == model
    ]
    result = {**head("history"), "model": model, "executions": found, "count": len(found)}
    return Answer(result | ({"rolling_stats": _rolling(found)} if args.has("rolling-stats") else {}))


def _shown(record: _Record, *, audit: bool) -> _Record:
    shown = {
        "run_id": record["run_id"],
        "started_at": record["started_at"],
        "status": record["status"],
        "trigger": record.get("trigger", "Manual"),
        "models_executed": len(record["models"]),
        "duration_ms": record["duration_ms"],
        "models": [
            {**{key: entry[key] for key in ("model_name", "duration_ms", "status")}, **recipe(entry)}
            for entry in record["models"]
        ],
    }
    shown |= {"pipeline": record["pipeline"]} if record.get("pipeline") else {}
    optional = ["submission_id"]
    optional += ["session_source", "idempotency_key", "target_catalog", "hostname"] if audit else []
    shown |= {key: record[key] for key in optional if record.get(key) is not None}
    if audit:
        shown["rocky_version"] = __version__
    return shown


def recipe(entry: _Record) -> _Record:
    """Name what was built and where, so that two runs of the same recipe can be told from two recipes."""
    if entry["status"] != "success":
        return {}
    logic = f"{entry.get('target', entry['model_name'])}\n{entry.get('sql_hash', '')}"
    place = f"{__version__}\n{os.uname().machine}\n{os.name}"
    found = entry.get("input_hash")
    recipe = {
        "recipe_hash": hashlib.sha256(logic.encode()).hexdigest(),
        **({"input_hash": found, "input_proof_class": "heuristic"} if found else {}),
        "env_hash": hashlib.sha256(place.encode()).hexdigest(),
        "hash_scheme": "v1",
    }
    return {"recipe_identity": recipe}


def _execution(record: _Record, entry: _Record) -> _Record:
    return {
        "started_at": entry.get("started_at", record["started_at"]),
        "duration_ms": entry["duration_ms"],
        "status": f'"{entry["status"]}"',
        "sql_hash": entry.get("sql_hash", ""),
        **recipe(entry),
    }


def _rolling(executions: list[_Record]) -> _Record:
    window = executions[:_WINDOW]
    durations = [float(entry["duration_ms"]) for entry in window]
    mean, spread = (fmean(durations), pstdev(durations)) if durations else (0.0, 0.0)
    score = {"latest_z_score": (durations[0] - mean) / spread} if spread else {}
    passed = sum("success" in entry["status"] for entry in window)
    return {
        "window": _WINDOW,
        "samples": len(window),
        "rows_affected": {"mean": 0.0, "std_dev": 0.0},
        "duration_ms": {"mean": mean, "std_dev": spread, **score},
        "health_score": passed / len(window) if window else 1.0,
    }
