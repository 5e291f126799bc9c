"""No signal is lost on its way to who waits for an engine, and none leaves a process that nobody knows of."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from dagster._utils.interrupts import capture_interrupts, raise_interrupts_as

from dagster_rocky.engine import interrupts
from dagster_rocky.engine.process import SupervisedProcess

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Ended(BaseException):
    """What a handler raises."""


class Swallowing:
    """Gets a signal when it is cleaned up, where Python drops the error of the handler."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        signal.raise_signal(self.number)


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interruption_that_python_drops_is_raised_again(number: int):
    with interrupts.noticed(), raise_interrupts_as(Ended):
        Swallowing(number)
        with pytest.raises(Ended):
            interrupts.raise_if_swallowed()


def test_what_is_acted_on_is_not_raised_again():
    with interrupts.noticed(), interrupts.noticed():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        interrupts.forget()
        interrupts.raise_if_swallowed()


def test_a_handler_that_takes_notes_is_not_called_again():
    with interrupts.noticed(), capture_interrupts():
        signal.raise_signal(signal.SIGTERM)
        interrupts.raise_if_swallowed()
    calls: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: calls.append(number))
    try:
        with interrupts.noticed():
            signal.raise_signal(signal.SIGINT)
            interrupts.raise_if_swallowed()
    finally:
        signal.signal(signal.SIGINT, before)
    assert calls == [signal.SIGINT]


def test_whoever_is_told_of_signals_already_still_is():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing)
    try:
        with interrupts.noticed(), pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert os.read(reading, 10) == bytes([signal.SIGINT])
        assert signal.set_wakeup_fd(before) == writing
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


def test_nothing_is_noticed_in_other_threads():
    seen: list[str] = []

    def work() -> None:
        with interrupts.hangups(), interrupts.noticed(), interrupts.deferred():
            interrupts.raise_if_swallowed()
            seen.append("worked")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == ["worked"]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_deferred_interruption_comes_at_the_end(number: int):
    reached: list[int] = []

    def act() -> None:
        with interrupts.deferred():
            signal.raise_signal(number)
            reached.append(number)

    with raise_interrupts_as(Ended):
        handlers = [signal.getsignal(each) for each in SIGNALS]
        with pytest.raises(Ended):
            act()
        assert [signal.getsignal(each) for each in SIGNALS] == handlers
    assert reached == [number]


def interrupted_at(step: int, act: Callable[[], object]) -> bool:
    """Whether the action was long enough to be interrupted at this step: a call, a line, or a return of Python's."""
    left = [step]

    def trace(frame: FrameType, event: str, _: object) -> Any:
        left[0] -= 1
        if left[0] == 0:
            sys.settrace(None)
            raise Ended
        return trace

    sys.settrace(trace)
    try:
        act()
    except Ended:
        return True
    finally:
        sys.settrace(None)
    return False


@pytest.fixture
def sleeping(tmp_path: Path) -> Iterator[SupervisedProcess]:
    with interrupts.deferred():
        process = SupervisedProcess(
            ["/bin/sleep", "60"],
            cwd=tmp_path,
            env={},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout_seconds=None,
            grace_seconds=5,
        )
    yield process
    process.terminate()


@pytest.mark.timeout(60)
def test_wherever_the_wait_is_interrupted_the_process_can_be_ended(sleeping: SupervisedProcess):
    step = 1
    while interrupted_at(step, lambda: sleeping.wait(0.001)):
        step += 1
    assert step > 3
    sleeping.terminate()
    assert sleeping.finish() == -signal.SIGTERM
