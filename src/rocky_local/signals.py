"""Asking a run to stop (contract, 10)."""

import signal
import threading
from collections.abc import Callable

from rocky_local import tracing

# How long the main thread may sleep: a signal that another thread received is answered when it wakes.
ANSWERING_SECONDS = 0.05
# The terminal that goes away asks, too, unless the process was told not to mind (`nohup`).
NUMBERS = [signal.SIGTERM, signal.SIGINT]
if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
    NUMBERS.append(signal.SIGHUP)
_NOTICE = (
    "\n[rocky] shutdown signal received — finishing in-flight statements; press Ctrl-C again to terminate"
)
# Set when somebody asked the process to stop: nothing new begins then.
Shutdown = threading.Event


def watch(shutdown: Shutdown) -> None:
    """Turn SIGTERM, SIGINT and SIGHUP into a request until the process ends; the statements in flight outlive it."""

    def answer() -> None:
        shutdown.set()
        tracing.plain(_NOTICE)

    on_stop(answer)


def on_stop(answer: Callable[[], None]) -> None:
    """Answer SIGTERM, SIGINT and SIGHUP once; a second one ends the process. The main thread must call it."""

    def handle(*_: object) -> None:
        release()
        answer()

    for number in NUMBERS:
        signal.signal(number, handle)


def release() -> None:
    """Let SIGTERM, SIGINT and SIGHUP end the process at once again."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_DFL)
