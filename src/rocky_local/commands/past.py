"""What the state file tells: `state`, `branch`, `history`, `cost`, `trace`, `optimize`, `metrics`."""

import hashlib
import os
from datetime import datetime
from statistics import fmean, pstdev
from typing import Any

from rocky_local import __version__, clock
from rocky_local.args import Arguments
from rocky_local.errors import EngineError, Unsupported
from rocky_local.output import Answer, Entry
from rocky_local.project.models import load_project
from rocky_local.state import SCHEMA_VERSION, ModelRun, RunRecord, open_for_writing, reading

_WINDOW = 20
_SHOWN = 50
_STATUSES = {"PartialFailure": "partial_failure"}
_AUDITED = "session_source idempotency_key target_catalog hostname"
# What `optimize` goes by.
_NEEDED_RUNS = 5
_STORAGE_PER_MONTH = 0.0023
_COST_PER_MS = 2e-6
_DAYS_PER_MONTH = 30
_FAST_MS = 5_000
_FEW_CONSUMERS = 3
_NOTE = "Run `rocky compile --output json` for inferred incrementality hints on full_refresh models"


def answer_state(args: Arguments) -> Answer:
    """Tell up to where each table was copied."""
    with reading(args.state_file) as store:
        marks, on_disk = store.watermarks(), store.schema_version
    stamps = [(table, clock.rfc3339(ns)) for table, ns in marks]
    result = {
        "watermarks": [{"table": table, "last_value": at, "updated_at": at} for table, at in stamps],
        "schema_version_supported": SCHEMA_VERSION,
        "schema_version_on_disk": on_disk,
    }
    found = f"v{on_disk}" if on_disk else "none"
    lines = [f"schema version: binary supports v{SCHEMA_VERSION}, on disk {found}"]
    shown = [(table, at.replace("T", " ").replace("Z", " UTC")) for table, at in stamps]
    lines += [f"{table} | {at} | {at}" for table, at in shown]
    return Answer("state", result, "\n".join(lines))


def answer_branch(args: Arguments) -> Answer:
    """Make a branch, a place beside the real targets that `run --branch` writes to, or list all (contract, 5.9)."""
    match args.positionals:
        case ["list"]:
            with reading(args.state_file) as store:
                branches = store.facts("branch")
            return Answer("branch list", {"branches": [*branches.values()], "total": len(branches)})
        case ["create", name]:
            created = clock.rfc3339(clock.now_ns(), "+00:00")
            branch = {"name": name, "schema_prefix": f"branch__{name}"}
            branch |= {"created_by": "unknown", "created_at": created}
            with open_for_writing(args.state_file) as store:
                if name in store.facts("branch"):
                    raise EngineError(f"branch '{name}' already exists")
                store.set_fact("branch", name, branch)
            return Answer("branch create", {"branch": branch})
        case words:
            raise Unsupported(f"the command 'branch {' '.join(words)}'")


def answer_history(args: Arguments) -> Answer:
    """Tell the finished runs, newest first, or those of one table or model."""
    with reading(args.state_file) as store:
        records = [run for run in store.runs() if run.started_at >= (args.get("since") or "")]
    if (model := args.get("model")) is None:
        runs = [_told(record, audit=args.has("audit")) for record in records[:_SHOWN]]
        return Answer("history", {"runs": runs, "count": len(runs)})
    found = [
        {
            "started_at": entry.started_at or record.started_at,
            "duration_ms": entry.duration_ms,
            "status": f'"{entry.status}"',
            "sql_hash": entry.sql_hash or "",
            **_recipe(entry),
        }
        for record in records
        for entry in record.models
        if entry.model_name == model
    ]
    rolling = {"rolling_stats": _rolling(found)} if args.has("rolling-stats") else {}
    return Answer("history", {"model": model, "executions": found, "count": len(found), **rolling})


def _told(record: RunRecord, *, audit: bool) -> dict[str, Any]:
    models = [_of(entry, "model_name duration_ms status") | _recipe(entry) for entry in record.models]
    return {
        **_of(record, "run_id started_at status trigger"),
        "models_executed": len(models),
        "duration_ms": record.duration_ms,
        "models": models,
        **_of(record, "pipeline submission_id"),
        **(_of(record, _AUDITED) | {"rocky_version": __version__} if audit else {}),
    }


def _of(entry: Entry, names: str) -> dict[str, Any]:
    return {name: value for name in names.split() if (value := getattr(entry, name)) not in (None, "")}


def _recipe(entry: ModelRun) -> dict[str, Any]:
    """What was built and where, so that two runs of the same recipe can be told from two recipes."""
    if entry.status != "success":
        return {}
    logic = f"{entry.target}\n{entry.sql_hash or ''}"
    place = f"{__version__}\n{os.uname().machine}\n{os.name}"
    recipe = {
        "recipe_hash": hashlib.sha256(logic.encode()).hexdigest(),
        **({"input_hash": entry.input_hash, "input_proof_class": "heuristic"} if entry.input_hash else {}),
        "env_hash": hashlib.sha256(place.encode()).hexdigest(),
        "hash_scheme": "v1",
    }
    return {"recipe_identity": recipe}


