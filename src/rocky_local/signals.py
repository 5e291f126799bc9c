"""Asking a copy to stop: SIGTERM and SIGINT are taken once, a second one ends the process."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rocky_local import tracing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_NOTICE = (
    "\n[rocky] shutdown signal received — finishing in-flight statements; press Ctrl-C again to terminate"
)


class Shutdown:
    """Whether somebody asked the process to stop."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def requested(self) -> bool:
        """Whether to begin nothing new."""
        return self._event.is_set()

    def request(self) -> None:
        """Ask for a stop."""
        self._event.set()


@contextmanager
def graceful(shutdown: Shutdown, notice: str = _NOTICE) -> Iterator[Shutdown]:
    """Turn SIGTERM and SIGINT into a request for the time of the block; the main thread must enter it.

    Args:
        shutdown: Where the request is noted.
        notice: What to say on stderr when the signal comes.
    """

    def handle(_number: int, _frame: FrameType | None) -> None:
        shutdown.request()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        if notice:
            tracing.plain(notice)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield shutdown
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
