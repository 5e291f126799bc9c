"""How is one lock taken in turn: a locked file that says who holds it, and a queue of those who wait."""

import contextlib
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from dagster_rocky.engine.errors import RockyFailure
from dagster_rocky.engine.folders import is_at, try_lock

_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MAX_BYTES = 4096
_TICKET = re.compile(r"\d{20}-\d+-[0-9a-f]{8}")


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        pid: Its process id, in its own container.
        dagster_run: The id of its Dagster run.
        since: When it took the lock.
    """

    pid: int
    dagster_run: str | None
    since: str

    @classmethod
    def this(cls, dagster_run: str | None) -> "Holder":
        """This process, now."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 - as Python 3.10 spells it
        return cls(os.getpid(), dagster_run, now)

    def __str__(self) -> str:
        """For people."""
        run = f" of Dagster run {self.dagster_run}" if self.dagster_run else ""
        return f"process {self.pid}{run}, since {self.since}"


class LockFile:
    """A lock of the operating system on a file, which outlives no process.

    Args:
        path: The lock file; it is made when it is not there, for its owner only.

    Raises:
        OSError: When it cannot be opened or locked.
        RockyFailure: When something else is in its place.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue = path.with_name(f"{path.name}.queue")
        self._ticket: str | None = None
        _refuse_others(path, stat.S_ISREG, "no plain file")
        _refuse_others(self._queue, stat.S_ISDIR, "no folder")
        self._fd = os.open(path, _OPEN, 0o600)
        self._held = False

    def try_acquire(self, me: Holder) -> bool:
        """Takes the lock when it is free and nobody waited longer; says then who holds it."""
        first = self._first_in_queue()
        if first is not None and first != self._ticket:
            return False
        if not try_lock(self._fd):
            return False
        self._held = True
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, json.dumps(asdict(me)).encode(), 0)
        return True

    def holder(self) -> Holder | None:
        """Who holds it, as far as it said so."""
        try:
            return Holder(**json.loads(os.pread(self._fd, _MAX_BYTES, 0)))
        except (OSError, ValueError, TypeError):
            return None

    @contextlib.contextmanager
    def queued(self) -> Iterator[None]:
        """Stands in the queue meanwhile, behind all who came before."""
        fd = -1
        while fd < 0:
            with contextlib.suppress(FileExistsError):
                self._queue.mkdir(mode=0o700)
            ticket = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}"
            with contextlib.suppress(FileNotFoundError):
                fd = os.open(self._queue / ticket, _OPEN | os.O_EXCL, 0o600)
            if fd >= 0 and not (try_lock(fd) and is_at(fd, self._queue / ticket)):
                os.close(fd)
                fd = -1
        self._ticket = ticket
        try:
            yield
        finally:
            self._ticket = None
            with contextlib.suppress(OSError):
                os.unlink(self._queue / ticket)
            os.close(fd)
            with contextlib.suppress(OSError):
                self._queue.rmdir()

    def close(self) -> None:
        """Lets the lock go."""
        if self._held:
            self._held = False
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)
        os.close(self._fd)

    def _first_in_queue(self) -> str | None:
        """The ticket of who has waited longest; those of dead waiters are taken away."""
        try:
            tickets = sorted(name for name in os.listdir(self._queue) if _TICKET.fullmatch(name))
        except OSError:
            return None
        for ticket in tickets:
            if ticket == self._ticket or not self._is_abandoned(ticket):
                return ticket
        return None

    def _is_abandoned(self, ticket: str) -> bool:
        try:
            fd = os.open(self._queue / ticket, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return True
        try:
            if not try_lock(fd):
                return False
            with contextlib.suppress(OSError):
                os.unlink(self._queue / ticket)
            return True
        except OSError:
            return True
        finally:
            os.close(fd)


def _refuse_others(path: Path, is_kind: Callable[[int], bool], otherwise: str) -> None:
    """Whatever is of another kind, a link, or known by a second name is refused, and nothing is followed."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if is_kind(found.st_mode) and (found.st_nlink == 1 or stat.S_ISDIR(found.st_mode)):
        return
    kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else otherwise
    raise RockyFailure(
        "locked",
        f"The lock file {path} is {kind}, and what it leads to is not touched. "
        "Look where it comes from and remove it.",
        metadata={"rocky/lock_file": str(path)},
        allow_retries=False,
    )
