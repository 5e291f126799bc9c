"""How does a step end: green, red with what a person needs to know, or asking for another try?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from dagster_rocky import _dagster, results
from dagster_rocky.engine import errors
from dagster_rocky.planning.plan import Unit
from dagster_rocky.step.ledger import OutcomeLedger

if TYPE_CHECKING:
    from dagster_rocky.results import RunResult

_COOLDOWN_RETRIES = 5
_QUOTA_SECONDS = 300.0
_SHOWN = 10


class Conclusion:
    """Gathers what speaks against a step and ends it accordingly.

    Args:
        context: The step's.
        ledger: The outcomes.
    """

    def __init__(self, context: dg.OpExecutionContext, ledger: OutcomeLedger) -> None:
        self._context, self._ledger = context, ledger
        self.failures: list[errors.RockyFailure] = []
        self._cooldown: float | None = None
        self._kinds: set[str] = set()
        self._may_pass: list[bool] = []

    def note_errors(self, result: RunResult) -> None:
        """What the errors of a result say about another try: whether it makes sense, and when."""
        for error in result.errors:
            self._kinds.add(error.kind.value)
            self._may_pass.append(error.worth_a_retry)
            is_quota = error.kind is results.FailureKind.QUOTA_EXCEEDED
            seconds = error.cooldown_seconds or (_QUOTA_SECONDS if is_quota else None)
            if seconds:
                self._cooldown = max(seconds, self._cooldown or 0.0)

    def end(self) -> None:
        """Fails the step when a selected asset has no good outcome, or an engine run failed unexplained.

        Raises:
            dagster.Failure: With the outcomes as a table.
            dagster.RetryRequested: When the warehouse asked for a pause.
        """
        failed = self._ledger.failures()
        if not failed and not self.failures:
            return
        if self._cooldown is not None and self._context.retry_number < _COOLDOWN_RETRIES:
            raise dg.RetryRequested(max_retries=_COOLDOWN_RETRIES, seconds_to_wait=self._cooldown)
        metadata: dict[str, Any] = {}
        for failure in self.failures:
            metadata = {**failure.metadata, **metadata}
        metadata["rocky/outcomes"] = self._ledger.table()
        if self._kinds:
            metadata["rocky/failure_kinds"] = sorted(self._kinds)
        beside = len(self._ledger.rows()) > len(failed)
        hopeless = bool(self._may_pass) and not any(self._may_pass)
        raise _dagster.failure(
            _describe(failed, self.failures, self._ledger.counts(), beside),
            metadata,
            allow_retries=not hopeless and all(failure.allow_retries for failure in self.failures),
        )

    def cancelled(self, seconds: float | None) -> str:
        """One line and a table of a step that was cancelled: what is finished, what is not.

        Args:
            seconds: How long the engine took to stop; `None` where none was running.

        Returns:
            The same text as is logged, which ends the step.
        """
        rows = self._ledger.rows()
        finished = [row for row in rows if row[1] in {"materialized", "unchanged", "checked"}]
        engine = (
            "no engine was running" if seconds is None else f"the engine was stopped after {seconds:.1f} s"
        )
        left = len(rows) - len(finished)
        text = f"Cancelled: {len(finished)} of {len(rows)} finished, {left} not finished; {engine}."
        lines = [f"  {outcome:<14} {unit}" for unit, outcome, _ in rows[:100]]
        more = [f"  and {len(rows) - 100} more"] if len(rows) > 100 else []
        told = "\n".join([text, *lines, *more])
        self._context.log.error(f"rocky: {told}")
        return told


def _describe(
    failed: Sequence[tuple[Unit, Any, str]],
    failures: Sequence[errors.RockyFailure],
    counts: str,
    beside: bool,
) -> str:
    """What failed, why, and what to do: the cause first, the rest is in the table of outcomes.

    Args:
        failed: What was not built.
        failures: The engine runs that failed.
        counts: Of the outcomes.
        beside: Whether the step had more than what failed; a failed partition is named then.
    """
    one_of_many = beside and any(unit.partition for unit, *_ in failed)
    if failures and len(failures) == 1 and len(failed) <= 1 and not one_of_many:
        return failures[0].description or "the engine run failed"
    shown = [f"- {unit}: {status.value}{_because(reason)}" for unit, status, reason in failed[:_SHOWN]]
    if len(failed) > _SHOWN:
        shown.append(f"- and {len(failed) - _SHOWN} more, in the metadata `rocky/outcomes`")
    partitions = sorted({unit.partition for unit, *_ in failed if unit.partition})
    if partitions:
        listed = ", ".join(partitions[:20]) + (
            f" and {len(partitions) - 20} more" if len(partitions) > 20 else ""
        )
        shown.append(
            f"Failed partitions: {listed}. Launch these, or re-execute the run 'from failure': 'from asset failure' "
            "takes an asset of which some partitions were built for done."
        )
    subject = "1 selected asset was" if len(failed) == 1 else f"{len(failed)} selected assets were"
    summary = f"{subject} not built ({counts}):\n" + "\n".join(shown) if failed else f"({counts})"
    if failures and failures[0].description:
        return f"{failures[0].description.split(errors.LOG_END, 1)[0].strip()}\n{summary}"
    return f"{_cause(failed)}{summary}"


def _cause(failed: Sequence[tuple[Unit, Any, str]]) -> str:
    """The first line of a failure: the one reason that the others follow from, where there is one."""
    reasons = {reason.strip().split("\n", 1)[0] for _, status, reason in failed if status.value == "failed"}
    return f"{next(iter(reasons))}\n" if len(reasons) == 1 and len(failed) > 1 else ""


def _because(reason: str) -> str:
    return f": {reason.strip().splitlines()[0]}" if reason.strip() else ""
