"""Servers that have a command's modules imported already and fork a process of its own for each call of it.

Each command is as real a process as one that is started anew: it has its own process id, streams, working directory,
environment and signals, and ends by an exit code or a signal. Only the imports are not repeated.

A server can be asked in Python (`start`, `run`), and by whatever starts programs: its `script` is an executable that
asks it, passes on the signals that it gets, and ends as the command does. A command whose asker is gone is killed.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import os
import pkgutil
import select
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

_PYTHON = sys.executable
"""As it is at first: a test may have another one looked for beside it."""
_LARGEST = 1 << 20
_SEPARATOR = "\0"
_SCRIPT = """#!{python} -SE
import os, sys
from _signal import SIG_BLOCK, SIG_DFL, SIG_IGN, SIG_UNBLOCK, SIGHUP, SIGINT, SIGTERM
from _signal import getsignal, pthread_sigmask, signal
from _socket import AF_UNIX, SCM_RIGHTS, SOCK_SEQPACKET, SOL_SOCKET, socket

asked = (SIGHUP, SIGINT, SIGTERM)
ignored = [number for number in asked if getsignal(number) is SIG_IGN]
server = socket(AF_UNIX, SOCK_SEQPACKET)
server.connect({address!r})
words = [os.fsencode(word) for word in sys.argv[1:]]
names = [b"=".join(both) for both in os.environb.items()]
told = [os.getcwdb(), " ".join(map(str, ignored)).encode(), str(len(words)).encode(), *words, *names]
pthread_sigmask(SIG_BLOCK, asked)
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in range(3))
server.sendmsg([b"\\0".join(told)], [(SOL_SOCKET, SCM_RIGHTS, streams)])
pid = int(server.recv(64))


def pass_on(number, _):
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        pass


for number in asked:
    if number not in ignored:
        signal(number, pass_on)
