"""The private files of one invocation: where the engine writes, so that it never waits for a reader."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from dagster_rocky.engine.errors import RockyFailure

_PREFIX = "dagster-rocky-"
LOW_DISK_BYTES = 1024 * 1024


class Spool:
    """Streams and side files of one invocation, readable by their owner only.

    stdout and stderr go to files without a name, which the operating system frees with the last process that
    holds them, so they survive no crash. Pipes messages and hook lines need a path; theirs is in a folder named
    after this process, which the next invocation removes when the process died.

    Raises:
        RockyFailure: When the temporary folder cannot be written.
    """

    def __init__(self) -> None:
        base = Path(tempfile.gettempdir())
        self._folder: Path | None = None
        try:
            _sweep(base)
            self.stdout = _open_nameless(base)
            self.stderr = _open_nameless(base)
        except OSError as error:
            raise RockyFailure(
                "spool",
                f"Cannot spool the engine's output in {base}: {error.strerror or error}. "
                "Free some space there, or point TMPDIR at a folder that can be written.",
                metadata={"rocky/spool": str(base)},
            ) from error
        self._base = base

    def side_file(self, name: str) -> Path:
        """An empty file, readable by its owner only, that the engine or its hooks append to.

        Raises:
            RockyFailure: When it cannot be made.
        """
        try:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=self._base))
            path = self._folder / name
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except OSError as error:
            raise RockyFailure(
                "spool",
                f"Cannot make the file {name} in {self._base}: {error.strerror or error}. "
                "Free some space there, or point TMPDIR at a folder that can be written.",
                metadata={"rocky/spool": str(self._base)},
            ) from error
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
        for fd in (self.stdout, self.stderr):
            with contextlib.suppress(OSError):
                os.close(fd)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _open_nameless(base: Path) -> int:
    fd, path = tempfile.mkstemp(prefix=_PREFIX, dir=base)
    os.unlink(path)
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_APPEND)
    return fd


def _sweep(base: Path) -> None:
    """Removes the folders of processes that are gone."""
    for folder in _own_folders(base):
        pid = folder.name.removeprefix(_PREFIX).split("-", 1)[0]
        if not pid.isdigit() or _is_alive(int(pid)):
            continue
        shutil.rmtree(folder, ignore_errors=True)


def _own_folders(base: Path) -> Iterator[Path]:
    with os.scandir(base) as entries:
        for entry in entries:
            if (
                entry.name.startswith(_PREFIX)
                and entry.is_dir(follow_symlinks=False)
                and entry.stat(follow_symlinks=False).st_uid == os.getuid()
            ):
                yield Path(entry.path)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
