"""How does a signal end the wait for an engine: none is lost, and none leaves a process that nobody knows of."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

from dagster_rocky import _dagster

_ENDING = (signal.SIGINT, signal.SIGTERM)
_noticed_in: list[int] = []  # the file descriptor to read from, if there is one


@contextlib.contextmanager
def hangups() -> Iterator[None]:
    """Lets a closed terminal (SIGHUP) end the work meanwhile as Ctrl-C does, instead of killing this process.

    So the engine is ended, locks are given back, and Dagster can mark the run. A process that ignores the signal, as
    under `nohup`, or handles it in its own way, goes on doing so.
    """
    if not _in_main_thread() or signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Lets no signal raise an error meanwhile; one that has come does so at the end."""
    if not _in_main_thread():
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in _ENDING}
    raising = {number: handler for number, handler in handlers.items() if callable(handler)}
    with _blocked():
        for number in raising:
            signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        with _blocked():
            for number, handler in raising.items():
                signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


@contextlib.contextmanager
def noticed() -> Iterator[None]:
    """Notices signals below Python, so that `raise_if_swallowed` knows of one whose error was lost.

    Python drops an error that a signal raises while a weak reference or an object is cleaned up, which the libraries
    that store events do all the time: such a run would not be cancelled. Within another of these contexts, and where
    somebody else is told of signals already, nothing changes.
    """
    if not _in_main_thread() or _noticed_in:
        yield
        return
    reading, writing = os.pipe()
    try:
        for end in (reading, writing):
            os.set_blocking(end, False)
        others = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        if others != -1:
            signal.set_wakeup_fd(others)
            yield
            return
        _noticed_in.append(reading)
        try:
            yield
        finally:
            _noticed_in.clear()
            signal.set_wakeup_fd(-1)
    finally:
        os.close(reading)
        os.close(writing)


def raise_if_swallowed() -> None:
    """Lets a signal that was noticed raise its error; to be called where the error would have ended the caller.

    Raises:
        KeyboardInterrupt: When a signal came whose error did not.
        DagsterExecutionInterruptedError: The same, in a step.
    """
    for number in _noticed():
        handler = signal.getsignal(number)
        if handler is signal.default_int_handler or _dagster.raises_interruptions(handler):
            signal.raise_signal(number)


def forget() -> None:
    """Drops what was noticed: it is being acted on."""
    _noticed()


def _noticed() -> set[int]:
    if not _noticed_in or not _in_main_thread():
        return set()
    with contextlib.suppress(BlockingIOError):
        return set(os.read(_noticed_in[0], 4096)) & set(_ENDING)
    return set()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def _blocked() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
