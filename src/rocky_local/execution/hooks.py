"""Shell hooks: commands of the project that are told what a replication does, as it happens (contract, 17)."""

import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from rocky_local import clock, tracing
from rocky_local.errors import EngineError
from rocky_local.project.config import Hook

_LOG = tracing.Log("rocky_core::hooks")


class Hooks:
    """The hooks that one run of a pipeline calls, as they are written in the configuration."""

    def __init__(self, table: dict[str, tuple[Hook, ...]], run_id: str, pipeline: str) -> None:
        self.table = table
        self._origin = {"run_id": run_id, "pipeline": pipeline}

    def call(self, event: str, metadata: dict[str, Any] | None = None, **facts: Any) -> None:
        """Tell every hook of an event, one after another; one that fails warns, or does what its `on_failure` says."""
        now = clock.rfc3339(clock.now_ns())
        told = {"event": event, **self._origin, "timestamp": now, **facts, "metadata": metadata or {}}
        text = json.dumps(told, indent=2, ensure_ascii=False).encode(errors="replace")
        for hook in self.table.get(f"on_{event}", ()):
            named = {"event": f"on_{event}", "command": hook.command}
            problem = _call(hook.command, hook.timeout_ms / 1000, text)
            if problem is None:
                _LOG.info("hook completed successfully", **named)
            elif hook.on_failure == "abort":
                raise EngineError(f"hook '{hook.command}' of on_{event} failed and ends the run", problem)
            elif hook.on_failure != "ignore":
                _LOG.warn("hook failed — the run goes on", **named, error=problem)


def _call(command: str, seconds: float, payload: bytes) -> str | None:
    """Run one hook and return what went wrong, or None."""
    import subprocess  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    # A hook stays in the process group of the run, so that whoever ends that group ends the hook, too.
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
        # The whole payload is there before the hook starts: one that does not read it cannot hold up or end the run.
        stdin.write(payload)
        stdin.seek(0)
        process = subprocess.Popen(command, shell=True, stdin=stdin, stdout=subprocess.DEVNULL, stderr=stderr)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            _end(process.pid)
            process.wait()
            return f"took longer than {seconds:g} s and was stopped"
        stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - 2_000))
        last = stderr.read().decode(errors="replace").strip().rpartition("\n")[2]
    return f"exit code {code}" + (f": {last}" if last else "") if code else None


def _end(pid: int) -> None:
    """Kill a process after all that it has started, as far as the system lists that."""
    with suppress(OSError):
        os.kill(pid, signal.SIGSTOP)  # It starts nothing more meanwhile.
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            _end(int(child))
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
