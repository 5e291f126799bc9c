"""Is the engine new enough: asked once for each binary that a process runs."""

import os
from pathlib import Path

from dagster_rocky.engine import errors
from dagster_rocky.engine.command import Engine
from dagster_rocky.engine.invocation import RockyInvocation
from dagster_rocky.engine.options import RunOptions

_QUESTION = RunOptions(timeout_seconds=15, termination_grace_seconds=1)
_ANSWERS: dict[tuple[str, int, int], str] = {}
"""By path, time of change and size of the binary."""


def engine_version(engine: Engine, options: RunOptions = _QUESTION) -> str:
    """What the engine says to `--version`, e.g. `1.71.0`.

    Raises:
        RockyFailure: When it cannot be started, ends badly, takes too long or names no version.
    """
    with RockyInvocation(engine, ["--version"], bare=True, options=options) as invocation:
        text = invocation.output_text().strip()
        end = invocation.end()
    if invocation.timed_out:
        raise errors.timed_out(end, options.timeout_seconds)
    if end.exit_code != 0:
        raise errors.hard_failure(end)
    for word in text.split():
        if word[:1].isdigit():
            return word
    raise errors.no_json(end, len(text), text.encode()[:200], b"", "it names no version")


def require_version(engine: Engine) -> None:
    """Refuses an engine that is too old; one that does not say its version is left to its run.

    The answer is kept for as long as the process lives and the binary stays as it is.

    Raises:
        RockyFailure: When the engine is too old, or cannot be started at all.
    """
    path = Path(engine.executable())
    try:
        found = os.stat(path)
    except OSError:
        return
    asked = (str(path), found.st_mtime_ns, found.st_size)
    if asked not in _ANSWERS:
        _ANSWERS[asked] = _answer(engine)
    version = _ANSWERS[asked]
    try:
        numbers = tuple(int(part) for part in version.split(".")[:2])
    except ValueError:
        return
    if numbers < errors.OLDEST_ENGINE:
        raise errors.too_old(version, f"{path} --version")


def _answer(engine: Engine) -> str:
    try:
        return engine_version(Engine(binary=engine.binary, config=engine.config))
    except errors.RockyFailure as failure:
        if failure.kind in ("binary", "start"):
            raise
        return ""
