"""How does one process live and end: in its own group, with a deadline, leaving nothing behind."""

import contextlib
import ctypes
import errno
import functools
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.01
_KILL_WAIT_SECONDS = 5.0
_EXEC_FAILED = (126, 127)
_EXEC_ERRORS = (
    errno.ENOENT,
    errno.EACCES,
    errno.ENOEXEC,
    errno.ETXTBSY,
    errno.ENOMEM,
    errno.EAGAIN,
    errno.E2BIG,
)


def _parent_death_signal() -> Callable[[], None] | None:
    """On Linux: what makes the kernel end the child when the thread that started it is gone."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    kill = int(signal.SIGKILL)
    return lambda: prctl(_PR_SET_PDEATHSIG, kill, 0, 0, 0)


@functools.cache
def _launcher() -> tuple[tuple[str, ...], Callable[[], None] | None]:
    """A command to put in front, or a function to call in the child, that sets the parent-death signal.

    `setpriv` is on every usual Linux and becomes the command itself. A function in the child needs a real fork,
    which in a process like Dagster's costs some ten milliseconds, so it is the second choice: for systems without
    `setpriv`, or with one that is too old or too small to know the option.
    """
    setpriv = shutil.which("setpriv") if sys.platform.startswith("linux") else None
    if setpriv is not None:
        prefix = (setpriv, "--pdeathsig", "KILL", "--")
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            if subprocess.run([*prefix, "true"], capture_output=True, timeout=5, check=False).returncode == 0:
                return prefix, None
    return (), _parent_death_signal()


def _listening(then: Callable[[], None] | None) -> Callable[[], None] | None:
    """What to call in the child so that SIGTERM ends it, when it would inherit that the signal is ignored or blocked.

    Without it such an engine would never stop by itself, and every grace period would end with SIGKILL.
    """
    blocked = signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    if not blocked and signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        return then

    def prepare() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        if then is not None:
            then()

    return prepare


def _check_executable(path: str) -> None:
    """Raises what starting it would raise, since a launcher in front would only print it."""
    if not os.path.exists(path):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    if os.path.isdir(path) or not os.access(path, os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


def launch_error(exit_code: int, stderr: str) -> OSError | None:
    """Why the launcher in front could not start the command; `None` when the command itself ran.

    Args:
        exit_code: How the process ended.
        stderr: What was written there.
    """
    prefix, _ = _launcher()
    line = stderr.strip()
    if not prefix or exit_code not in _EXEC_FAILED or not line.startswith("setpriv: ") or "\n" in line:
        return None
    words = line.rpartition(": ")[2]
    code = next((code for code in _EXEC_ERRORS if os.strerror(code) == words), 0)
    return OSError(code, words)


class SupervisedProcess:
    """A child in a group of its own, watched by a thread, so that a slow reader never delays its deadline.

    Make it where no signal raises an error (`interrupts.deferred`), or nobody may know of the child.

    Args:
        argv: The command; its first word is a path.
        cwd: Working directory.
        env: The whole environment.
        stdout: File descriptor for its stdout.
        stderr: File descriptor for its stderr.
        timeout_seconds: After so many seconds the group is ended; `None` waits without end.
        grace_seconds: Between SIGTERM and SIGKILL.

    Raises:
        OSError: When the command cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdout: int,
        stderr: int,
        timeout_seconds: float | None,
        grace_seconds: float,
    ) -> None:
        self._grace = grace_seconds
        # No event: an error that a signal raises while one is asked would leave it locked for the watcher, too.
        self._running = threading.Lock()
        self._running.acquire()
        self._termination = threading.Lock()
        self._ended_on_purpose = False
        self.timed_out = False
        self.started_at = time.monotonic()
        self.ended_at: float | None = None
        prefix, in_child = _launcher()
        _check_executable(argv[0])
        self._popen = subprocess.Popen(
            [*prefix, *argv],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=_listening(in_child),  # noqa: PLW1509 - a few system calls, no lock is taken
        )
        self.pid = self._popen.pid
        self._deadline = None if timeout_seconds is None else self.started_at + timeout_seconds
        self._watcher = threading.Thread(target=self._watch, name=f"rocky-watch-{self.pid}", daemon=True)
        self._watcher.start()

    @property
    def duration_seconds(self) -> float:
        """From start to end, or to now."""
        return (self.ended_at or time.monotonic()) - self.started_at

    def wait(self, seconds: float) -> bool:
        """Waits for the end, at most so long; returns whether it ended."""
        if self.ended_at is None and self._running.acquire(timeout=seconds):
            self._running.release()
        return self.ended_at is not None

    def finish(self) -> int:
        """Reaps the ended process and whatever is left of its group; returns the exit code.

        A negative code is the number of the signal that ended it.
        """
        self._watcher.join()
        code = self._popen.wait()
        self._signal_group(signal.SIGKILL)
        return code

    def terminate(self) -> None:
        """SIGTERM to the group, the grace period, SIGKILL; returns when the process has ended.

        An interruption of the waiting kills at once and goes on.
        """
        with self._termination:
            if self.ended_at is not None:
                return
            try:
                if not self._ended_on_purpose:
                    self._ended_on_purpose = True
                    self._signal_group(signal.SIGTERM)
                    self.wait(self._grace)
            finally:
                if self.ended_at is None:
                    self._signal_group(signal.SIGKILL)
                    self.wait(_KILL_WAIT_SECONDS)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _watch(self) -> None:
        """Runs in the watcher thread: waits for the exit and enforces the deadline."""
        waiter = _ExitWaiter(self._popen)
        try:
            if not waiter.wait(None if self._deadline is None else self._deadline - time.monotonic()):
                self.timed_out = True
                self._signal_group(signal.SIGTERM)
                self._ended_on_purpose = True
                if not waiter.wait(self._grace):
                    self._signal_group(signal.SIGKILL)
                    waiter.wait(None)
        finally:
            waiter.close()
            self.ended_at = time.monotonic()
            self._running.release()


class _ExitWaiter:
    """Waits for a child's exit without reaping it where the system can."""

    def __init__(self, popen: "subprocess.Popen[bytes]") -> None:
        self._popen = popen
        self._pidfd = -1
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(popen.pid)

    def wait(self, seconds: float | None) -> bool:
        if self._pidfd >= 0:
            poller = select.poll()
            poller.register(self._pidfd, select.POLLIN)
            return bool(poller.poll(None if seconds is None else max(0.0, seconds) * 1000))
        end = None if seconds is None else time.monotonic() + seconds
        while self._popen.poll() is None:
            if end is not None and time.monotonic() >= end:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def close(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
