"""How does a step learn that it is cancelled, and how does it end without a stack trace that says nothing?"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterUserCodeProcessError
from dagster._utils import interrupts
from dagster_shared.error import SerializableErrorInfo


class Interruptions:
    """Whether an interruption has come for a step while Dagster stored one of its events.

    Private because Dagster tells a step of it by never asking for its next event: the step could not say what else is
    finished, nor end its engine.
    """

    def __init__(self) -> None:
        self.came = False

    def raise_if_came(self) -> None:
        """Interrupts the step here, where it can end its engine and tell what is finished.

        Raises:
            DagsterExecutionInterruptedError: When one has come.
        """
        if self.came:
            self.came = False
            raise dg.DagsterExecutionInterruptedError


def failure(description: str, metadata: Mapping[str, Any], *, allow_retries: bool) -> dg.Failure:
    """The failure that ends a step whose engine failed, without a stack trace.

    Private because Dagster shows its own twenty frames for every error, which say nothing of the engine, and takes what
    to show from the error only where that comes from another process.

    Args:
        description: The cause and what to do.
        metadata: Of the failure.
        allow_retries: Whether another try makes sense.
    """
    shown = _Failure(description=description, metadata=metadata, allow_retries=allow_retries)
    shown.show(description, dg.Failure.__name__)
    return shown


def interrupt_later() -> None:
    """Notes an interruption that has come at a moment when it cannot be acted on.

    Private because Dagster has no public way to say that a run is to be interrupted.
    """
    interrupts._received_interrupt["received"] = True


def interruption(text: str) -> dg.DagsterExecutionInterruptedError:
    """The interruption that ends a cancelled step with a text and without a stack trace.

    Private because of what `failure` says. Where the step has a retry policy, Dagster asks for another try, as it does
    after every interruption.

    Args:
        text: What was finished and what was not.
    """
    shown = _Interruption(text)
    shown.show(text, dg.DagsterExecutionInterruptedError.__name__)
    return shown


@contextmanager
def interruptions_kept() -> Iterator[Interruptions]:
    """Keeps interruptions for the step that runs in this context, which looks for them where it can act.

    Private because Dagster notes an interruption that comes while it stores an event, and raises it before the step is
    asked for the next one. What has come and was not looked for is Dagster's again at the end.
    """
    ours, theirs = Interruptions(), getattr(interrupts, "_received_interrupt", None)
    if theirs is None or threading.current_thread() is not threading.main_thread():
        yield ours
        return
    interrupts._received_interrupt = _Kept(ours)
    try:
        yield ours
    finally:
        interrupts._received_interrupt = theirs
        if ours.came:
            theirs["received"] = True


def raises_interruptions(handler: object) -> bool:
    """Whether a handler of a signal is the one with which Dagster ends a step; its other one takes notes.

    Private because both are functions inside of Dagster's own.

    Args:
        handler: What `signal.getsignal` gives.
    """
    return getattr(handler, "__qualname__", "").startswith(f"{interrupts.raise_interrupts_as.__name__}.")


class _ShownByItsText(BaseException):
    """An error that says how it is to be shown, as an error from another process does."""

    user_code_process_error_infos: Sequence[SerializableErrorInfo]

    def show(self, text: str, name: str) -> None:
        shown = SerializableErrorInfo(message=text, stack=[], cls_name=name, cause=None, context=None)
        self.user_code_process_error_infos = [shown]

    @property  # type: ignore[misc]
    def __class__(self) -> type[BaseException]:  # type: ignore[override]
        # For `isinstance` only: `except` clauses go by the type, and an interruption is no `Exception`.
        return DagsterUserCodeProcessError


class _Interruption(_ShownByItsText, dg.DagsterExecutionInterruptedError): ...


class _Failure(_ShownByItsText, dg.Failure): ...


class _Kept(dict[str, bool]):
    """Dagster's note, in which it never finds anything."""

    def __init__(self, ours: Interruptions) -> None:
        super().__init__(received=False)
        self._ours = ours

    def __setitem__(self, name: str, value: bool) -> None:
        self._ours.came = self._ours.came or value
