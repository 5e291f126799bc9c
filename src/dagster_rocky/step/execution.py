"""How is a plan run inside one Dagster step? The one executor: live events, then an outcome for everything selected."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dagster as dg

from dagster_rocky import _dagster, results
from dagster_rocky.engine import errors, interrupts
from dagster_rocky.engine.commands import EngineCommands, run_result
from dagster_rocky.engine.invocation import RockyInvocation
from dagster_rocky.engine.news.result import events_of_result
from dagster_rocky.planning.plan import PlannedRun
from dagster_rocky.planning.selection import StepPlan
from dagster_rocky.step import events
from dagster_rocky.step.conclusion import Conclusion
from dagster_rocky.step.events import StepEvent
from dagster_rocky.step.explain import (
    CompileFailure,
    compile_failure,
    outside_errors,
)
from dagster_rocky.step.ledger import OutcomeLedger, Status
from dagster_rocky.step.names import EngineNames
from dagster_rocky.step.outcomes import Outcomes
from dagster_rocky.step.planned import planned_ahead
from dagster_rocky.step.reporting import CodeVersions, Reporter
from dagster_rocky.vocabulary import Mode

if TYPE_CHECKING:
    from dagster_rocky.results import RunResult

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext

# What follows one is done after its `except` clause, when the error is gone: it keeps alive what it interrupted, which
# may hold a lock that Dagster's storage needs for the next event.
_INTERRUPTIONS = (dg.DagsterExecutionInterruptedError, KeyboardInterrupt)


def execute_plan(
    context: Context,
    resource: EngineCommands,
    plan: StepPlan,
    *,
    mode: Mode | str = Mode.STREAMING,
    code_versions: CodeVersions | None = None,
    launched: Mapping[str, Any] | None = None,
) -> Iterator[StepEvent]:
    """Runs the engine as planned and yields what happened, as it happens.

    One failing engine run does not lose the others. At the end every selected unit has an outcome; failed, blocked
    and unreported ones fail the step, after everything else was yielded.

    Args:
        context: The context of the step, of assets or of checks.
        resource: The engine and its project.
        plan: The runs in order, and what is asked instead of one that ends early.
        mode: The run mode.
        code_versions: Of assets whose files changed after the state was refreshed.
        launched: What the launch changed of the options, for the materializations.

    Yields:
        Materializations, check results, observations and outputs.

    Raises:
        dagster.Failure: When something selected was not built; its metadata holds the table of outcomes.
        dagster.RetryRequested: When the warehouse asked for a pause; completed work has been yielded.
    """
    op = context if isinstance(context, dg.OpExecutionContext) else context.op_execution_context
    with _dagster.interruptions_kept() as interruptions, interrupts.noticed():
        step = _Step(
            context=op,
            resource=resource,
            plan=plan,
            mode=Mode(mode),
            code_versions=code_versions,
            launched=launched,
            interruptions=interruptions,
        )
        yield from step.execute()


class _Step:
    """The state of one step while its plan runs."""

    def __init__(
        self,
        *,
        context: dg.OpExecutionContext,
        resource: EngineCommands,
        plan: StepPlan,
        mode: Mode,
        code_versions: CodeVersions | None,
        launched: Mapping[str, Any] | None,
        interruptions: _dagster.Interruptions,
    ) -> None:
        self._context, self._resource, self._interruptions = context, resource, interruptions
        self._plan, self._queue, self._mode = plan, deque(plan.runs), mode
        self._units = [unit for run in plan.runs for unit in run.units]
        self._ledger = OutcomeLedger(self._units)
        self._shadow = plan.runs[0].request.options.shadow_suffix if plan.runs else None
        self._reporter = Reporter(
            context, self._units, self._ledger, code_versions, shadow=self._shadow, launched=launched
        )
        self._outcomes = Outcomes(
            context, resource, self._units, ledger=self._ledger, reporter=self._reporter, shadow=self._shadow
        )
        self._conclusion = Conclusion(context, self._ledger)
        self._compile: CompileFailure | None = None
        self._stopped_after: float | None = None

    def execute(self) -> Iterator[StepEvent]:
        is_cancelled = False
        try:
            yield from self._execute_runs()
        except _INTERRUPTIONS:
            is_cancelled = True
        if is_cancelled:
            raise _dagster.interruption(self._conclusion.cancelled(self._stopped_after))
        yield from self._reporter.checks.merged()
        self._conclusion.end()

    def _execute_runs(self) -> Iterator[StepEvent]:
        number = 0
        while self._queue:
            run, number = self._queue.popleft(), number + 1
            if self._is_left_out(run):
                continue
            total = number + len(self._queue)
            if total > 1:
                self._context.log.info(f"rocky: engine run {number} of {total}")
            yield from self._execute_run(run)
            self._reporter.flush()

    def _is_left_out(self, run: PlannedRun) -> bool:
        """Whether a run makes no sense any more; what it owes is closed with the reason."""
        if self._compile is not None and run.kind == "model":
            for unit in run.units:
                self._ledger.note(*self._compile.verdict(unit))
            return True
        is_broken = any(failure.kind == "binary" for failure in self._conclusion.failures)
        if is_broken or (run.request.options.fail_fast and self._ledger.failures()):
            reason = "not run, because an earlier engine run of this step failed"
            self._ledger.close(run.units, Status.NOT_REPORTED, reason)
            return True
        blockers = self._blockers(run)
        if blockers:
            self._ledger.close(run.units, Status.BLOCKED, f"not run, because {blockers} was not built")
        return bool(blockers)

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
        try:
            run = planned_ahead(run, self._resource)
            names = EngineNames(run)
            invocation = self._resource.invoke(run.request, mode=self._mode, context=self._context)
        except errors.RockyFailure as failure:
            if failure.kind == "private_project":
                self._context.log.info(f"rocky: {failure.description}")
                self._queue.extendleft(reversed(self._plan.one_by_one(run)))
            else:
                self._record_failure(run, failure)
            return
        with invocation:
            try:
                yield from self._follow(run, names, invocation)
                self._raise_if_interrupted()
                return
            except _INTERRUPTIONS as error:
                interruption = type(error)
            yield from self._cancel(names, invocation)
            raise interruption

    def _follow(
        self, run: PlannedRun, names: EngineNames, invocation: RockyInvocation
    ) -> Iterator[StepEvent]:
        """Tells what the engine does while it runs, and then how it ended."""
        try:
            for event in invocation:
                yield from self._reporter.take(event, names, invocation)
                self._raise_if_interrupted()
            result = run_result(invocation)
        except errors.RockyFailure as failure:
            yield from self._salvage(names, invocation)
            self._record_failure(run, failure)
            return
        yield from self._settle(run, names, result, invocation)

    def _raise_if_interrupted(self) -> None:
        self._interruptions.raise_if_came()
        interrupts.raise_if_swallowed()

    def _cancel(self, names: EngineNames, invocation: RockyInvocation) -> Iterator[StepEvent]:
        """Ends the engine and tells what it had finished."""
        asked = time.monotonic()
        self._interruptions.came = False
        invocation.terminate()
        self._stopped_after = time.monotonic() - asked
        yield from self._salvage(names, invocation)
        yield from self._reporter.checks.merged()
        self._reporter.flush()

    def _salvage(self, names: EngineNames, invocation: RockyInvocation) -> Iterator[StepEvent]:
        """What a run that was ended had finished, as far as anything says so: its JSON first, which knows most."""
        result = invocation.stopped_result(results.RunResult)
        if result is not None:
            result.run_id = invocation.facts.run_id
            yield from self._reporter.take_result(events_of_result(result), names, invocation)
        for event in invocation.remaining_events():
            yield from self._reporter.take(event, names, invocation)
        yield from self._reporter.checks.take_waiting(names)

    def _settle(
        self, run: PlannedRun, names: EngineNames, result: RunResult, invocation: RockyInvocation
    ) -> Iterator[StepEvent]:
        """Everything that only the end knows: the rest of the events, then the outcome of what was not built."""
        checks = self._reporter.checks
        failed_before, outside_before = len(checks.failed), len(checks.failed_outside)
        yield from self._reporter.take_result(events_of_result(result), names, invocation)
        for error in result.errors:
            self._context.log.error(f"rocky: {'/'.join(error.asset_key) or 'a table'}: {error.error}")
        self._conclusion.note_errors(result)
        compiled = compile_failure(result, self._paths) if result.errors else None
        self._compile = self._compile or compiled
        yield from self._outcomes.take_verdicts(run, names, result, invocation, compiled)
        for event in invocation.remaining_events():
            yield from self._reporter.take(event, names, invocation)
        yield from checks.take_waiting(names)
        # Only a quality pipeline fails of its checks (contract, section 6).
        explained = run.kind == "quality" and len(checks.failed) > failed_before
        yield from self._outcomes.close_rest(run, result, invocation, has_failed_check=explained)
        built = [unit for unit in run.units if self._ledger.status(unit) is Status.MATERIALIZED]
        yield from checks.without_result(built, may_block=not run.request.options.shadow_suffix)
        if result.exit_code and not explained:
            outside = checks.failed_outside[outside_before:] if run.kind == "quality" else []
            yield from self._account_for_exit(run, names, result, invocation, outside)
        self._follow_up(run)

    @cached_property
    def _paths(self) -> Mapping[str, str]:
        """Files of models by name, for failures that name a model."""
        return {asset.name: asset.path for asset in self._plan.universe if asset.path}

    def _account_for_exit(
        self,
        run: PlannedRun,
        names: EngineNames,
        result: RunResult,
        invocation: RockyInvocation,
        failed_checks: Sequence[str],
    ) -> Iterator[StepEvent]:
        """An exit code other than 0: green only where all was built and something else explains it."""
        outcomes = [self._ledger.status(unit) for unit in run.units]
        if any(status is not None and status.fails_the_step for status in outcomes):
            if not result.errors and not result.interrupted and Status.FAILED not in outcomes:
                self._note_unexplained(result, invocation)
            return
        built = {"/".join(m.asset_key) for m in result.materializations}
        missing = sum("/".join(extra.engine_key) not in built for extra in run.extras)
        texts = outside_errors(result, names.is_selected, missing)
        if texts is None and not result.errors and failed_checks:
            texts = [f"check {name} failed" for name in failed_checks]
        if texts is None:
            self._note_unexplained(result, invocation)
            return
        self._context.log.warning(
            f"rocky: the engine ended with exit code {result.exit_code} because of something that was not selected: "
            + "; ".join(text.split("\n", 1)[0] for text in texts[:10])
        )
        yield events.outside_failure(run.units[0].asset.asset_key, texts)

    def _note_unexplained(self, result: RunResult, invocation: RockyInvocation) -> None:
        failure = errors.unexplained(invocation.end(), result)
        self._conclusion.failures.append(failure.masked(invocation.masker))

    def _follow_up(self, run: PlannedRun) -> None:
        """Puts what a failed model kept from being built, without depending on it, into runs of its own."""
        if self._compile is not None or run.request.options.fail_fast:
            return
        failed = {unit for unit in run.units if self._ledger.status(unit) is Status.FAILED}
        left = [unit for unit in run.units if self._ledger.status(unit) is Status.NOT_REPORTED]
        if failed and left:
            rest = self._plan.rest(run, failed, left)
            self._ledger.reopen(unit for more in rest for unit in more.units)
            self._queue.extendleft(reversed(rest))

    def _record_failure(self, run: PlannedRun, failure: errors.RockyFailure) -> None:
        self._conclusion.failures.append(failure)
        description = failure.description or "the engine run failed"
        self._ledger.close(run.units, Status.FAILED, description.split("\n", 1)[0])
        self._context.log.error(f"rocky: {description.split(errors.LOG_END, 1)[0]}")