pthread_sigmask(SIG_UNBLOCK, asked)
code = int(server.recv(64) or 99)
if code < 0:
    if code != -9:
        signal(-code, SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


class ForkedProcess:
    """A command that was forked: as much of `subprocess.Popen` as a replay needs.

    Args:
        connection: The server's side that tells how the command ends.
        pid: Its process id.
    """

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._connection, self.pid = connection, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or `None` while the command runs."""
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self._read()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end.

        Raises:
            subprocess.TimeoutExpired: When it takes longer.
        """
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self._read()
        assert self.returncode is not None
        return self.returncode

    def _read(self) -> None:
        told = self._connection.recv(64)
        if not told:
            raise OSError("the server of forked commands ended")
        self.returncode = int(told)
        self._connection.close()

    def send_signal(self, number: int) -> None:
        """Sends a signal while the command runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kills the command if it still runs."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """A server of one command. It is started by the first that asks it, and ends with the process that has made it.

    A process whose environment names the folder of such a server, as `share` has it, asks that one.

    Args:
        command: The name of the command.
        entry: Its function, as `module:function`.
        preload: The modules and packages to import, with all that is in them when they end with `.*`.
    """

    def __init__(self, command: str, entry: str, preload: Sequence[str]) -> None:
        self.variable = f"FORKED_{command.upper().replace('-', '_')}"
        shared = os.environ.get(self.variable)
        self.folder = Path(shared or tempfile.mkdtemp(prefix="forked-"))
        self.address = str(self.folder / "socket")
        self.script = self.folder / "bin" / command
        if not shared:
            self._make(command, entry, preload)

    def _make(self, command: str, entry: str, preload: Sequence[str]) -> None:
        self.script.parent.mkdir()
        self.script.write_text(_SCRIPT.format(python=_PYTHON, address=self.address))
        self.script.chmod(0o755)
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listening.bind(self.address)
        self._listening.listen(64)
        self._arguments = [command, entry, *preload]
        self._ends_with, self._alive = os.pipe()
        self._server: subprocess.Popen[bytes] | None = None
        threading.Thread(target=self._start_when_asked, daemon=True).start()
        atexit.register(self._close)

    def _start_when_asked(self) -> None:
        select.select([self._listening], [], [])
        fds = (self._listening.fileno(), self._ends_with)
        try:
            self._server = subprocess.Popen(
                [_PYTHON, __file__, *map(str, fds), *self._arguments],
                pass_fds=fds,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        finally:
            # With the last of its listeners gone, whoever waits for a server that has failed is told at once.
            self._listening.close()

    def _close(self) -> None:
        os.close(self._alive)
        if self._server is not None:
            self._server.wait()
        shutil.rmtree(self.folder)

    def start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdout: int,
        stderr: int,
        ignored: Sequence[signal.Signals] = (),
    ) -> ForkedProcess:
        """Runs the command with these arguments, directory, environment, streams and ignored signals."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(self.address)
        numbers = " ".join(str(int(number)) for number in ignored)
        told = [str(cwd), numbers, str(len(argv)), *argv, *(f"{name}={value}" for name, value in env.items())]
        with open(os.devnull) as nothing:
            request = os.fsencode(_SEPARATOR.join(told))
            socket.send_fds(connection, [request], [nothing.fileno(), stdout, stderr])
        return ForkedProcess(connection, int(connection.recv(64)))

    def run(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs the command to its end, as `subprocess.run` does with captured output."""
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            process = self.start(argv, cwd=cwd, env=env, stdout=stdout.fileno(), stderr=stderr.fileno())
            try:
                code = process.wait(timeout)
            finally:
                process.kill()
            for stream in (stdout, stderr):
                stream.seek(0)
            return subprocess.CompletedProcess(list(argv), code, stdout.read(), stderr.read())


@cache
def rocky_local() -> ForkServer:
    """The embedded engine."""
    used = ["duckdb", "sqlglot.dialects.duckdb", "glob", "_strptime"]
    return ForkServer("rocky-local", "rocky_local.cli:main", ["rocky_local.*", *used])


@cache
def dg() -> ForkServer:
    """Dagster's command line."""
    used = ["dagster._cli", "dagster._core.definitions.antlr_asset_selection.antlr_asset_selection"]
    used += [
        "dagster._core.workspace.autodiscovery",
        "dagster_rocky.results.*",
        "jinja2",
        "tomlkit",
        "_strptime",
    ]
    return ForkServer("dg", "dagster_dg_cli.cli:main", ["support.preloaded_dg", *used])


@cache
def cancelled_step() -> ForkServer:
    """A step in a process of its own (`support.cancel_driver`)."""
    used = ["dagster_rocky.results.*", "dagster._core.execution.execute_in_process"]
    return ForkServer("cancelled-step", "support.cancel_driver:main", ["support.cancel_driver", *used])


def share() -> None:
    """The processes that this one starts from now on ask its servers and make none of their own."""
    for server in (rocky_local(), dg(), cancelled_step()):
        os.environ[server.variable] = str(server.folder)


class _Server:
    """The process that forks."""

    def __init__(
        self, listening: socket.socket, ends_with: int, command: str, main: Callable[[], int | None]
    ) -> None:
        self._listening, self._ends_with, self._command, self._main = listening, ends_with, command, main
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ, self._begin)
        self._selector.register(ends_with, selectors.EVENT_READ, self._stop)
        self._running: dict[int, tuple[socket.socket, int]] = {}

    def serve(self) -> None:
        """Forks a command for each connection, until the process that started the server is gone."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj in self._selector.get_map():
                    key.data()

    def _begin(self) -> None:
        connection, _ = self._listening.accept()
        request, fds, _, _ = socket.recv_fds(connection, _LARGEST, 3)
        if len(fds) < 3:
            connection.close()
            return
        streams = array.array("i", fds)
        pid = os.fork()
        if pid == 0:
            os.setsid()
            _become(self._command, self._main, os.fsdecode(request).split(_SEPARATOR), streams)
        for number in streams:
            os.close(number)
        watched = os.pidfd_open(pid)
        self._running[pid] = (connection, watched)
        self._selector.register(watched, selectors.EVENT_READ, lambda: self._ended(pid))
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._left(pid))
        with contextlib.suppress(OSError):
            connection.send(str(pid).encode())

    def _ended(self, pid: int) -> None:
        connection, watched = self._running.pop(pid)
        for known in (watched, connection):
            with contextlib.suppress(KeyError):
                self._selector.unregister(known)
        os.close(watched)
        _, status = os.waitpid(pid, 0)
        with connection, contextlib.suppress(OSError):
            connection.send(str(os.waitstatus_to_exitcode(status)).encode())

    def _left(self, pid: int) -> None:
        self._selector.unregister(self._running[pid][0])
        os.killpg(pid, signal.SIGKILL)

    def _stop(self) -> None:
        for pid in self._running:
            os.killpg(pid, signal.SIGKILL)
        sys.exit()


def _become(
    command: str, main: Callable[[], int | None], request: Sequence[str], streams: Sequence[int]
) -> None:
    """Turns the forked process into the command, and ends with it as an interpreter would."""
    cwd, ignored, count, *words = request
    argv, env = words[: int(count)], words[int(count) :]
    for number in map(int, ignored.split()):
        signal.signal(number, signal.SIG_IGN)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 256)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(entry.split("=", 1) for entry in env)
    time.tzset()
    tempfile.tempdir = None
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = [command, *argv]
    code: int | None = 0
    try:
        code = main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                code = 120
        os._exit(code or 0)


def _load(name: str) -> None:
    """Imports a module, or a package with all that is in it."""
    package = import_module(name.removesuffix(".*"))
    if name.endswith(".*"):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(found.name)


def main() -> None:
    """Runs a server: the listening socket, the pipe that ends it, the command, its function, what to import."""
    listening, ends_with, command, entry, *preload = sys.argv[1:]
    sys.path.remove(str(Path(__file__).parent))
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    for name in preload:
        _load(name)
    module, _, function = entry.partition(":")
    gc.collect()
    gc.freeze()
    _Server(
        socket.socket(fileno=int(listening)),
        int(ends_with),
        command,
        getattr(import_module(module), function),
    ).serve()


if __name__ == "__main__":
    main()
