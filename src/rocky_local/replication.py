"""A replication run: discover, copy the tables side by side, retry what failed, check what was copied."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rocky_local import clock, drift, tracing
from rocky_local.batched_checks import run_checks
from rocky_local.context import RUN_TARGET, RunContext
from rocky_local.discovery import (
    TableCopy,
    discover_sources,
    parse_filter,
    plan_copies,
    unmatched_warning,
)
from rocky_local.errors import DatabaseError, EngineError
from rocky_local.result import materialization
from rocky_local.strategies.copies import COPY_STRATEGIES, EPOCH, CopyStrategy

if TYPE_CHECKING:
    from datetime import datetime

    from rocky_local.adapter import Column
    from rocky_local.config import Pipeline
    from rocky_local.discovery import CopyPlan

_WORKERS = 4


@dataclass
class Copied:
    """A table that was copied.

    Attributes:
        source_columns: The source's columns.
        columns_before: Those of the copy before this run; none when there was no copy.
    """

    copy: TableCopy
    source_columns: list[Column]
    columns_before: list[Column]


@dataclass
class Failed:
    """A table whose copy failed, with the error."""

    copy: TableCopy
    error: EngineError


def run_replication(context: RunContext, pipeline: Pipeline) -> None:
    """Copy the tables of a pipeline; what happens ends up in the context's result.

    Raises:
        EngineError: Nothing can be copied at all.
    """
    wanted = parse_filter(context.options.filter)
    plan = plan_copies(pipeline, discover_sources(context.adapter, pipeline), wanted, context.options.shadow)
    _report_plan(context, pipeline, plan)
    copies = _without_resumed(context, plan.copies)
    tracing.info(
        RUN_TARGET, "processing tables", tables=len(copies), concurrency=pipeline.execution.concurrency
    )
    if pipeline.execution.adaptive:
        tracing.info(
            RUN_TARGET,
            "adaptive concurrency enabled (AIMD throttle)",
            max=pipeline.execution.concurrency,
            min=1,
        )
        context.result.adaptive = True
    copied, failed = _copy_all(context, pipeline, copies)
    if context.shutdown.requested:
        context.result.interrupted = True
        context.result.schemas_created = 0
        context.result.status = "Success"
        return
    failed.sort(key=lambda failure: copies.index(failure.copy))
    failed = _retry(context, pipeline, failed, copied)
    context.result.attempted = len(copied) + len(failed)
    context.result.failed_copies = len(failed)
    context.result.with_metrics = True
    if copied and pipeline.checks:
        run_checks(context, pipeline, copied)
    for failure in failed:
        text = failure.error.chain()
        tracing.warn(RUN_TARGET, "table error", error=text)
        context.result.add_error([], text)


def _report_plan(context: RunContext, pipeline: Pipeline, plan: CopyPlan) -> None:
    result = context.result
    for exclusion in plan.excluded:
        tracing.info(
            RUN_TARGET,
            "table excluded by [[table_overrides]] (enabled = false)",
            table=exclusion.table,
            schema=exclusion.source.id,
        )
        result.excluded_tables.append(exclusion.as_json())
    if pipeline.auto_create_schemas:
        for schema in plan.schemas:
            context.adapter.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        result.schemas_created = len(plan.schemas)
    for rule in plan.unmatched:
        entry = unmatched_warning(rule)
        tracing.warn(
            RUN_TARGET,
            "table_override rule matched zero tables",
            also=entry["message"],
            rule_index=rule.index,
            kind=entry["kind"],
        )
        result.override_warnings.append(entry)


def _without_resumed(context: RunContext, copies: tuple[TableCopy, ...]) -> list[TableCopy]:
    """Leave out what the run that is resumed has copied already."""
    options, state, result = context.options, context.state, context.result
    resumed = options.resume or (state.latest_progress() if options.resume_latest else None)
    state.start_progress(context.run_id)
    if resumed is None:
        return list(copies)
    if not state.has_progress(resumed):
        tracing.warn(RUN_TARGET, "no progress found for run, starting fresh", run_id=resumed)
        return list(copies)
    done = state.copied_in(resumed)
    remaining = [copy for copy in copies if copy.target not in done]
    skipped = len(copies) - len(remaining)
    tracing.info(RUN_TARGET, "resuming from previous run", resumed_from=resumed, tables_skipped=len(done))
    tracing.info(RUN_TARGET, "filtered resumed tables", skipped=skipped, remaining=len(remaining))
    result.resumed_from = resumed
    result.tables_skipped = skipped
    state.carry_progress(resumed, context.run_id)
    return remaining


def _copy_all(
    context: RunContext, pipeline: Pipeline, copies: list[TableCopy]
) -> tuple[list[Copied], list[Failed]]:
    """Copy tables side by side; a stop request or `fail_fast` keeps further ones from starting."""
    copied: list[Copied] = []
    failed: list[Failed] = []
    waiting = list(reversed(copies))
    running: dict[Future[Copied], TableCopy] = {}
    workers = max(1, min(pipeline.execution.concurrency, _WORKERS))
    with ThreadPoolExecutor(workers, thread_name_prefix="copy") as pool:
        while waiting or running:
            while waiting and len(running) < workers and not context.shutdown.requested:
                copy = waiting.pop()
                running[pool.submit(copy_table, context, copy)] = copy
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                copy = running.pop(future)
                try:
                    copied.append(future.result())
                except EngineError as error:
                    _warn_failed(error)
                    failed.append(Failed(copy, error))
            if failed and _gives_up(pipeline, len(copied), len(failed)):
                waiting.clear()
    return copied, failed


def _gives_up(pipeline: Pipeline, copied: int, failed: int) -> bool:
    limit = pipeline.raw.get("execution", {}).get("error_rate_abort_pct")
    return pipeline.execution.fail_fast or (limit is not None and 100 * failed / (copied + failed) > limit)


def _warn_failed(error: EngineError) -> None:
    tracing.warn(RUN_TARGET, "table processing failed", error=error.chain(), framed=error.chain())


def _retry(
    context: RunContext, pipeline: Pipeline, failed: list[Failed], copied: list[Copied]
) -> list[Failed]:
    """Try failed tables again, one after another, as often as configured."""
    for attempt in range(2, pipeline.execution.table_retries + 2):
        if not failed or pipeline.execution.fail_fast:
            break
        tracing.info(RUN_TARGET, f"retrying failed tables (attempt {attempt})", tables=len(failed))
        still = []
        for failure in failed:
            try:
                copied.append(copy_table(context, failure.copy))
            except EngineError as error:
                tracing.warn(
                    RUN_TARGET, "retry also failed", table=failure.copy.target_table, error=error.chain()
                )
                still.append(Failed(failure.copy, error))
        failed = still
    return failed


def copy_table(context: RunContext, copy: TableCopy) -> Copied:
    """Copy one table and commit it, then move its watermark.

    Raises:
        EngineError: The copy failed; the target is as it was.
    """
    started = clock.now_ns()
    adapter, state = context.adapter, context.state
    with tracing.span("process_table", **{"table": copy.target_table}):
        source = adapter.columns(copy.source_name)
        before = adapter.columns(copy.target)
        watermark, cut_off = state.watermark(copy.target)
        recreated = _align(context, copy, source, before) if before and watermark is not None else False
        strategy = COPY_STRATEGIES[copy.strategy]
        if not before or watermark is None or recreated:
            strategy = COPY_STRATEGIES["full_refresh"]
        since = clock.utc(watermark or 0)
        if strategy.appends and cut_off:
            since = _latest(context, copy) or EPOCH
        sql = strategy.sql(copy, copy.target, source, since)
        tracing.debug(RUN_TARGET, "generated SQL", table=copy.target, strategy=strategy.name, sql=sql)
        tracing.info(RUN_TARGET, "copying data", table=copy.target, strategy=strategy.name)
        if strategy.appends:
            state.start_copy(copy.target)
        _execute(context, strategy, copy, sql)
        reached = _watermark(context, copy)
        state.finish_copy(context.run_id, copy.target, reached)
    metadata = {
        "strategy": strategy.name,
        "watermark": clock.rfc3339(reached),
        "target_table_full_name": copy.target,
    }
    duration = (clock.now_ns() - started) // 1_000_000
    with context.result.lock:
        context.result.tables_copied += 1
    context.add_materialization(materialization(copy.asset_key, started, duration, metadata))
    return Copied(copy, source, before)


def _execute(context: RunContext, strategy: CopyStrategy, copy: TableCopy, sql: str) -> None:
    try:
        context.adapter.execute(sql)
    except DatabaseError:
        if strategy.appends:
            context.state.abandon_copy(copy.target)
        raise


def _align(context: RunContext, copy: TableCopy, source: list[Column], before: list[Column]) -> bool:
    """Bring a copy in line with its changed source; return whether it has to be made anew."""
    found = drift.detect(source, before, copy.target)
    if found is None:
        return False
    tracing.info(RUN_TARGET, found.message, table=copy.target, **found.fields)
    for statement in found.statements:
        context.adapter.execute(statement)
    action = {"table": copy.target, "action": found.action, "reason": found.reason}
    with context.result.lock:
        context.result.drift_actions.append(action)
    context.messages.drift(action)
    return found.recreate


def _latest(context: RunContext, copy: TableCopy) -> datetime | None:
    """Return the greatest timestamp of a copy, or None when it has none."""
    try:
        value = context.adapter.query(f"SELECT MAX({copy.timestamp_column}) FROM {copy.target}")[0][0]
    except DatabaseError:
        return None
    return value if hasattr(value, "year") else None


def _watermark(context: RunContext, copy: TableCopy) -> int:
    """Return what a copy has reached: its latest timestamp when it is incremental, else the present."""
    if copy.strategy == "incremental":
        latest = _latest(context, copy)
        if latest is not None:
            return clock.from_datetime(clock.as_datetime(latest))
    return clock.now_ns()
