"""Asking a run to stop (contract, 10)."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rocky_local import tracing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NOTICE = (
    "\n[rocky] shutdown signal received — finishing in-flight statements; press Ctrl-C again to terminate"
)
# Set when somebody asked the process to stop: nothing new begins then.
Shutdown = threading.Event


@contextmanager
def on_stop(answer: Callable[[], None]) -> Iterator[None]:
    """Answer SIGTERM and SIGINT once for the time of the block; a second one ends the process.

    The main thread must enter it.
    """

    def handle(*_: object) -> None:
        for number in previous:
            signal.signal(number, signal.SIG_DFL)
        answer()

    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in previous:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def graceful(shutdown: Shutdown) -> Iterator[None]:
    """Turn a signal into a request that the statements in flight outlive."""

    def answer() -> None:
        shutdown.set()
        tracing.plain(_NOTICE)

    with on_stop(answer):
        yield
