"""One run from beginning to end: its id, its key, the work of its pipeline, history."""

import json
import os
from contextlib import nullcontext, suppress
from pathlib import Path

from rocky_local import clock, support, tracing
from rocky_local.args import Arguments
from rocky_local.errors import EngineError, Unsupported
from rocky_local.execution import pipelines
from rocky_local.execution.context import LOG, RunContext, key_from, shadow_from
from rocky_local.execution.result import RunResult
from rocky_local.messages import open_messages
from rocky_local.output import Answer
from rocky_local.project.config import load_config
from rocky_local.signals import Shutdown, watch
from rocky_local.state import ModelRun, RunRecord, StateStore, open_for_writing

_CLAIM_NS = 24 * 60 * 60 * 1_000_000_000
_TRIGGERS = ("schedule", "sensor", "webhook", "ci")


def run(args: Arguments, shutdown: Shutdown | None = None) -> Answer:
    """Do what the options ask for; signals are left alone where somebody else watches for a stop request."""
    started = clock.now_ns()
    run_id = args.get("run-id") or clock.run_id(started)
    shadow, config = shadow_from(args), load_config(args.config)
    if (backend := config.state.get("backend", "local")) != "local":
        raise Unsupported(f"the state backend '{backend}' ({config.where('state', 'backend')})")
    with tracing.span("run", run_id=run_id):
        messages = open_messages()
        if skipped := _claim(args, run_id, started):
            return skipped
        messages.log("rocky run starting")
        support.say_ignored(config)
        try:
            context = RunContext(config, args, run_id, started, messages)
            context.shadow = shadow
            return _execute(context, shutdown)
        except BaseException:
            _settle(args, run_id, succeeded=False)
            _sweep(args.state_file)
            raise


def refuse_unusable(args: Arguments) -> None:
    """Look at the flags of a run before anything is done; no grants of DuckDB could be overridden."""
    failed = "failed to parse governance override JSON"
    try:
        value = json.loads(args.get("governance-override") or "{}")
    except json.JSONDecodeError as error:
        reason = "key must be a string" if "property name" in error.msg else error.msg.lower()
        raise EngineError(failed, f"{reason} at line {error.lineno} column {error.colno}") from error
    if not isinstance(value, dict):
        raise EngineError(failed, "invalid type: expected a map at line 1 column 1")


def _execute(context: RunContext, shutdown: Shutdown | None) -> Answer:
    work = pipelines.work_of(context.pipeline)
    context.shutdown = shutdown or context.shutdown
    # Only a copy lets its statements finish (contract, 10).
    if shutdown is None and context.pipeline and context.pipeline.type == "replication":
        watch(context.shutdown)
    try:
        work.run(context)
        # A graph that is stopped drops its step, which nobody hears of any more.
        if context.state is not None and not (shutdown and shutdown.is_set()):
            try:
                context.state.record_run(_record(context), context.result.started_ns)
            except EngineError as error:
                LOG.warn("the run is not in the history", error=error.chain())
        succeeded = context.result.exit_code == 0
        _settle(context.args, context.run_id, succeeded=succeeded, store=context.state)
        context.messages.flush()
    finally:
        context.close()
    return work.answer(context)


def _claim(args: Arguments, run_id: str, started_ns: int) -> Answer | None:
    """Take the key of a run; return the answer of a skip when another run has it."""
    key = key_from(args)
    if not key:
        return None
    with open_for_writing(args.state_file, " for idempotency claim") as store:
        prior = store.fact("claim", key)
        if prior is None or clock.now_ns() - prior["at_ns"] > _CLAIM_NS:
            store.set_fact("claim", key, {"run_id": run_id, "state": "in_flight", "at_ns": clock.now_ns()})
            told = {"idempotency_key": key, "run_id": run_id, "backend": "local"}
            LOG.info("idempotency key claimed — proceeding", **told)
            return None
    done = prior["state"] == "succeeded"
    if not args.json:
        status = "skipped_idempotent" if done else "skipped_in_flight"
        told = {"idempotency_key": key, "prior_run_id": prior["run_id"], "status": status}
        LOG.info("idempotency key already claimed — skipping run", **told)
    result = RunResult("replication", started_ns)
    result.forced_status = "SkippedIdempotent" if done else "SkippedInFlight"
    result.skipped_by_run_id, result.idempotency_key = prior["run_id"], key
    result.concurrency = 0
    return Answer("run", result.as_json(), "")


def _settle(args: Arguments, run_id: str, *, succeeded: bool, store: StateStore | None = None) -> None:
    """Keep the key of a run that succeeded, let go of any other, unless somebody else holds it by now."""
    key = key_from(args)
    if not key:
        return
    with suppress(EngineError), nullcontext(store) if store else open_for_writing(args.state_file) as held:
        prior = held.fact("claim", key)
        if prior is not None and prior["run_id"] == run_id:
            done = prior | {"state": "succeeded", "at_ns": clock.now_ns()}
            held.set_fact("claim", key, done if succeeded else None)


def _sweep(path: Path) -> None:
    """Say that the state file could not be tidied because another process holds it."""
    if not path.exists():
        return
    try:
        open_for_writing(path).close()
    except EngineError as error:
        reason = error.causes[0] if error.causes else error.message
        LOG.warn("auto-sweep: failed to open state store; skipping", error=reason, path=str(path))


def _record(context: RunContext) -> RunRecord:
    result, pipeline = context.result, context.pipeline
    models = [
        ModelRun(
            model_name=entry.asset_key[-1],
            status="success",
            duration_ms=entry.duration_ms,
            started_at=entry.started_at,
            sql_hash=entry.metadata.sql_hash,
            target=entry.metadata.target_table_full_name,
            input_hash=context.input_hashes.get(entry.metadata.target_table_full_name),
        )
        for entry in result.materializations
    ]
    names = [error.asset_key[-1] if error.asset_key else "<unknown>" for error in result.errors]
    target = context.pipeline.target if context.pipeline else None
    trigger = os.environ.get("ROCKY_RUN_TRIGGER", "")
    return RunRecord(
        run_id=context.run_id,
        started_at=clock.rfc3339(result.started_ns),
        finished_at=clock.rfc3339(clock.now_ns()),
        status="PartialFailure" if result.interrupted else result.status,
        duration_ms=result.duration_ms,
        models=[*models, *(ModelRun(name, 0, "failed") for name in names)],
        trigger=trigger.capitalize() if trigger in _TRIGGERS else "Manual",
        session_source="dagster" if "DAGSTER_PIPES_CONTEXT" in os.environ else "cli",
        hostname=os.uname().nodename,
        pipeline=pipeline.name if pipeline else None,
        idempotency_key=key_from(context.args),
        submission_id=os.environ.get("ROCKY_SUBMISSION_ID"),
        target_catalog=(target.catalog_template or target.catalog) if target else None,
    )
