"""A plan executed inside one Dagster step: live events, then an outcome for every selected asset."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError

from dagster_rocky.engine import errors
from dagster_rocky.engine.invocation import RockyInvocation
from dagster_rocky.engine.news.events import Built, Checked, Drifted, EngineEvent
from dagster_rocky.engine.news.result import events_of_result
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.planning.plan import PlannedRun, Unit
from dagster_rocky.resource import RockyResource, run_result
from dagster_rocky.results import RunResult
from dagster_rocky.step import events
from dagster_rocky.step.checks import StepChecks
from dagster_rocky.step.ledger import OutcomeLedger, Status, explain_open_units
from dagster_rocky.step.metadata import built_metadata
from dagster_rocky.step.names import EngineNames
from dagster_rocky.vocabulary import Mode

StepEvent = dg.MaterializeResult[Any] | dg.AssetMaterialization | dg.AssetCheckResult | dg.AssetObservation

PIPES_HOLD_SECONDS = 0.08
"""The real engine sends its messages in one burst right before it ends; held so long, they are completed first."""
_PROGRESS_PER_SECOND = 4.0
_COOLDOWN_RETRIES = 5


def execute_plan(
    context: dg.AssetExecutionContext,
    resource: RockyResource,
    plan: Sequence[PlannedRun],
    *,
    mode: Mode | str = Mode.STREAMING,
    options: RunOptions | None = None,
) -> Iterator[StepEvent]:
    """Runs the engine as planned and yields what happened, as it happens.

    One failing engine run does not lose the others. At the end every selected asset has an outcome; failed, blocked
    and unreported ones fail the step, after everything else was yielded.

    Args:
        context: The step's context.
        resource: The engine and its project.
        plan: The runs, in order.
        mode: The run mode.
        options: What the requests were given; the step itself reads `fail_fast` of it.

    Yields:
        Materializations, check results and observations.

    Raises:
        dagster.Failure: When a selected asset was not built; its metadata holds the table of outcomes.
        dagster.RetryRequested: When the warehouse asked for a pause; completed work has been yielded.
    """
    step = _Step(context, resource, plan, mode, options or RunOptions())
    yield from step.execute()


def already_materialized(context: dg.AssetExecutionContext) -> set[tuple[dg.AssetKey, str | None]]:
    """What earlier attempts of this step materialized, by asset and partition; empty on the first attempt.

    A retry asks the engine only for the rest.
    """
    if context.retry_number == 0:
        return set()
    step_key = context.get_step_execution_context().step.key
    records = context.instance.all_logs(context.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    return {
        (record.dagster_event.asset_key, record.dagster_event.partition)
        for record in records
        if record.dagster_event
        and record.dagster_event.asset_key is not None
        and record.dagster_event.step_key == step_key
    }


class _Step:
    """The state of one step while its plan runs."""

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        resource: RockyResource,
        plan: Sequence[PlannedRun],
        mode: Mode | str,
        options: RunOptions,
    ) -> None:
        self._context = context
        self._resource = resource
        self._plan = plan
        self._mode, self._options = mode, options
        units = [unit for run in plan for unit in run.units]
        self._ledger = OutcomeLedger(units)
        self._siblings: dict[dg.AssetKey, list[Unit]] = defaultdict(list)
        for unit in units:
            self._siblings[unit.asset.asset_key].append(unit)
        self._built: dict[Unit, dict[str, Any]] = {}
        self._yielded: set[Unit] = set()
        self._live: dict[Unit, dict[str, Any]] = {}
        self._checks = StepChecks(context, self._siblings)
        self._told: set[tuple[object, ...]] = set()
        self._failures: list[errors.RockyFailure] = []
        self._cooldown: float | None = None
        self._last_progress = float("-inf")
        self._done = 0

    def execute(self) -> Iterator[StepEvent]:
        for number, run in enumerate(self._plan, start=1):
            if self._must_stop():
                reason = "not run, because an earlier engine run of this step failed"
                self._ledger.close(run.units, Status.NOT_REPORTED, reason)
                continue
            blockers = self._blockers(run)
            if blockers:
                self._ledger.close(run.units, Status.BLOCKED, f"not run, because {blockers} was not built")
                continue
            if len(self._plan) > 1:
                self._context.log.info(f"rocky: engine run {number} of {len(self._plan)}")
            yield from self._execute_run(run)
        yield from self._finish_partial_partitions()
        yield from self._checks.merged()
        self._conclude()

    def _must_stop(self) -> bool:
        if any(failure.kind == "binary" for failure in self._failures):
            return True
        return self._options.fail_fast and bool(self._ledger.failures())

    def _blockers(self, run: PlannedRun) -> str:
        """Selected assets that this run reads and that were not built: what they hold is not what was asked for."""
        failed = {unit.asset.asset_key for unit, _, _ in self._ledger.failures()}
        if not failed:
            return ""
        keys = {asset.asset_key for asset in run.assets}
        read = {
            dep.asset_key for spec in self._context.assets_def.specs if spec.key in keys for dep in spec.deps
        }
        return ", ".join(sorted(key.to_user_string() for key in (read & failed) - keys))

    def _execute_run(self, run: PlannedRun) -> Iterator[StepEvent]:
        names = EngineNames(run)
        try:
            invocation = self._resource.invoke(
                run.request,
                mode=self._mode,
                context=self._context,
                hold_seconds=PIPES_HOLD_SECONDS,
            )
        except errors.RockyFailure as failure:
            self._record_failure(run, failure)
            return
        with invocation:
            try:
                for event in invocation:
                    yield from self._take(event, names, invocation)
                result = run_result(invocation)
            except (DagsterExecutionInterruptedError, KeyboardInterrupt):
                invocation.terminate()
                yield from self._salvage(run, names, invocation)
                yield from self._finish_partial_partitions()
                raise
            except errors.RockyFailure as failure:
                yield from self._salvage(run, names, invocation)
                self._record_failure(run, failure)
                return
            yield from self._settle(run, names, result, invocation)

    def _salvage(
        self, run: PlannedRun, names: EngineNames, invocation: RockyInvocation
    ) -> Iterator[StepEvent]:
        """What a run that was ended had finished, as far as anything says so."""
        for event in invocation.remaining_events():
            yield from self._take(event, names, invocation)
        result = invocation.stopped_result(RunResult)
        if result is not None:
            result.run_id = invocation.facts.run_id
            for event in events_of_result(result):
                yield from self._take(event, names, invocation)

    def _settle(
        self, run: PlannedRun, names: EngineNames, result: RunResult, invocation: RockyInvocation
    ) -> Iterator[StepEvent]:
        """Everything that only the end knows: the rest of the events, then the outcome of what was not built."""
        for event in events_of_result(result):
            yield from self._take(event, names, invocation)
        open_units = self._ledger.open_units(run.units)
        for unit, status, reason in explain_open_units(
            open_units, result, invocation.facts, invocation.end().engine_error
        ):
            self._ledger.note(unit, status, reason)
            if status is Status.UNCHANGED:
                yield from self._yield_unchanged(unit, reason)
            elif status is Status.EXCLUDED:
                yield events.excluded(unit, reason)
        yield from self._notices(names, result)
        built = [u for u in run.units if self._ledger.status(u) is Status.MATERIALIZED]
        yield from self._checks.without_result(built)
        cooldowns = [error.cooldown_seconds for error in result.errors if error.cooldown_seconds]
        if cooldowns:
            self._cooldown = max([*cooldowns, self._cooldown or 0.0])

    def _take(
        self, event: EngineEvent, names: EngineNames, invocation: RockyInvocation
    ) -> Iterator[StepEvent]:
        match event:
            case Built():
                yield from self._take_built(event, names, invocation)
            case Checked():
                yield from self._checks.take(event, names)
            case Drifted():
                asset = names.asset(event.table)
                if asset is not None and self._first(("drift", asset.engine_key)):
                    yield events.drift(asset, event)

    def _take_built(
        self, event: Built, names: EngineNames, invocation: RockyInvocation
    ) -> Iterator[StepEvent]:
        unit = names.unit(event.name, event.partition)
        event = _with_facts(event, invocation)
        if unit is None:
            extra = names.extra(event.name, event.partition)
            if (
                extra is not None
                and event.source == "result"
                and self._first(("extra", event.name, event.partition))
            ):
                yield events.extra_materialization(*extra, event)
            elif extra is None and event.source == "result":
                self._context.log.warning(
                    f"rocky: the engine built {event.name}, which the graph does not have; refresh the state"
                )
            return
        metadata = built_metadata(event)
        if event.source == "result" and unit in self._live:
            rest = {k: v for k, v in metadata.items() if k not in self._live[unit]}
            if rest and self._first(("completion", unit)):
                yield events.completion(unit, rest)
            return
        if not self._ledger.note(unit, Status.MATERIALIZED):
            return
        self._built[unit] = metadata
        if event.source != "result":
            self._live[unit] = metadata
            self._progress(unit, event, names)
        yield from self._yield_when_whole(unit)

    def _yield_when_whole(self, unit: Unit) -> Iterator[StepEvent]:
        """The asset's materialization, once all of its selected partitions are built."""
        siblings = self._siblings[unit.asset.asset_key]
        if len(siblings) == 1:
            self._yielded.add(unit)
            yield events.materialization(unit, self._built[unit])
            return
        if not all(sibling in self._built for sibling in siblings):
            return
        for sibling in siblings:
            self._context.add_asset_metadata(
                self._built[sibling], asset_key=unit.asset.asset_key, partition_key=sibling.partition
            )
        self._yielded.update(siblings)
        yield events.materialization(unit, {})

    def _yield_unchanged(self, unit: Unit, reason: str) -> Iterator[StepEvent]:
        if len(self._siblings[unit.asset.asset_key]) == 1:
            yield events.unchanged(unit, reason, self._context.instance)

    def _finish_partial_partitions(self) -> Iterator[StepEvent]:
        """The built partitions of assets of which others were not built."""
        for unit, metadata in self._built.items():
            if unit not in self._yielded:
                self._yielded.add(unit)
                yield events.partition_materialization(unit, metadata)

    def _notices(self, names: EngineNames, result: RunResult) -> Iterator[StepEvent]:
        for found in result.anomalies:
            asset = names.asset(found.table)
            if asset is not None:
                yield events.anomaly(asset, found)
        for rows in result.quarantine:
            asset = names.asset("/".join(rows.asset_key)) or names.asset(".".join(rows.asset_key))
            if asset is not None:
                yield events.quarantine(asset, rows)
        for warning in result.override_warnings:
            self._context.log.info(f"rocky: table override: {warning.message}")
        for breach in result.budget_breaches:
            self._context.log.warning(f"rocky: budget exceeded: {breach.model_dump_json()}")
        for note in result.scheduling_warnings:
            self._context.log.warning(f"rocky: {note}")

    def _first(self, what: tuple[object, ...]) -> bool:
        """Whether this is told for the first time."""
        if what in self._told:
            return False
        self._told.add(what)
        return True

    def _progress(self, unit: Unit, event: Built, names: EngineNames) -> None:
        self._done += 1
        now = time.monotonic()
        total = sum(len(units) for units in self._siblings.values())
        if now - self._last_progress < 1 / _PROGRESS_PER_SECOND and self._done < total:
            return
        self._last_progress = now
        took = f" in {event.duration_ms / 1000:.1f} s" if event.duration_ms is not None else ""
        self._context.log.info(f"rocky: [{self._done}/{total}] {unit}{took}")

    def _record_failure(self, run: PlannedRun, failure: errors.RockyFailure) -> None:
        self._failures.append(failure)
        description = failure.description or "the engine run failed"
        self._ledger.close(run.units, Status.FAILED, description.split("\n", 1)[0])
        self._context.log.error(f"rocky: {description.split(errors.LOG_END, 1)[0]}")

    def _conclude(self) -> None:
        """Fails the step when a selected asset has no good outcome."""
        failed = self._ledger.failures()
        if not failed and not self._failures:
            return
        if self._cooldown is not None and self._context.retry_number < _COOLDOWN_RETRIES:
            raise dg.RetryRequested(max_retries=_COOLDOWN_RETRIES, seconds_to_wait=self._cooldown)
        metadata: dict[str, Any] = {}
        for failure in self._failures:
            metadata = {**failure.metadata, **metadata}
        metadata["rocky/outcomes"] = self._ledger.table()
        raise dg.Failure(
            description=_describe(failed, self._failures, self._ledger.counts()),
            metadata=metadata,
            allow_retries=all(failure.allow_retries for failure in self._failures),
        )


