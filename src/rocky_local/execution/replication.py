"""A replication run: discover, copy the tables side by side, retry what failed, check what was copied."""

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext, suppress

from rocky_local import clock, tracing
from rocky_local.errors import DatabaseError, EngineError
from rocky_local.execution.context import LOG, RunContext
from rocky_local.execution.copies import COPY_STRATEGIES, Copied, detect
from rocky_local.execution.discovery import CopyPlan, TableCopy, check_names, plan_copies
from rocky_local.execution.replication_checks import run_checks
from rocky_local.execution.result import ExcludedTable, Materialization, Metadata, OverrideWarning
from rocky_local.project.pipeline import Pipeline
from rocky_local.signals import ANSWERING_SECONDS

_WORKERS = 4
_EARLIEST = -9 * 10**18  # nanoseconds before 1970; DuckDB's begin in 1677, too

Failures = list[tuple[TableCopy, EngineError]]


def run_replication(context: RunContext, pipeline: Pipeline) -> list[EngineError]:
    """Copy the tables of a pipeline and return why some could not be copied."""
    result, limit, hooks = context.result, pipeline.execution.concurrency, context.hooks
    plan = plan_copies(context.adapter, pipeline, context.args.get("filter"), context.shadow)
    _report_plan(context, pipeline, plan)
    hooks.call("pipeline_start")
    # Also those that do not fit the pattern, or that the filter leaves out.
    found = context.adapter.base_tables(pipeline.pattern.prefix) if hooks.table else ()
    hooks.call("discover_complete", {"connector_count": len(found)})
    copies = _without_resumed(context, plan.copies)
    LOG.info("processing tables", tables=len(copies), concurrency=limit)
    if pipeline.execution.adaptive:
        LOG.info("adaptive concurrency enabled (AIMD throttle)", max=limit, min=1)
        result.adaptive = True
    copied, failed = _copy_all(context, pipeline, copies)
    if context.shutdown.is_set():
        result.interrupted, result.schemas_created, result.forced_status = True, 0, "Success"
        return []
    failed.sort(key=lambda failure: copies.index(failure[0]))
    failed = _retry(context, pipeline, failed, copied)
    result.attempted, result.failed_copies = len(copied) + len(failed), len(failed)
    result.drift_actions = [item.drift.entry for item in copied if item.drift]
    if hooks.table or (copied and pipeline.checks.written):
        run_checks(context, pipeline, copied)
    return [error for _, error in failed]


def _report_plan(context: RunContext, pipeline: Pipeline, plan: CopyPlan) -> None:
    result = context.result
    for source, table in plan.excluded:
        message = "table excluded by [[table_overrides]] (enabled = false)"
        LOG.info(message, table=table, schema=source.id)
        result.excluded_tables.append(ExcludedTable(source.asset_key(table), source.id, table))
    for source in plan.sources:
        try:
            check_names(source.id, of_tables=False)
        except EngineError as error:
            message = "failed to list source tables, will process all discovered tables"
            LOG.warn(message, schema=source.id, error=error.message)
    if pipeline.target.governance.auto_create_schemas:
        check_names(*plan.schemas, of_tables=False)
        for schema in plan.schemas:
            # Where that fails, each table of the schema says so, and the others are copied.
            with suppress(DatabaseError):
                context.adapter.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        result.schemas_created = len(plan.schemas)
    for rule in plan.unmatched:
        index, match = pipeline.table_overrides.index(rule), rule.match
        named = {"connector": match.connector, "table": match.table}
        shown = ", ".join(
            f'{key} = Some("{name}")' if name else f"{key} = None" for key, name in named.items()
        )
        place = f"[[table_overrides]] rule index {index} ({shown})"
        message = f"{place} matched no (connector, table) pair in this run"
        LOG.warn("table_override rule matched zero tables", also=message, rule_index=index, kind="zero_match")
        result.override_warnings.append(OverrideWarning(index, "zero_match", message, **named))


def _without_resumed(context: RunContext, copies: list[TableCopy]) -> list[TableCopy]:
    """Leave out what the run that is resumed has copied already (contract, 5.4)."""
    state, latest = context.state, context.args.has("resume-latest")
    resumed = context.args.get("resume") or (state.latest_progress() if latest else None)
    done = state.start_progress(context.run_id, resumed)
    if resumed is None:
        return copies
    if done is None:
        LOG.warn("no progress found for run, starting fresh", run_id=resumed)
        return copies
    remaining = [copy for copy in copies if copy.target not in done]
    skipped = len(copies) - len(remaining)
    LOG.info("resuming from previous run", resumed_from=resumed, tables_skipped=len(done))
    LOG.info("filtered resumed tables", skipped=skipped, remaining=len(remaining))
    context.result.resumed_from, context.result.tables_skipped = resumed, skipped
    return remaining


