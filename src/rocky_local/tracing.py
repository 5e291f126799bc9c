"""Progress on stderr: JSON lines or human lines, by level and target, with the spans around them.

Every thread has its own stack of spans: the line of a table that is copied beside others names that table only.
"""

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partialmethod
from typing import Any

from rocky_local import clock, side_files

_LEVELS = {"OFF": 0, "ERROR": 1, "WARN": 2, "INFO": 3, "DEBUG": 4, "TRACE": 5}
_COLOURS = {"ERROR": 31, "WARN": 33, "INFO": 32, "DEBUG": 34, "TRACE": 35}
# The fields whose texts human lines show without quotes.
_BARE = ("models_dir", "dir", "path", "file", "node", "label", "filter", "column", "confidence", "signals")
# The messages that quote an error and its table, which others do not.
_QUOTING = ("table error", "table processing failed", "retry also failed")
_DEFAULT_FILTER = "info,salsa=warn"
_KEPT_TRACES = 50
_Span = dict[str, Any]
_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class _Settings:
    json = True
    colour = True
    directives: Sequence[tuple[str, int]] = (("", 3),)
    trace_name: str | None = None
    trace_file: int | None = None
    lock = threading.Lock()


_settings = _Settings()
_spans: ContextVar[list[_Span]] = ContextVar("spans")


class Log:
    """The lines of one part of the engine, as `RUST_LOG` can name it, with or without the spans around them."""

    def __init__(self, target: str, *, in_spans: bool = True) -> None:
        self._target = target
        self._in_spans = in_spans

    def _write(self, level: str, message: str, /, also: str | None = None, **fields: Any) -> None:
        """Write a line; `also` becomes a second `message` field after the others (contract, 9.1)."""
        if not _enabled(level, self._target):
            return
        pairs = [*fields.items(), *([("message", also)] if also is not None else [])]
        pairs[:0] = [("message", message)] if message else []
        spans = _spans.get([]) if self._in_spans else []
        stamp = f"{clock.utc(clock.now_ns()):%Y-%m-%dT%H:%M:%S.%fZ}"
        line = _json_line(stamp, level, self._target, pairs, spans)
        with _settings.lock:
            plain(line if _settings.json else _human_line(stamp, level, pairs, spans))
            _keep(f"{line}\n")

    debug, info = partialmethod(_write, "DEBUG"), partialmethod(_write, "INFO")
    warn, error = partialmethod(_write, "WARN"), partialmethod(_write, "ERROR")


def configure(*, as_json: bool) -> None:
    """Set the form of the lines, on stderr; the levels come from `RUST_LOG`."""
    _settings.json = as_json
    _settings.colour = not os.environ.get("NO_COLOR")
    _settings.directives = [*_parse_filter(os.environ.get("RUST_LOG") or _DEFAULT_FILTER)]
    if not os.environ.get("ROCKY_TRACE_DISABLE"):
        stamp = clock.run_id(clock.now_ns()).removeprefix("run-")
        _settings.trace_name = f"{stamp}-{os.getpid()}.jsonl"


@contextmanager
def span(name: str, **fields: str) -> Iterator[None]:
    """Put a named span around the lines inside; human ones show its fields without quotes, except a `run_id`."""
    if not _enabled("INFO", "rocky_cli"):
        yield
        return
    outer = _spans.set([*_spans.get([]), {**fields, "name": name}])
    try:
        yield
    finally:
        _spans.reset(outer)


def silence() -> None:
    """Write no more lines, whatever is still going on in other threads."""
    _settings.directives = ()


def plain(text: str) -> None:
    """Write a line to stderr that is no tracing line, such as the final error."""
    with suppress(OSError):  # Nobody reads stderr any more; the run itself goes on.
        write_whole(2, f"{text}\n")


def write_whole(stream: int, text: str) -> None:
    """Write a text to an open file, however often that takes."""
    data = text.encode(errors="replace")
    while data:
        data = data[os.write(stream, data) :]


def _enabled(level: str, target: str) -> bool:
    """Whether a line is shown; the longest prefix of its target that has a level decides."""
    limits = [(len(prefix), limit) for prefix, limit in _settings.directives if target.startswith(prefix)]
    return _LEVELS[level] <= max(limits, default=(0, 0))[1]


def _parse_filter(text: str) -> Iterator[tuple[str, int]]:
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, level = part.rpartition("=")
        known = level.upper() in _LEVELS
        yield (name, _LEVELS[level.upper()]) if known else (part, _LEVELS["TRACE"])


def _json_line(stamp: str, level: str, target: str, pairs: list[tuple[str, Any]], spans: list[_Span]) -> str:
    fields = ",".join(f"{_dumps(key)}:{_dumps(value)}" for key, value in pairs)
    line = f'{{"timestamp":"{stamp}","level":"{level}","fields":{{{fields}}},"target":"{target}"'
    return line + (f',"span":{_dumps(spans[-1])},"spans":{_dumps(spans)}}}' if spans else "}")


def _human_line(stamp: str, level: str, pairs: list[tuple[str, Any]], spans: list[_Span]) -> str:
    parts = [_style(2, stamp), _style(_COLOURS[level], f"{level:>5}")]
    parts += ["".join(_style(1, item["name"]) + ":" for item in spans)] if spans else []
    told = dict(pairs)
    bare = (*_BARE, "error", "table") if "error" in told and told.get("message") not in _QUOTING else _BARE
    parts += [str(value) if key == "message" else _pair(key, value, key not in bare) for key, value in pairs]
    for item in spans:
        inner = " ".join(_pair(key, item[key], key == "run_id") for key in item if key != "name")
        parts += [_style(2, inner)] if inner else []
    return " ".join(parts)


def _pair(key: str, value: Any, quoted: bool) -> str:
    text = json.dumps(value, ensure_ascii=False) if quoted else str(value)
    return f"{_style(3, key)}{_style(2, '=')}{text}"


def _style(code: int, text: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if _settings.colour else text


def _keep(line: str) -> None:
    if _settings.trace_name is None:
        return
    try:
        if _settings.trace_file is None:
            traces = side_files.made(side_files.ROCKY / "traces")
            for old in sorted(traces.glob("*.jsonl"))[: -_KEPT_TRACES or None]:
                old.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            _settings.trace_file = os.open(traces / _settings.trace_name, flags, 0o644)
        write_whole(_settings.trace_file, line)
    except OSError:
        _settings.trace_name = None  # A folder that cannot be written to costs the trace, not the run.