def _rolling(executions: list[dict[str, Any]]) -> dict[str, Any]:
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


def answer_cost(args: Arguments) -> Answer:
    """Tell the durations of a run's tables and models; on DuckDB nothing costs anything but time."""
    record = _find_run(args)
    models = [_of(entry, "model_name status duration_ms") | {"cost_usd": 0.0} for entry in record.models]
    times = {"duration_ms": record.duration_ms, "adapter_type": "duckdb", "total_cost_usd": 0.0}
    total = sum(entry.duration_ms for entry in record.models)
    return Answer("cost", {**_heading(record), **times, "total_duration_ms": total, "per_model": models})


def answer_trace(args: Arguments) -> Answer:
    """Tell when each table and model of a run was worked on; what overlapped is in different lanes."""
    record = _find_run(args)
    begun = datetime.fromisoformat(record.started_at)
    ends: list[int] = []
    models = []
    for entry in record.models:
        started = datetime.fromisoformat(entry.started_at or record.started_at)
        offset = int((started - begun).total_seconds() * 1000)
        lane = next((number for number, end in enumerate(ends) if end <= offset), len(ends))
        ends[lane : lane + 1] = [offset + entry.duration_ms]
        times = {"start_offset_ms": offset, "duration_ms": entry.duration_ms}
        named = {**_of(entry, "model_name status"), **times, **_of(entry, "sql_hash")}
        models.append({**named, "lane": lane, **_recipe(entry)})
    summary = {"run_duration_ms": record.duration_ms, "lane_count": len(ends), "models": models}
    return Answer("trace", {**_heading(record), **summary})


def _find_run(args: Arguments) -> RunRecord:
    """The run that the first argument names: an id, or `latest`."""
    wanted = args.positionals[0]
    with reading(args.state_file) as store:
        for record in store.runs():
            if wanted in ("latest", record.run_id):
                return record
    raise EngineError(f"run '{wanted}' not found in the state store")


def _heading(record: RunRecord) -> dict[str, Any]:
    """How a run is introduced, in the spelling of states and times that only `cost` and `trace` have."""
    return {
        "run_id": record.run_id,
        "status": _STATUSES.get(record.status, record.status.lower()),
        "trigger": record.trigger.lower(),
        "started_at": record.started_at.removesuffix("Z") + "+00:00",
        "finished_at": record.finished_at.removesuffix("Z") + "+00:00",
    }


def answer_metrics(args: Arguments) -> Answer:
    """Say that there are no quality figures; a run over DuckDB leaves none of any model."""
    nothing = {"snapshots": [], "count": 0, "message": "no quality metrics available"}
    return Answer("metrics", {"model": args.positionals[0], **nothing})


def answer_optimize(args: Arguments) -> Answer:
    """Recommend, for each table that the history names, how it might be built differently."""
    durations: dict[str, list[int]] = {}
    with reading(args.state_file) as store:
        for entry in (entry for run in store.runs() for entry in run.models):
            durations.setdefault(entry.model_name, []).append(entry.duration_ms)
    project, wanted = load_project(args.models), args.get("model")
    found = [
        _recommendation(name, durations[name], len(project.consumers(name)))
        for name in sorted(durations)
        if wanted in (None, name)
    ]
    result = {"recommendations": found, "total_models_analyzed": len(found), "incrementality_note": _NOTE}
    return Answer("optimize", result)


def _recommendation(name: str, durations: list[int], consumers: int) -> dict[str, Any]:
    mean_ms = fmean(durations)
    per_run = mean_ms * _COST_PER_MS
    inline = len(durations) >= _NEEDED_RUNS and mean_ms < _FAST_MS and consumers < _FEW_CONSUMERS
    if len(durations) < _NEEDED_RUNS:
        reasoning = f"insufficient history: {len(durations)} runs (need {_NEEDED_RUNS})"
    elif inline:
        reasoning = (
            f"fast execution ({mean_ms / 1000:.1f}s) with {consumers} downstream consumer(s); "
            "inline into consumer query to eliminate materialization overhead"
        )
    else:
        monthly = per_run * len(durations) * _DAYS_PER_MONTH
        once, each = monthly + _STORAGE_PER_MONTH, monthly * consumers
        verb = "cheaper" if once < each else "not cheaper"
        reasoning = (
            f"{consumers} downstream consumers; materializing once (${once:.4f}/mo) is {verb} than "
            f"recomputing for each (${each:.4f}/mo)"
        )
    return {
        "model_name": name,
        "current_strategy": "table",
        "recommended_strategy": "ephemeral" if inline else "table",
        "estimated_monthly_savings": _STORAGE_PER_MONTH if inline else 0.0,
        "reasoning": reasoning,
        "compute_cost_per_run": per_run,
        "storage_cost_per_month": _STORAGE_PER_MONTH,
        "downstream_references": consumers,
    }
