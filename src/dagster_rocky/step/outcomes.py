"""What became of each unit that the engine's result does not list as built?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import dagster as dg

from dagster_rocky.engine.commands import EngineCommands
from dagster_rocky.engine.invocation import RockyInvocation
from dagster_rocky.planning.plan import PlannedRun, Unit
from dagster_rocky.step import events
from dagster_rocky.step.events import StepEvent
from dagster_rocky.step.explain import CompileFailure, Verdict, contradicted, explain
from dagster_rocky.step.ledger import OutcomeLedger, Status
from dagster_rocky.step.names import EngineNames
from dagster_rocky.step.reporting import Reporter

if TYPE_CHECKING:
    from dagster_rocky.results import RunResult


class Outcomes:
    """Gives every unit of a run an outcome when the run has ended.

    Args:
        context: The step's.
        resource: The engine and its project, whose state is asked at most once, and only when something was skipped.
        units: All of the step's.
        ledger: Where outcomes are noted.
        reporter: What has been told.
        shadow: The suffix of the tables that are written instead of the real ones.
    """

    def __init__(
        self,
        context: dg.OpExecutionContext,
        resource: EngineCommands,
        units: Sequence[Unit],
        *,
        ledger: OutcomeLedger,
        reporter: Reporter,
        shadow: str | None,
    ) -> None:
        self._context, self._resource, self._units = context, resource, units
        self._ledger, self._reporter, self._shadow = ledger, reporter, shadow

    def take_verdicts(
        self,
        run: PlannedRun,
        names: EngineNames,
        result: RunResult,
        invocation: RockyInvocation,
        compiled: CompileFailure | None,
    ) -> Iterator[StepEvent]:
        """Outcomes of what the JSON does not list as built, also where a hook or a Pipes message said it was."""
        listed = {
            names.unit("/".join(built.asset_key), built.partition.key if built.partition else None)
            for built in result.materializations
        }
        for unit, _, reason in contradicted([unit for unit in run.units if unit in listed], result):
            self._ledger.contradict(unit, reason)
        claimed = [unit for unit in run.units if unit in self._reporter.claims and unit not in listed]
        left = [
            unit
            for unit in self._ledger.open_units(run.units)
            if unit not in claimed and unit.asset.kind != "quality"
        ]

        def verdicts(units: Sequence[Unit], of: RunResult) -> list[Verdict]:
            return list(
                explain(
                    units,
                    of,
                    invocation.facts,
                    compiled=compiled,
                    live_errors=self._reporter.live_errors,
                    engine_error=invocation.end().engine_error,
                )
            )

        found = verdicts(left, result)
        is_own_key = result.idempotency_key == run.request.idempotency_key is not None
        for verdict in found:
            yield from self._apply(verdict, is_proven=result.skipped_idempotent and is_own_key)
        accounted = {verdict.reason for verdict in found if verdict.status is Status.FAILED}
        unaccounted = [e for e in result.errors if e.asset_key or e.error not in accounted]
        for verdict in verdicts(claimed, result.model_copy(update={"errors": unaccounted})):
            if verdict.status is Status.FAILED and unaccounted:
                source = self._reporter.claims[verdict.unit]
                reason = (
                    f"a {source} report said it was built, and the engine's result says: {verdict.reason}"
                )
                self._ledger.contradict(verdict.unit, reason)

    def _apply(self, verdict: Verdict, *, is_proven: bool) -> Iterator[StepEvent]:
        """Notes an outcome and tells it where it is no failure.

        A skip under the request's own key is proven: the key is made of what is asked, and only success keeps it.
        """
        unit, status, reason = verdict
        if status is Status.UNCHANGED and not (is_proven or self._is_known(unit, reason)):
            status = Status.NOT_REPORTED
            reason = f"the engine skipped it ({reason}), but neither Dagster nor the engine's state knows it"
        if status is Status.ABSENT and len(self._units) == 1:
            status = Status.FAILED
        self._ledger.note(unit, status, reason)
        if status is Status.UNCHANGED:
            yield from self._reporter.unchanged(unit, reason)
        elif status in (Status.EXCLUDED, Status.ABSENT):
            yield events.left_out(unit, status, reason)

    def _is_known(self, unit: Unit, reason: str) -> bool:
        """Whether something that was skipped is known to exist: to Dagster, or to the engine's state."""
        if self._reporter.is_known(unit):
            return True
        if unit.asset.kind == "model":
            # The skip gate compares with what it built before; an idempotency key says nothing of the table.
            return "finished the same request before" not in reason
        return f"{unit.asset.target}{self._shadow or ''}" in self._watermarks

    @cached_property
    def _watermarks(self) -> frozenset[str]:
        """The tables that the engine's state has copied; asked once a step, and only when something was skipped."""
        try:
            return frozenset(mark.table for mark in self._resource.state().watermarks)
        except dg.Failure as failure:
            self._context.log.warning(f"rocky: the engine's state could not be asked: {failure.description}")
            return frozenset()

    def close_rest(
        self, run: PlannedRun, result: RunResult, invocation: RockyInvocation, *, has_failed_check: bool
    ) -> Iterator[StepEvent]:
        """Outcomes of checked tables, and of what was announced and never came."""
        for unit in self._ledger.open_units(run.units):
            if unit.asset.kind != "quality":
                self._ledger.note(
                    unit, Status.NOT_REPORTED, "it was announced as built, and then no more was said"
                )
                continue
            missing = [declared.name for declared in self._reporter.checks.missing(unit)]
            if not missing:
                self._ledger.note(unit, Status.CHECKED)
                continue
            error = None if has_failed_check else invocation.end().engine_error
            (verdict,) = explain([unit], result, invocation.facts, engine_error=error)
            if verdict.status is Status.UNCHANGED:
                self._ledger.note(unit, verdict.status, verdict.reason)
                why = f"Not evaluated again: {verdict.reason}. The checks keep their results."
                yield events.checks_not_evaluated(unit.asset.asset_key, missing, why)
            elif verdict.status is Status.FAILED:
                self._ledger.note(unit, verdict.status, verdict.reason)
            else:
                reason = (
                    f"The engine gave no result for {', '.join(missing)}: they have neither passed nor failed. Does "
                    "the table exist, and is the check still in rocky.toml? Otherwise refresh the state."
                )
                self._ledger.note(unit, Status.NOT_REPORTED, reason)