def _copy_all(
    context: RunContext, pipeline: Pipeline, copies: list[TableCopy]
) -> tuple[list[Copied], Failures]:
    """Copy tables side by side; a stop request or `fail_fast` keeps further ones from starting."""
    copied: list[Copied] = []
    failed: Failures = []
    waiting = list(reversed(copies))
    running: dict[Future[Copied], TableCopy] = {}
    workers = max(1, min(pipeline.execution.concurrency, _WORKERS))
    with ThreadPoolExecutor(workers, thread_name_prefix="copy") as pool:
        while waiting or running:
            while waiting and len(running) < workers and not context.shutdown.is_set():
                copy = waiting.pop()
                context.hooks.call("before_materialize", table=copy.target)
                running[pool.submit(_copy_table, context, copy)] = copy
            if not running:
                break
            for future in wait(running, ANSWERING_SECONDS, FIRST_COMPLETED).done:
                copy = running.pop(future)
                try:
                    _add(context, copied, future.result())
                except EngineError as error:
                    LOG.warn("table processing failed", error=error.chain(), framed=error.chain())
                    failed.append((copy, error))
                    context.hooks.call("materialize_error", table=copy.target, error=error.chain())
                else:
                    took = copied[-1].entry.duration_ms
                    context.hooks.call("after_materialize", table=copy.target, duration_ms=took)
                    if copied[-1].drift:
                        context.hooks.call("drift_detected", {"drifted_columns": []}, table=copy.target)
            if failed and _gives_up(pipeline, len(copied), len(failed)):
                # One more has begun before the engine looks; it is copied, and nothing is said of it.
                for copy in waiting[-1:]:
                    pool.submit(_copy_table, context, copy)
                break
    return copied, failed


def _add(context: RunContext, copied: list[Copied], item: Copied) -> None:
    copied.append(item)
    context.result.tables_copied += 1
    context.add_materialization(item.entry)


def _gives_up(pipeline: Pipeline, copied: int, failed: int) -> bool:
    limit = pipeline.execution.error_rate_abort_pct
    return pipeline.execution.fail_fast or (limit is not None and 100 * failed / (copied + failed) > limit)


def _retry(context: RunContext, pipeline: Pipeline, failed: Failures, copied: list[Copied]) -> Failures:
    for attempt in range(2, pipeline.execution.table_retries + 2):
        if not failed or pipeline.execution.fail_fast:
            break
        LOG.info(f"retrying failed tables (attempt {attempt})", tables=len(failed))
        still = []
        for copy, _ in failed:
            try:
                _add(context, copied, _copy_table(context, copy))
            except EngineError as error:
                LOG.warn("retry also failed", table=copy.place.table, error=error.chain())
                still.append((copy, error))
        failed = still
    return failed


def _copy_table(context: RunContext, copy: TableCopy) -> Copied:
    """Copy one table and commit it, then move its watermark."""
    check_names(copy.source.id, copy.table, *copy.place)
    started = clock.now_ns()
    adapter, state = context.adapter, context.state
    with tracing.span("process_table", table=copy.place.table):
        source, before = adapter.columns(copy.source_name), adapter.columns(copy.target)
        watermark, unsettled = state.watermark(copy.target)
        known = bool(before) and watermark is not None
        change = detect(source, before, copy.target) if known else None
        if change:
            LOG.info(change.message, table=copy.target, **change.fields)
        anew = not known or (change and change.entry.action == "drop_and_recreate")
        kind = "full_refresh" if anew else copy.strategy
        strategy = COPY_STRATEGIES[kind]
        since = watermark or 0
        if strategy.appends:
            # The copy may hold more than this state knows of: of a run that was cut off, or of the other engine.
            latest = _latest(context, copy)[0]
            since = max(_EARLIEST if unsettled else since, _EARLIEST if latest is None else latest)
            state.start_copy(copy.target)
        sql = strategy.sql(copy, copy.target, source, since)
        sql = sql if before else sql.replace("CREATE OR REPLACE TABLE", "CREATE TABLE", 1)
        LOG.info("copying data", table=copy.target, strategy=kind)
        try:
            # What the change asks for is taken back when the copy fails.
            with adapter.transaction() if change else nullcontext():
                for statement in [*(change.statements if change else ()), sql]:
                    adapter.execute(statement)
        except DatabaseError:
            if strategy.appends and not unsettled:
                state.abandon_copy(copy.target)
            raise
        latest, empty = _latest(context, copy) if copy.strategy == "incremental" else (None, False)
        reached = clock.now_ns() if latest is None else latest
        # An empty table has the wall clock as its watermark (contract, 5.2); what comes later may be older than that.
        state.finish_copy(context.run_id, copy.target, reached, settled=not empty)
    metadata = Metadata(kind, clock.rfc3339(reached), copy.target)
    duration, begun = clock.since_ms(started), clock.rfc3339(started)
    entry = Materialization(copy.asset_key, None, duration, begun, metadata)
    return Copied(copy, source, before, change, entry)


def _latest(context: RunContext, copy: TableCopy) -> tuple[int | None, bool]:
    """The greatest timestamp of a copy in nanoseconds since 1970, if it has one, and whether it could but has none."""
    column, table = copy.timestamp_column, copy.target
    try:
        query = f"SELECT COUNT({column}), epoch_ns(MAX({column})) FROM {table}"
        found, latest = context.adapter.query(query)[0]
    except DatabaseError as error:
        if "Conversion Error" not in error.message:
            return None, False
        found, latest = 1, None
    if found and latest is None:
        problem = "lies outside of the years that a watermark can hold"
        raise EngineError(f"the latest {column} of {table} {problem}")
    return latest, not found