def _with_facts(event: Built, invocation: RockyInvocation) -> Built:
    """What is certain by now: a hook names the target; the run id of other news comes from the log lines.

    A hook's news gets nothing from the log, which buffered mode has not read yet: the modes would differ.
    """
    if event.source == "hook":
        is_target = event.name.count(".") == 2
        return replace(event, metadata={"target_table_full_name": event.name}) if is_target else event
    return event if event.run_id else replace(event, run_id=invocation.facts.run_id)


def _describe(
    failed: Sequence[tuple[Unit, Status, str]], failures: Sequence[errors.RockyFailure], counts: str
) -> str:
    """What failed, why, and what to do: the first of everything, the rest is in the table of outcomes."""
    if failures and len(failures) == 1 and len(failed) <= 1:
        return failures[0].description or "the engine run failed"
    shown: list[Literal["\n"] | str] = [
        f"- {unit}: {status.value}{': ' + reason.strip().splitlines()[0] if reason.strip() else ''}"
        for unit, status, reason in failed[:10]
    ]
    if len(failed) > 10:
        shown.append(f"- and {len(failed) - 10} more, in the metadata `rocky/outcomes`")
    lead = failures[0].description.split("\n", 1)[0] + "\n" if failures and failures[0].description else ""
    subject = "1 selected asset was" if len(failed) == 1 else f"{len(failed)} selected assets were"
    return f"{lead}{subject} not built ({counts}):\n" + "\n".join(shown)
