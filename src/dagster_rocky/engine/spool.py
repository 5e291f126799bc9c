"""Where does the engine write: private files of one invocation, so that it never waits for a reader."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from dagster_rocky.engine.folders import PREFIX, is_at, temporary_folder, try_lock, unusable

LOW_DISK_BYTES = 1024 * 1024


class Spool:
    """Streams and side files of one invocation, readable by their owner only.

    stdout and stderr go to files without a name, which the operating system frees with the last process that
    holds them, so they survive no crash. Pipes messages and hook lines need a path; theirs is in a folder that is
    locked while this process lives. A later invocation removes a folder that nobody holds.

    Raises:
        RockyFailure: When the temporary folder cannot be written.
    """

    def __init__(self) -> None:
        self._base = temporary_folder()
        self._folder: Path | None = None
        self._folder_lock = -1
        _sweep(self._base)
        try:
            self.stdout = _open_nameless(self._base)
            try:
                self.stderr = _open_nameless(self._base)
            except OSError:
                os.close(self.stdout)
                raise
        except OSError as error:
            raise unusable(self._base, error, "spool the engine's output") from error

    def side_file(self, name: str) -> Path:
        """An empty file, readable by its owner only, that the engine or its hooks append to.

        Raises:
            RockyFailure: When it cannot be made.
        """
        try:
            if self._folder is None:
                self._folder, self._folder_lock = _locked_folder(self._base)
            path = self._folder / name
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except OSError as error:
            raise unusable(self._base, error, f"make the file {name}") from error
        return path

    def disk_is_full(self) -> bool:
        """Whether the disk of the spool has less than a mebibyte left."""
        with contextlib.suppress(OSError):
            stats = os.statvfs(self._base)
            return stats.f_bavail * stats.f_frsize < LOW_DISK_BYTES
        return False

    def stdout_size(self) -> int:
        """Bytes on stdout so far."""
        return os.fstat(self.stdout).st_size

    def read_stdout(self, start: int = 0, size: int | None = None) -> bytearray:
        """Part of stdout, or all of it, held once."""
        wanted = self.stdout_size() - start if size is None else size
        content = bytearray(max(0, wanted))
        view, done = memoryview(content), 0
        while done < wanted:
            count = os.preadv(self.stdout, [view[done:]], start + done)
            if count == 0:
                break
            done += count
        view.release()
        del content[done:]
        return content

    def close(self) -> None:
        """Gives everything back."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        for fd in (self.stdout, self.stderr, self._folder_lock):
            with contextlib.suppress(OSError):
                os.close(fd)
        self._folder_lock = -1


def _open_nameless(base: Path) -> int:
    fd, path = tempfile.mkstemp(prefix=PREFIX, dir=base)
    os.unlink(path)
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_APPEND)
    return fd


def _open_folder(path: Path | str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _locked_folder(base: Path) -> tuple[Path, int]:
    """A new folder and the descriptor that holds its lock; one that a sweep took before it was locked is made anew."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base))
        try:
            fd = _open_folder(folder)
        except FileNotFoundError:
            continue
        with contextlib.suppress(OSError):
            try_lock(fd)
        if is_at(fd, folder):
            return folder, fd
        os.close(fd)


def _sweep(base: Path) -> None:
    """Removes the folders that nobody holds; what cannot be looked at or removed is left."""
    with contextlib.suppress(OSError), os.scandir(base) as entries:
        for entry in entries:
            if not entry.name.startswith(PREFIX):
                continue
            pid, dash, _ = entry.name.removeprefix(PREFIX).partition("-")
            if dash and pid.isdigit():
                with contextlib.suppress(OSError):
                    _remove_unheld(entry)


def _remove_unheld(entry: "os.DirEntry[str]") -> None:
    found = entry.stat(follow_symlinks=False)
    if found.st_uid != os.getuid():
        return
    fd = _open_folder(entry.path)
    try:
        if try_lock(fd) and is_at(fd, Path(entry.path)):
            shutil.rmtree(entry.path, ignore_errors=True)
    finally:
        os.close(fd)
