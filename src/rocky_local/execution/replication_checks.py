"""The checks of a replication run, kind by kind over all copied tables (contract, 6)."""

from collections.abc import Callable, Iterator
from functools import partial

from rocky_local import clock
from rocky_local.errors import EngineError
from rocky_local.execution import checks
from rocky_local.execution.context import LOG, RunContext
from rocky_local.execution.copies import Copied
from rocky_local.execution.discovery import overlap_name
from rocky_local.execution.result import CheckedTable, Finding
from rocky_local.project.pipeline import Checks, Overlap, Pipeline

_BASELINE_RUNS = 10
Found = tuple[Copied, Finding]


def run_checks(context: RunContext, pipeline: Pipeline, copied: list[Copied]) -> None:
    """Check every copied table and report each finding as it is made; one that fails never fails the run."""
    wanted, hooks, started = pipeline.checks, context.hooks, clock.now_ns()
    hooks.call("before_checks", {"table_count": len(copied) if wanted.written else 0})
    if copied and wanted.written:
        LOG.info(
            "running batched checks concurrently",
            row_count_tables=len(copied) if wanted.row_count.enabled else 0,
            freshness_tables=len(copied) if wanted.freshness else 0,
        )
    tables = {item.copy.target: CheckedTable(item.copy.asset_key, []) for item in copied}
    for item, finding in _findings(context, copied, wanted):
        tables[item.copy.target].checks.append(finding)
        context.messages.check(item.copy.asset_key, finding)
    context.result.check_results += [table for table in tables.values() if table.checks]
    findings = [finding for table in tables.values() for finding in table.checks]
    for finding in findings:
        hooks.call("check_result", {"check_name": finding.name, "passed": finding.passed})
    LOG.info("batched checks complete", duration_ms=clock.since_ms(started), tables=len(copied))
    passed = sum(finding.passed for finding in findings)
    hooks.call("after_checks", {"total": len(findings), "passed": passed, "failed": len(findings) - passed})


def _findings(context: RunContext, copied: list[Copied], wanted: Checks) -> Iterator[Found]:
    adapter = context.adapter
    if wanted.column_match.enabled:
        yield from ((item, checks.column_match(item.source_columns, item.columns_before)) for item in copied)
    if wanted.row_count.enabled:
        yield from _row_counts(context, copied, wanted.anomaly_threshold_pct)
    if wanted.freshness:
        for item in copied:
            table, column = item.copy.target, item.copy.timestamp_column
            ask = partial(checks.freshness, adapter, wanted.freshness, table, column)
            yield from _tried("per-table freshness check failed", item, ask)
    yield from _assertions(context, copied, wanted)
    for rule in wanted.custom:
        yield from ((item, checks.custom(adapter, rule, item.copy.target)) for item in copied)
    if rates := wanted.null_rate:
        yield from (
            (item, one) for item in copied for one in checks.null_rates(adapter, rates, item.copy.target)
        )
    if wanted.cross_source_overlap:
        yield from _overlaps(context, copied, wanted.cross_source_overlap)


def _row_counts(context: RunContext, copied: list[Copied], threshold: float | None) -> Iterator[Found]:
    """Compare row counts with the sources, and with the tables' own history."""
    for item in copied:
        table = item.copy.target
        source, target = context.adapter.count(item.copy.source_name), context.adapter.count(table)
        yield item, checks.row_count(source, target)
        if threshold is None:
            continue
        history = [*(context.state.fact("row_counts", table) or ()), target][-_BASELINE_RUNS:]
        context.state.set_fact("row_counts", table, history)
        if anomaly := checks.anomaly(table, history, threshold):
            LOG.warn("row count anomaly detected", table=table, reason=anomaly.reason)
            context.result.anomalies.append(anomaly)


def _assertions(context: RunContext, copied: list[Copied], wanted: Checks) -> Iterator[Found]:
    for item in copied:
        for rule in checks.assertions_on(wanted, item.copy.place.table):
            ask = partial(checks.assertion, context.adapter, rule, item.copy.target)
            name = checks.assertion_name(rule)
            yield from _tried("assertion query failed — skipping", item, ask, check=name)


def _overlaps(context: RunContext, copied: list[Copied], rule: Overlap) -> Iterator[Found]:
    """Compare tables of one name; the finding belongs to the first of them by its target."""
    siblings: dict[str, list[Copied]] = {}
    for item in sorted(copied, key=lambda item: item.copy.target):
        siblings.setdefault(item.copy.table, []).append(item)
    for table, items in siblings.items():
        if len(items) > 1:
            targets = [item.copy.target for item in items]
            ask = partial(checks.overlap, context.adapter, rule, overlap_name(table), targets)
            yield from _tried("cross-source overlap check failed — skipping", items[0], ask)


def _tried(warning: str, item: Copied, ask: Callable[[], Finding | None], **told: str) -> list[Found]:
    """The finding if there is one; a question that the database refuses is logged."""
    try:
        finding = ask()
    except EngineError as error:
        LOG.warn(warning, table=item.copy.target, error=error.message, **told)
        return []
    return [(item, finding)] if finding else []
