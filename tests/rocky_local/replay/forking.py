"""A server that has the embedded engine imported already and forks a process of its own for each command.

Each command is as real a process as one that is started anew: it has its own process id, streams, working directory,
environment and signals, and ends by an exit code or a signal. Only the imports are not repeated.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

_LARGEST = 1 << 20


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
        if self.returncode is None:
            self._connection.setblocking(False)
            try:
                self._read()
            except BlockingIOError:
                pass
            finally:
                if self.returncode is None:
                    self._connection.setblocking(True)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end.

        Raises:
            subprocess.TimeoutExpired: When it takes longer.
        """
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self._read()
            except TimeoutError as error:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0) from error
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
    """Starts the server; its commands are started with `start`, and it ends with the last of them."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def start(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdout: int, stderr: int
    ) -> ForkedProcess:
        """Runs `rocky-local` with these arguments, directory, environment and streams."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            request = json.dumps({"argv": list(argv), "cwd": str(cwd), "env": dict(env)}).encode()
            socket.send_fds(self._control, [request], [stdout, stderr, theirs.fileno()])
        return ForkedProcess(mine, int(mine.recv(64)))

    def close(self) -> None:
        """Ends the server and waits for it."""
        self._control.close()
        self._server.wait()


def serve(control: socket.socket) -> None:
    """Forks a command for each request, until the other side is closed."""
    from rocky_local import args, cli

    for command in args.COMMANDS:
        import_module(f"rocky_local.commands.{command.replace('-', '_')}")
    import_module("sqlglot")

    running: dict[int, socket.socket] = {}

    def tell_ended(*_: object) -> None:
        for pid in list(running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                with running.pop(pid) as teller:
                    teller.send(str(os.waitstatus_to_exitcode(status)).encode())

    signal.signal(signal.SIGCHLD, tell_ended)
    while True:
        request, fds, _, _ = socket.recv_fds(control, _LARGEST, 3)
        if not request:
            return
        stdout, stderr, teller_fd = array.array("i", fds)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            _become(cli.main, json.loads(request), stdout, stderr)
        teller = socket.socket(fileno=teller_fd)
        running[pid] = teller
        teller.send(str(pid).encode())
        os.close(stdout)
        os.close(stderr)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _become(main: object, request: dict[str, object], stdout: int, stderr: int) -> None:
    """Turns the forked process into the command, and ends with it as an interpreter would."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.closerange(3, 256)
    os.chdir(str(request["cwd"]))
    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[call-overload]
    sys.argv = ["rocky-local", *request["argv"]]  # type: ignore[misc]
    code = 0
    try:
        code = main()  # type: ignore[operator]
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


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
