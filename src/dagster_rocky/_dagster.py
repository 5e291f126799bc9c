"""Which private parts of Dagster does this package use: each wrapped once, with its reason."""

import logging
import sys


def prints_to_console(log: object) -> bool:
    """Whether what is logged at INFO is also printed by this process, so that a copy of it would stand there twice.

    A step's `context.log` hands its records to the run's loggers, by default a coloured console logger on stderr, and
    has no public way to ask for them. Where Dagster has moved them, the answer is the default: they are printed.

    Args:
        log: A step's `context.log`.
    """
    handler = getattr(log, "_dagster_handler", None)
    if handler is None:
        return True
    found = [
        (inner, max(logger.level, inner.level))
        for logger in getattr(handler, "_loggers", ())
        for inner in logger.handlers
    ]
    found += [(inner, inner.level) for inner in getattr(handler, "_handlers", ())]
    return any(
        level <= logging.INFO and _is_standard(getattr(inner, "stream", None)) for inner, level in found
    )


def _is_standard(stream: object) -> bool:
    if stream in (sys.stderr, sys.stdout):
        return True
    try:
        return stream.fileno() in (1, 2)  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
