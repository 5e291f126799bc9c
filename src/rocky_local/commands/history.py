"""`rocky history`: the finished runs, or those of one table or model."""

from __future__ import annotations

import hashlib
import os
import platform
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

from rocky_local import __version__, output
from rocky_local.state import locate, open_for_reading

if TYPE_CHECKING:
    from rocky_local.args import Arguments

Record = dict[str, Any]
_WINDOW = 20
_SHOWN = 50


def run(args: Arguments) -> int:
    """Print the runs, newest first."""
    store = open_for_reading(locate(args.get("state-path"), args.get("state-namespace")))
    records = store.runs() if store else []
    if store:
        store.close()
    since = args.get("since")
    if since:
        records = [record for record in records if record["started_at"] >= since]
    model = args.get("model")
    if model:
        result = _of_model(records, model, rolling=args.has("rolling-stats"))
    else:
        runs = [_shown(record, audit=args.has("audit")) for record in records[:_SHOWN]]
        result = {**output.head("history"), "runs": runs, "count": len(runs)}
    if args.json:
        output.print_json(result)
    else:
        output.print_text(_human(result))
    return 0


def _shown(record: Record, *, audit: bool) -> Record:
    shown = {
        "run_id": record["run_id"],
        "started_at": record["started_at"],
        "status": record["status"],
        "trigger": "Manual",
        "models_executed": len(record["models"]),
        "duration_ms": record["duration_ms"],
        "models": [_model(entry) for entry in record["models"]],
    }
    if record.get("pipeline"):
        shown["pipeline"] = record["pipeline"]
    if audit:
        shown |= {
            "session_source": record.get("session_source", "cli"),
            "hostname": record.get("hostname", platform.node()),
            "target_catalog": record.get("target_catalog"),
            "rocky_version": __version__,
        }
    return shown


def _model(entry: Record) -> Record:
    shown = {key: entry[key] for key in ("model_name", "duration_ms", "status")}
    if entry["status"] == "success":
        shown["recipe_identity"] = _recipe(entry)
    return shown


def _recipe(entry: Record) -> dict[str, str]:
    """Name what was built and where, so that two runs of the same recipe can be told from two recipes."""
    logic = f"{entry.get('target', entry['model_name'])}\n{entry.get('sql_hash', '')}"
    place = f"{__version__}\n{platform.machine()}\n{os.name}"
    found = entry.get("input_hash")
    return {
        "recipe_hash": hashlib.sha256(logic.encode()).hexdigest(),
        **({"input_hash": found, "input_proof_class": "heuristic"} if found else {}),
        "env_hash": hashlib.sha256(place.encode()).hexdigest(),
        "hash_scheme": "v1",
    }


def _of_model(records: list[Record], model: str, *, rolling: bool) -> Record:
    found = [
        {
            "started_at": entry.get("started_at", record["started_at"]),
            "duration_ms": entry["duration_ms"],
            "status": f'"{entry["status"]}"',
            "sql_hash": entry.get("sql_hash", ""),
            **({"recipe_identity": _recipe(entry)} if entry["status"] == "success" else {}),
        }
        for record in records
        for entry in record["models"]
        if entry["model_name"] == model
    ]
    result = {**output.head("history"), "model": model, "executions": found, "count": len(found)}
    return result | ({"rolling_stats": _rolling(found)} if rolling else {})


def _rolling(executions: list[Record]) -> Record:
    durations = [float(entry["duration_ms"]) for entry in executions[:_WINDOW]]
    mean, spread = (fmean(durations), pstdev(durations)) if durations else (0.0, 0.0)
    score = (durations[0] - mean) / spread if spread else None
    timing = {"mean": mean, "std_dev": spread} | ({} if score is None else {"latest_z_score": score})
    failed = sum("success" not in entry["status"] for entry in executions[:_WINDOW])
    return {
        "window": _WINDOW,
        "samples": len(durations),
        "rows_affected": {"mean": 0.0, "std_dev": 0.0},
        "duration_ms": timing,
        "health_score": 1.0 - failed / len(durations) if durations else 1.0,
    }


def _human(result: Record) -> str:
    rows = result.get("runs") or result.get("executions") or []
    if not rows:
        return "No runs recorded."
    return "\n".join(
        " | ".join(str(row[key]) for key in ("run_id", "started_at", "status", "duration_ms") if key in row)
        for row in rows
    )
