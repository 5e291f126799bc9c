"""The signals and the environment that every test finds, whoever starts the tests and whatever the test before did."""

import gc
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support import forking

collect_ignore = ["recordings"]  # three thousand files, none of them a test

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

# How fast a machine is says nothing about a property.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    """A child inherits what its parent ignores or blocks, but not what it handles.

    Under `nohup`, in the background of a shell or in a job runner, some of these are ignored from the beginning; the
    tests go on ignoring them, but what they start does not.
    """
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is signal.SIG_IGN:
                signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    # Every engine that the tests start would compile its modules again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if config.getoption("numprocesses", None):
        forking.share()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves what the file `TESTS_TO_RUN` names: functions, and recorded commands by their folders."""
    if not (file := os.environ.get("TESTS_TO_RUN")):
        return
    names, left_out = set(Path(file).read_text().splitlines()), []
    for item in items:
        function, _, case = item.name.partition("[")
        name = (
            case.rpartition("]")[0] if function == "test_case_is_as_recorded" else function.partition("@")[0]
        )
        if name not in names:
            left_out.append(item)
    items[:] = [item for item in items if item not in set(left_out)]
    config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish() -> None:
    """What is imported by now stays to the end: the garbage collector leaves it alone, and looks less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(autouse=True)
def signals_as_they_were() -> Iterator[None]:
    """Gives the next test the signals as this one found them."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    yield
    if threading.current_thread() is threading.main_thread():
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
