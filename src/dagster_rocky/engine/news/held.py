"""When is live news told: progress at once, the rest when the result has had its time to complete it."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from dagster_rocky.engine.news.events import Built, EngineEvent


class HeldNews:
    """Holds what hooks and Pipes messages report, in its order.

    What is reported live of a table is little; the engine's result at the end completes it. So a run that ends
    within the window is told from its result alone, and a table that was done long before is told live.

    Args:
        seconds: The window; 0 holds nothing back.
        clock: The time, in seconds.

    Example:
        ```python
        held = HeldNews(seconds=5)
        list(held.take([Built(source="hook", name="wh.raw.orders")]))  # [Progress(…)]
        list(held.due())  # [] until five seconds have passed
        list(held.rest())  # [Built(…)]
        ```
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._waiting: deque[tuple[float, EngineEvent]] = deque()

    def take(self, events: Iterable[EngineEvent]) -> Iterator[EngineEvent]:
        """Takes news in; yields what is told of it at once."""
        for event in events:
            self._waiting.append((self._clock(), event))
            if isinstance(event, Built):
                yield event.progress

    def due(self) -> Iterator[EngineEvent]:
        """What has waited for the whole window."""
        while self._waiting and self._clock() - self._waiting[0][0] >= self.seconds:
            yield self._waiting.popleft()[1]

    def rest(self) -> Iterator[EngineEvent]:
        """Everything that still waits."""
        while self._waiting:
            yield self._waiting.popleft()[1]
