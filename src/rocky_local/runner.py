"""One run from beginning to end: locks, idempotency, the pipeline's own work, history."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rocky_local import clock, state, tracing
from rocky_local.config import Config, load_config
from rocky_local.context import RUN_TARGET, RunContext
from rocky_local.errors import EngineError
from rocky_local.hooks import Hooks
from rocky_local.messages import Messages, open_messages
from rocky_local.result import RunResult
from rocky_local.signals import Shutdown, graceful

if TYPE_CHECKING:
    from rocky_local.config import Pipeline
    from rocky_local.options import RunOptions

_CLAIM_SECONDS = 24 * 60 * 60


@dataclass
class Finished:
    """How a run ended.

    Attributes:
        result: The object for stdout.
        exit_code: The exit code of the process.
        closing: The last line for stderr, or None.
        text: The result for people.
    """

    result: dict[str, Any]
    exit_code: int
    closing: str | None
    text: str


def run(options: RunOptions, shutdown: Shutdown | None = None) -> Finished:
    """Do what the options ask for, inside a span that carries the run's id.

    Args:
        options: What to do.
        shutdown: A stop request that somebody else watches for; signals are left alone then.

    Raises:
        EngineError: The run could not begin, or ended without a result.
    """
    started = clock.now_ns()
    run_id = options.run_id or clock.run_id(started)
    config = load_config(options.config)
    with tracing.span("run", **{"run_id": run_id}):
        messages = open_messages()
        if options.idempotency_key:
            skipped = _claim(options, run_id, started)
            if skipped is not None:
                return skipped
        messages.log("rocky run starting")
        try:
            finished = _run_claimed(
                config, options, run_id=run_id, started=started, messages=messages, shutdown=shutdown
            )
        except BaseException:
            _settle_claim(options, run_id, succeeded=False)
            _sweep(options.state_file)
            raise
        return finished


def _run_claimed(
    config: Config,
    options: RunOptions,
    *,
    run_id: str,
    started: int,
    messages: Messages,
    shutdown: Shutdown | None,
) -> Finished:
    from rocky_local import pipelines  # noqa: PLC0415

    pipeline = None if options.model else config.select(options.pipeline)
    kind = pipeline.type if pipeline else "replication"
    context = RunContext(
        config=config,
        options=options,
        run_id=run_id,
        result=RunResult(kind, started, filter=options.filter or ""),
        hooks=Hooks(config.raw),
        pipeline=pipeline,
        messages=messages,
        shutdown=shutdown or Shutdown(),
    )
    if pipeline is not None:
        context.result.concurrency = pipeline.execution.concurrency
        tracing.info(RUN_TARGET, "resolved pipeline", pipeline=pipeline.name, pipeline_type=pipeline.type)
        if pipeline.type == "replication":
            context.result.idempotency_key = options.idempotency_key
    work = pipelines.work_of(context)
    try:
        if work.stops_gracefully and shutdown is None:
            with graceful(context.shutdown):
                work.run(context)
        else:
            work.run(context)
        succeeded = context.result.exit_code == 0
        _record(context)
        if options.idempotency_key:
            _settle(context, succeeded=succeeded)
    finally:
        close(context)
    return work.finish(context)


def open_connections(context: RunContext, adapter: str) -> None:
    """Open the DuckDB file of an adapter and the state file for this run.

    Raises:
        EngineError: Another process holds one of them, or one cannot be read.
    """
    from rocky_local.adapter import DuckDBAdapter  # noqa: PLC0415

    context.adapter = DuckDBAdapter(context.config.duckdb_path(adapter), adapter)
    context.state = state.open_for_writing(context.options.state_file)


def close(context: RunContext) -> None:
    """Give back what a run holds."""
    if context.adapter is not None:
        context.adapter.close()
    if context.state is not None:
        context.state.close()


def _claim(options: RunOptions, run_id: str, started: int) -> Finished | None:
    """Take the idempotency key; return the result of a skip when somebody has it."""
    key = options.idempotency_key or ""
    store = state.open_for_writing(options.state_file, " for idempotency claim")
    try:
        claim = store.claim(key)
        expired = claim and (clock.now_ns() - claim.at_ns) > _CLAIM_SECONDS * 1_000_000_000
        if claim is None or expired:
            store.set_claim(key, run_id, "in_flight")
            tracing.info(
                RUN_TARGET,
                "idempotency key claimed — proceeding",
                idempotency_key=key,
                run_id=run_id,
                backend="local",
            )
            return None
    finally:
        store.close()
    done = claim.state == "succeeded"
    if options.for_people:
        tracing.info(
            RUN_TARGET,
            "idempotency key already claimed — skipping run",
            idempotency_key=key,
            prior_run_id=claim.run_id,
            status="skipped_idempotent" if done else "skipped_in_flight",
        )
    result = RunResult(
        "replication",
        started,
        concurrency=0,
        status="SkippedIdempotent" if done else "SkippedInFlight",
        skipped_by_run_id=claim.run_id,
        idempotency_key=key,
        with_cost=False,
    )
    return Finished(result.as_json(), 0, None, "")


def _settle_claim(options: RunOptions, run_id: str, *, succeeded: bool) -> None:
    """Let go of the key after a run that could not even report; the lock may be somebody else's by now."""
    if not options.idempotency_key:
        return
    with suppress(EngineError):
        store = state.open_for_writing(options.state_file)
        claim = store.claim(options.idempotency_key)
        if claim and claim.run_id == run_id and not succeeded:
            store.release_claim(options.idempotency_key)
        store.close()


