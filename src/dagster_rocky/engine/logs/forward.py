"""Where do the engine's lines go: to the event log, one by one or joined, and to the compute log, each once."""

import contextlib
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from dagster_rocky.engine.logs.decode import PREFIX, LogLine, LogLineDecoder
from dagster_rocky.engine.logs.mask import SecretMasker
from dagster_rocky.engine.logs.tail import FileTail
from dagster_rocky.engine.options import RunOptions

TAIL_LINES = 20
_TAIL_LINE_CHARACTERS = 2_000
_BURST_EVENTS = 12
_PUMP_SECONDS = 0.05
_EVENTS_PER_SECOND = 30.0
_MAX_EVENT_LINES = 2_000
_MAX_EVENT_CHARACTERS = 512 * 1024

_LOGGING_LEVELS = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
}

RawCopy = Literal["none", "unsent", "all"]
"""Which raw lines this process's stderr, the step's compute log, is given: those that no event brings there."""


class EventLogger(Protocol):
    """What takes log events: Dagster's `context.log`, or any `logging.Logger`."""

    def log(self, level: int, msg: object, /) -> None:
        """Writes one event."""


class LogForwarder:
    """Follows stderr, keeps its tail and forwards it.

    An event costs milliseconds however many lines it holds. So a bucket of tokens lets quiet output through one
    event per line, and what exceeds it is joined into events of consecutive lines. Order is kept; no line is lost: an
    empty one goes to the compute log alone.

    Args:
        tail: The spooled stderr.
        logger: Where events go; `None` keeps the tail only.
        decoder: Makes lines readable.
        options: Levels.
        masker: What takes the secrets out.
        live: Whether lines are sent as they come, or all of them when the engine has ended.
        raw: Which raw lines are copied to this process's stderr, which is the step's compute log.
    """

    def __init__(
        self,
        tail: FileTail,
        logger: EventLogger | None,
        decoder: LogLineDecoder,
        options: RunOptions,
        masker: SecretMasker,
        *,
        live: bool,
        raw: RawCopy,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tail = tail
        self._logger = logger
        self._decoder = decoder
        self._options = options
        self._masker = masker
        self._live = live
        self._raw = raw
        self._clock = clock
        self._tokens = float(_BURST_EVENTS)
        self._refilled = clock()
        self._last_lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._last_error: list[str] = []
        self._error_goes_on = False

    def stderr_tail(self) -> str:
        """The last twenty lines, masked."""
        return "\n".join(self._last_lines)

    def engine_error(self) -> str | None:
        """The engine's own last word: the text from its last `Error:` or `error:` line on, at most twenty lines."""
        return "\n".join(self._last_error).strip() or None

    def pump(self) -> None:
        """Forwards what has come; in buffered mode nothing before the end."""
        if not self._live:
            return
        until = self._clock() + _PUMP_SECONDS
        for lines in self._tail.drain():
            self._take(lines)
            if self._clock() > until:
                return

    def finish(self) -> None:
        """Forwards everything that is left, however long that takes."""
        for lines in self._tail.drain():
            self._take(lines)
        last = self._tail.last_line()
        if last is not None:
            self._take([last])

    def _take(self, raw_lines: Sequence[str]) -> None:
        masked = self._masker.mask("\n".join(raw_lines)).split("\n")
        decoded = [self._decoder.decode(line) for line in masked]
        self._remember(masked, decoded)
        minimum = logging.getLevelNamesMapping()[self._options.min_log_level.upper()]
        sent = [
            self._logger is not None and _LOGGING_LEVELS[line.level] >= minimum and bool(line.text.strip())
            for line in decoded
        ]
        if self._raw != "none":
            everything = self._raw == "all"
            _to_compute_log(
                [raw for raw, is_sent in zip(masked, sent, strict=True) if everything or not is_sent]
            )
        self._send([line for line, is_sent in zip(decoded, sent, strict=True) if is_sent])

    def _remember(self, raw_lines: Sequence[str], lines: Sequence[LogLine]) -> None:
        """Keeps the tail, and the engine's own error text: from its last `Error:` line to the next tracing line."""
        for raw, line in zip(raw_lines, lines, strict=True):
            if line.message:
                self._error_goes_on = False
            elif raw.startswith(("Error: ", "error: ")):
                self._last_error, self._error_goes_on = [raw[:_TAIL_LINE_CHARACTERS]], True
            elif self._error_goes_on and len(self._last_error) < TAIL_LINES:
                self._last_error.append(raw[:_TAIL_LINE_CHARACTERS])
        shown = [line.text for line in lines[-10 * TAIL_LINES :] if line.text.strip()]
        self._last_lines.extend(text[:_TAIL_LINE_CHARACTERS] for text in shown[-TAIL_LINES:])

    def _send(self, lines: Sequence[LogLine]) -> None:
        start = 0
        while start < len(lines):
            single = self._take_token(waiting=len(lines) - start)
            stop = start + 1 if single else self._end_of_group(lines, start)
            level = self._level(lines[start])
            self._emit(level, "\n".join(PREFIX + line.text for line in lines[start:stop]))
            start = stop

    def _end_of_group(self, lines: Sequence[LogLine], start: int) -> int:
        level, size, stop = self._level(lines[start]), 0, start
        while stop < len(lines) and stop - start < _MAX_EVENT_LINES and self._level(lines[stop]) == level:
            size += len(lines[stop].text)
            if stop > start and size > _MAX_EVENT_CHARACTERS:
                break
            stop += 1
        return stop

    def _level(self, line: LogLine) -> int:
        return _LOGGING_LEVELS[line.level] if self._options.log_level == "engine" else logging.INFO

    def _take_token(self, waiting: int) -> bool:
        now = self._clock()
        self._tokens = min(_BURST_EVENTS, self._tokens + (now - self._refilled) * _EVENTS_PER_SECOND)
        self._refilled = now
        if self._tokens < 1 or waiting > _BURST_EVENTS:
            return False
        self._tokens -= 1
        return True

    def _emit(self, level: int, text: str) -> None:
        if self._logger is not None:
            self._logger.log(level, text)


def _to_compute_log(lines: Sequence[str]) -> None:
    """Writes raw lines to this process's stderr; a closed one loses the copy, not the run."""
    if not lines:
        return
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write("\n".join(lines) + "\n")
        sys.stderr.flush()
