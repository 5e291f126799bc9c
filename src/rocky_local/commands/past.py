"""What the state file tells: `state`, `branch`, `history`, `cost`, `trace`, `optimize`, `metrics`."""

import hashlib
import os
from datetime import datetime
from statistics import fmean, pstdev
from typing import Any

from rocky_local import __version__, clock
from rocky_local.args import Arguments
from rocky_local.errors import EngineError, Unsupported
from rocky_local.output import Answer, Entry, shown
from rocky_local.project.models import load_project
from rocky_local.state import SCHEMA_VERSION, ModelRun, Recipe, RunRecord, open_for_writing, reading

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


class _Watermark(Entry):
    table: str
    last_value: str
    updated_at: str


class _Branch(Entry):
    name: str
    schema_prefix: str
    created_by: str
    created_at: str


class _Execution(Entry):
    started_at: str
    duration_ms: int
    status: str
    sql_hash: str
    recipe_identity: Recipe | None = None


class _TimedModel(Entry, kw_only=True):
    model_name: str
    status: str
    start_offset_ms: int | None = None
    duration_ms: int
    sql_hash: str | None = None
    lane: int | None = None
    recipe_identity: Recipe | None = None
    cost_usd: float | None = None


class _Recommendation(Entry, kw_only=True):
    model_name: str
    current_strategy: str = "table"
    recommended_strategy: str = "table"
    estimated_monthly_savings: float = 0.0
    reasoning: str = ""
    compute_cost_per_run: float
    storage_cost_per_month: float = _STORAGE_PER_MONTH
    downstream_references: int


def answer_state(args: Arguments) -> Answer:
    """Tell up to where each table was copied."""
    with reading(args.state_file) as store:
        marks, on_disk = store.watermarks(), store.schema_version
    stamps = [(table, clock.rfc3339(ns)) for table, ns in marks]
    result = {
        "watermarks": [_Watermark(table, at, at) for table, at in stamps],
        "schema_version_supported": SCHEMA_VERSION,
        "schema_version_on_disk": on_disk,
    }
    found = f"v{on_disk}" if on_disk else "none"
    lines = [f"schema version: binary supports v{SCHEMA_VERSION}, on disk {found}"]
    told = [(table, at.replace("T", " ").replace("Z", " UTC")) for table, at in stamps]
    lines += [f"{table} | {at} | {at}" for table, at in told]
    return Answer("state", result, "\n".join(lines))


def answer_branch(args: Arguments) -> Answer:
    """Make a branch, a place beside the real targets that `run --branch` writes to, or list all (contract, 5.9)."""
    match args.positionals:
        case ["list"]:
            with reading(args.state_file) as store:
                branches = [_Branch(**branch) for branch in store.facts("branch").values()]
            return Answer("branch list", {"branches": branches, "total": len(branches)})
        case ["create", name]:
            branch = _Branch(name, f"branch__{name}", "unknown", clock.rfc3339(clock.now_ns(), "+00:00"))
            with open_for_writing(args.state_file) as store:
                if name in store.facts("branch"):
                    raise EngineError(f"branch '{name}' already exists")
                store.set_fact("branch", name, shown(branch))
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
    found = []
    for record in records:
        for run in (run for run in record.models if run.model_name == model):
            begun, status = run.started_at or record.started_at, f'"{run.status}"'
            found.append(_Execution(begun, run.duration_ms, status, run.sql_hash or "", _recipe(run)))
    rolling = {"rolling_stats": _rolling(found)} if args.has("rolling-stats") else {}
    return Answer("history", {"model": model, "executions": found, "count": len(found), **rolling})


def _told(record: RunRecord, *, audit: bool) -> RunRecord:
    untold = dict.fromkeys(("started_at", "sql_hash", "target", "input_hash"))
    models = [run.changed(**untold, recipe_identity=_recipe(run)) for run in record.models]
    audited = {"rocky_version": __version__} if audit else dict.fromkeys(_AUDITED.split())
    return record.changed(models_executed=len(models), models=models, **audited, finished_at=None)


def _recipe(run: ModelRun) -> Recipe | None:
    if run.status != "success":
        return None
    texts = f"{run.target}\n{run.sql_hash or ''}", f"{__version__}\n{os.uname().machine}\n{os.name}"
    made, place = (hashlib.sha256(text.encode()).hexdigest() for text in texts)
    proof = "heuristic" if run.input_hash else None
    return Recipe(recipe_hash=made, input_hash=run.input_hash, input_proof_class=proof, env_hash=place)


def _rolling(executions: list[_Execution]) -> dict[str, Any]:
    window = executions[:_WINDOW]
    durations = [float(entry.duration_ms) for entry in window]
    mean, spread = (fmean(durations), pstdev(durations)) if durations else (0.0, 0.0)
    score = {"latest_z_score": (durations[0] - mean) / spread} if spread else {}
    passed = sum("success" in entry.status for entry in window)
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
    models = [
        _TimedModel(model_name=run.model_name, status=run.status, duration_ms=run.duration_ms, cost_usd=0.0)
        for run in record.models
    ]
    times = {"duration_ms": record.duration_ms, "adapter_type": "duckdb", "total_cost_usd": 0.0}
    total = sum(entry.duration_ms for entry in record.models)
    return Answer("cost", {**_heading(record), **times, "total_duration_ms": total, "per_model": models})


def answer_trace(args: Arguments) -> Answer:
    """Tell when each table and model of a run was worked on; what overlapped is in different lanes."""
    record = _find_run(args)
    begun = datetime.fromisoformat(record.started_at)
    ends: list[int] = []
    models = []
    for run in record.models:
        started = datetime.fromisoformat(run.started_at or record.started_at)
        offset = int((started - begun).total_seconds() * 1000)
        lane = next((number for number, end in enumerate(ends) if end <= offset), len(ends))
        ends[lane : lane + 1] = [offset + run.duration_ms]
        timed = _TimedModel(
            model_name=run.model_name,
            status=run.status,
            start_offset_ms=offset,
            duration_ms=run.duration_ms,
            sql_hash=run.sql_hash,
            lane=lane,
            recipe_identity=_recipe(run),
        )
        models.append(timed)
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
        "finished_at": (record.finished_at or record.started_at).removesuffix("Z") + "+00:00",
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


def _recommendation(name: str, durations: list[int], consumers: int) -> _Recommendation:
    mean_ms, runs = fmean(durations), len(durations)
    per_run = mean_ms * _COST_PER_MS
    found = _Recommendation(model_name=name, compute_cost_per_run=per_run, downstream_references=consumers)
    if runs < _NEEDED_RUNS:
        found.reasoning = f"insufficient history: {runs} runs (need {_NEEDED_RUNS})"
    elif mean_ms < _FAST_MS and consumers < _FEW_CONSUMERS:
        found.recommended_strategy, found.estimated_monthly_savings = "ephemeral", _STORAGE_PER_MONTH
        found.reasoning = (
            f"fast execution ({mean_ms / 1000:.1f}s) with {consumers} downstream consumer(s); "
            "inline into consumer query to eliminate materialization overhead"
        )
    else:
        monthly = per_run * runs * _DAYS_PER_MONTH
        once, each = monthly + _STORAGE_PER_MONTH, monthly * consumers
        verb = "cheaper" if once < each else "not cheaper"
        found.reasoning = (
            f"{consumers} downstream consumers; materializing once (${once:.4f}/mo) is {verb} than "
            f"recomputing for each (${each:.4f}/mo)"
        )
    return found
