"""Who may run now: the engines queue nothing, so runs that would collide wait here (contract, section 11)."""

import contextlib
import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dagster_rocky.engine.errors import RockyFailure
from dagster_rocky.engine.folders import runtime_folder
from dagster_rocky.engine.interrupts import raise_if_swallowed
from dagster_rocky.engine.lock_file import Holder, LockFile
from dagster_rocky.engine.logs.forward import EventLogger

SUFFIX = ".rocky-lock"
_POLL_SECONDS = 0.05
_REMIND_SECONDS = 60.0


@contextlib.contextmanager
def engine_locks(
    paths: Sequence[Path],
    *,
    timeout_seconds: float | None,
    logger: EventLogger | None,
    dagster_run: str | None = None,
) -> Iterator[None]:
    """Holds the locks of the run state and the warehouse file while a run uses them.

    A lock is an advisory one of the operating system on a hidden file beside what it protects, so that every process
    that can write there meets it, and one that a dead process left behind is no obstacle. Waiters come in the order
    of their arrival.

    Args:
        paths: The files that only one run may use, in any order; they need not exist.
        timeout_seconds: How long to wait altogether.
        logger: Told once when there is waiting to do, and then every minute.
        dagster_run: The Dagster run that holds or waits, told to the others.

    Raises:
        RockyFailure: When the wait is over and another run still holds a lock, or a lock file is none.

    Example:
        ```python
        with engine_locks([Path("warehouse.duckdb")], timeout_seconds=60, logger=None):
            ...
        ```
    """
    wait = _Wait(timeout_seconds, logger)
    with contextlib.ExitStack() as held:
        for path in sorted({path.resolve() for path in paths}):
            lock = _open(path, logger)
            held.callback(lock.close)
            try:
                _acquire(lock, path, wait, Holder.this(dagster_run))
            except OSError as error:
                raise _no_lock(path, f"locked beside it ({error.strerror or error})") from error
        yield


def lock_path(path: Path) -> Path:
    """The lock file that stands for a file: hidden, beside it."""
    return path.with_name(f".{path.name.lstrip('.')}{SUFFIX}")


def _open(path: Path, logger: EventLogger | None) -> LockFile:
    """The lock file beside a file, or one in this user's runtime folder where that cannot be written."""
    beside = lock_path(path)
    try:
        if path.parent.name == ".rocky-state":
            path.parent.mkdir(parents=True, exist_ok=True)
        return LockFile(beside)
    except OSError as error:
        digest = hashlib.sha256(str(path).encode()).hexdigest()[:24]
        folder = runtime_folder()
        if logger is not None:
            logger.log(
                logging.INFO,
                f"rocky: no lock file can be made beside {path} ({error.strerror or error}); it is in {folder} "
                "instead, where only runs of this user on this machine wait for each other",
            )
        try:
            return LockFile(folder / f"{digest}{SUFFIX}")
        except OSError as worse:
            places = f"made beside it ({error.strerror or error}) or in {folder} ({worse.strerror or worse})"
            raise _no_lock(path, places) from worse


def _no_lock(path: Path, what: str) -> RockyFailure:
    return RockyFailure(
        "locked",
        f"No lock file for {path} can be {what}. Make its folder writable for the user that runs the engine.",
        metadata={"rocky/locked": str(path)},
    )


class _Wait:
    """One wait for all locks of a run: how long it may take, and who is told of it."""

    def __init__(self, timeout_seconds: float | None, logger: EventLogger | None) -> None:
        self.timeout_seconds = timeout_seconds
        self._logger = logger
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def say(self, path: Path, holder: Holder | None) -> None:
        if self._logger is not None:
            who = holder or "it does not say who it is"
            text = (
                f"rocky: waiting for another run that uses {path.name} ({self.seconds:.0f} s so far): {who}"
            )
            self._logger.log(logging.INFO, text)


def _acquire(lock: LockFile, path: Path, wait: _Wait, me: Holder) -> None:
    if lock.try_acquire(me):
        return
    reminded = float("-inf")
    with lock.queued():
        while not lock.try_acquire(me):
            raise_if_swallowed()
            if time.monotonic() - reminded >= _REMIND_SECONDS:
                reminded = time.monotonic()
                wait.say(path, lock.holder())
            if wait.timeout_seconds is not None and wait.seconds >= wait.timeout_seconds:
                raise _still_held(lock, path, wait.timeout_seconds)
            time.sleep(_POLL_SECONDS)


def _still_held(lock: LockFile, path: Path, seconds: float) -> RockyFailure:
    holder = lock.holder()
    who = f" ({holder})" if holder else ""
    return RockyFailure(
        "locked",
        f"Another run held {path} for the whole timeout of {seconds:g} s{who}. The engine allows one "
        "run at a time on it: wait for that run, raise timeout_seconds, or give this component a "
        "state_namespace and a warehouse of its own.",
        metadata={
            "rocky/locked": str(path),
            "rocky/held_by": str(holder or ""),
            "rocky/timeout_seconds": float(seconds),
        },
    )
