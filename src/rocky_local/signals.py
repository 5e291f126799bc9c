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
# Set when somebody asked the process to stop: nothing new begins then.
Shutdown = threading.Event


def _notice() -> None:
    told = "finishing in-flight statements; press Ctrl-C again to terminate"
    tracing.plain(f"\n[rocky] shutdown signal received — {told}")


def watch(shutdown: Shutdown, tell: Callable[[], None] = _notice) -> None:
    """Turn SIGTERM, SIGINT and SIGHUP into a request, once, and tell; a second one ends the process."""

    def handle(*_: object) -> None:
        release()
        shutdown.set()
        tell()

    for number in NUMBERS:
        signal.signal(number, handle)


def release() -> None:
    """Let SIGTERM, SIGINT and SIGHUP end the process at once again."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_DFL)
