"""One writer at a time: the engine queues nothing, so runs that would collide wait here (contract, section 11)."""

import contextlib
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import filelock

from dagster_rocky.engine.errors import RockyFailure
from dagster_rocky.engine.logs.forward import EventLogger

_POLL_SECONDS = 0.05
_REMIND_SECONDS = 60.0


@contextlib.contextmanager
def engine_locks(
    paths: Sequence[Path], *, timeout_seconds: float | None, logger: EventLogger | None
) -> Iterator[None]:
    """Holds the locks of the run state and the warehouse file while a run uses them.

    The locks are advisory ones of the operating system on files of their own, so one that a dead process left
    behind is no obstacle, and the engine's own lock files stay untouched.

    Args:
        paths: The files that only one run may use, in any order; they need not exist.
        timeout_seconds: How long to wait altogether.
        logger: Told once when there is waiting to do, and then every minute.

    Raises:
        RockyFailure: When the wait is over and another run still holds a lock.
    """
    started = time.monotonic()
    with contextlib.ExitStack() as held:
        for path in sorted({path.resolve() for path in paths}):
            lock = filelock.FileLock(_lock_file(path), mode=0o666)
            _acquire(lock, path, started, timeout_seconds, logger)
            held.callback(lock.release)
        yield


def _acquire(
    lock: filelock.BaseFileLock,
    path: Path,
    started: float,
    timeout_seconds: float | None,
    logger: EventLogger | None,
) -> None:
    try:
        lock.acquire(timeout=0)
        return
    except filelock.Timeout:
        pass
    reminded = float("-inf")
    while True:
        waited = time.monotonic() - started
        if logger is not None and time.monotonic() - reminded >= _REMIND_SECONDS:
            reminded = time.monotonic()
            logger.log(
                logging.INFO, f"rocky: waiting for another run that uses {path.name} ({waited:.0f} s so far)"
            )
        if timeout_seconds is not None and waited >= timeout_seconds:
            raise RockyFailure(
                "locked",
                f"Another run held {path} for the whole timeout of {timeout_seconds:g} s. The engine allows one "
                "run at a time on it: wait for that run, raise timeout_seconds, or give this component a "
                "state_namespace and a warehouse of its own.",
                metadata={"rocky/locked": str(path), "rocky/timeout_seconds": float(timeout_seconds)},
            )
        try:
            lock.acquire(timeout=_POLL_SECONDS * 10, poll_interval=_POLL_SECONDS)
            return
        except filelock.Timeout:
            continue


def _lock_file(path: Path) -> str:
    """A lock file for a path, in a folder that every process of this user finds."""
    folder = Path(tempfile.gettempdir()) / f"dagster-rocky-locks-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:24]
    return str(folder / f"{digest}.lock")
