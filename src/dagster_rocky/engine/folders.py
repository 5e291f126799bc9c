"""Where do private files of this package live, and what is said when they cannot?"""

import contextlib
import fcntl
import os
import stat
import tempfile
from pathlib import Path

from dagster_rocky.engine.errors import RockyFailure

PREFIX = "dagster-rocky-"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def temporary_folder() -> Path:
    """The folder for temporary files, which `TMPDIR` chooses.

    Raises:
        RockyFailure: When there is none that can be written.
    """
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        raise unusable(Path(os.environ.get("TMPDIR", "/tmp")), error, "keep temporary files") from error


def unusable(folder: Path, error: OSError, purpose: str) -> RockyFailure:
    """One failure for every folder of temporary files that does not take any."""
    return RockyFailure(
        "spool",
        f"Cannot {purpose} in {folder}: {error.strerror or error}. "
        "Free some space there, or point TMPDIR at a folder of your own that can be written.",
        metadata={"rocky/spool": str(folder)},
    )


def runtime_folder() -> Path:
    """A folder that every process of this user finds and that no other user can write.

    Raises:
        RockyFailure: When somebody else made it, or it cannot be made.
    """
    base = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if not (base.is_absolute() and _is_private(base)):
        base = temporary_folder()
    folder = base / f"{PREFIX}{os.getuid()}"
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        if not _is_private(folder):
            raise PermissionError(0, "it is a link, no folder, or open to other users")
    except OSError as error:
        raise unusable(folder, error, "keep lock files") from error
    return folder


def _is_private(folder: Path) -> bool:
    """Whether it is a real folder of this user that nobody else may write."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & _OTHERS


def try_lock(fd: int) -> bool:
    """Takes the lock of an open file or folder; False when somebody else has it.

    Raises:
        OSError: When the file system knows no locks.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(fd: int, path: Path) -> bool:
    """Whether an open file or folder is still what the path names."""
    try:
        return os.path.samestat(os.fstat(fd), path.lstat())
    except OSError:
        return False
