"""The three run modes as what they add to one invocation: nothing, live logs, or live logs and Pipes messages."""

import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from dagster_rocky.engine.logs.forward import EventLogger
from dagster_rocky.engine.news.events import EngineEvent
from dagster_rocky.engine.news.pipes import PipesReader, pipes_environment
from dagster_rocky.engine.spool import Spool
from dagster_rocky.vocabulary import Mode


class RunStrategy(Protocol):
    """What a mode adds to an invocation."""

    @property
    def live_logs(self) -> bool:
        """Whether stderr is forwarded while the engine runs."""

    def prepare(self, spool: Spool) -> Mapping[str, str]:
        """Environment variables for the engine; called once, before it starts."""

    def events(self, everything: bool = False) -> Iterator[EngineEvent]:
        """What has been reported since the last call; `everything` includes what is held back."""

    def finish(self, logger: EventLogger | None) -> None:
        """Called once, after the last events."""

    def close(self) -> None:
        """Gives everything back."""


class BufferedStrategy:
    """Logs and results at the end."""

    live_logs = False

    def prepare(self, spool: Spool) -> Mapping[str, str]:
        """Nothing to add."""
        return {}

    def events(self, everything: bool = False) -> Iterator[EngineEvent]:
        """No events of its own."""
        return iter(())

    def finish(self, logger: EventLogger | None) -> None:
        """Nothing to say."""

    def close(self) -> None:
        """Nothing to give back."""


class StreamingStrategy(BufferedStrategy):
    """Logs while the engine runs."""

    live_logs = True


class PipesStrategy(BufferedStrategy):
    """Streaming, and the engine's Pipes messages besides.

    Args:
        context_data: The Pipes context of the step, given to the engine as it is.
    """

    live_logs = True
    hold_seconds = 0.0
    """How long an event is held back, so that what comes in a burst at the end can be completed first."""

    def __init__(self, context_data: Mapping[str, Any]) -> None:
        self._context_data = context_data
        self._reader: PipesReader | None = None
        self._held: deque[tuple[float, EngineEvent]] = deque()

    def prepare(self, spool: Spool) -> Mapping[str, str]:
        """The two Pipes variables, and a messages file to read."""
        path = spool.side_file("pipes-messages")
        self._reader = PipesReader(path)
        return pipes_environment(path, self._context_data)

    def events(self, everything: bool = False) -> Iterator[EngineEvent]:
        """What the messages report and was held long enough, or everything."""
        if self._reader is None:
            return
        now = time.monotonic()
        self._held.extend((now, event) for event in self._reader.read())
        while self._held and (everything or now - self._held[0][0] >= self.hold_seconds):
            yield self._held.popleft()[1]

    def finish(self, logger: EventLogger | None) -> None:
        """Says once when Pipes told less than it should; the JSON on stdout fills the gaps."""
        if logger is None or self._reader is None:
            return
        if self._reader.vanished:
            text = "the Pipes messages file disappeared while the engine ran"
        elif self._reader.unreadable:
            text = f"{self._reader.unreadable} Pipes messages of the engine could not be read"
        elif not self._reader.received:
            text = "the engine sent no Pipes messages"
        else:
            return
        logger.log(logging.WARNING, f"rocky: {text}; its results are taken from its JSON output instead")

    def close(self) -> None:
        """Gives the messages file back."""
        if self._reader is not None:
            self._reader.close()


def build_strategy(mode: Mode | str, context_data: Mapping[str, Any]) -> RunStrategy:
    """The strategy of a mode."""
    match Mode(mode):
        case Mode.BUFFERED:
            return BufferedStrategy()
        case Mode.STREAMING:
            return StreamingStrategy()
        case Mode.PIPES:
            return PipesStrategy(context_data)