def _settle(context: RunContext, *, succeeded: bool) -> None:
    """Keep the key of a run that succeeded, let go of any other; a load has opened no state of its own."""
    key = context.options.idempotency_key or ""
    store = context.state or state.open_for_writing(context.options.state_file)
    if succeeded:
        store.set_claim(key, context.run_id, "succeeded")
    else:
        store.release_claim(key)
    if store is not context.state:
        store.close()


def _sweep(path: Path) -> None:
    """Say that the state file could not be tidied because another process holds it."""
    if not path.exists():
        return
    try:
        state.open_for_writing(path).close()
    except EngineError as error:
        tracing.warn(
            RUN_TARGET,
            "auto-sweep: failed to open state store; skipping",
            error=tracing.Display(error.causes[0] if error.causes else error.message),
            path=str(path),
        )


def _record(context: RunContext) -> None:
    """Keep the run for `history`."""
    result = context.result
    if context.state is None:
        return
    models = [
        {
            "model_name": entry["asset_key"][-1],
            "started_at": entry["started_at"],
            "duration_ms": entry["duration_ms"],
            "status": "success",
            "sql_hash": entry["metadata"].get("sql_hash", ""),
            "target": entry["metadata"]["target_table_full_name"],
            "asset_key": entry["asset_key"],
            "input_hash": context.input_hashes.get(entry["metadata"]["target_table_full_name"]),
        }
        for entry in result.materializations
    ]
    models += [
        {
            "model_name": error["asset_key"][-1] if error["asset_key"] else "<unknown>",
            "duration_ms": 0,
            "status": "failed",
        }
        for error in result.errors
    ]
    record = {
        "run_id": context.run_id,
        "started_at": clock.rfc3339(result.started_ns),
        "finished_at": clock.rfc3339(clock.now_ns()),
        "status": "PartialFailure" if result.interrupted else result.final_status,
        "duration_ms": result.elapsed_ms(),
        "models": models,
        "pipeline": context.pipeline.name if context.pipeline else None,
        "session_source": "dagster" if "DAGSTER_PIPES_CONTEXT" in os.environ else "cli",
        "hostname": platform.node(),
        "target_catalog": target_catalog(context.pipeline),
    }
    context.state.record_run(record, result.started_ns)


def target_catalog(pipeline: Pipeline | None) -> str | None:
    """Return the catalog that a pipeline writes to, as far as it is one."""
    if pipeline is None:
        return None
    return pipeline.catalog_template or pipeline.raw.get("target", {}).get("catalog")
