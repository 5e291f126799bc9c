"""Shell hooks: commands of the project that are told about each table that was materialized."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from rocky_local import tracing

_LOG = tracing.Log("rocky_core::hooks")
DEFAULT_TIMEOUT_MS = 30_000
_SHOWN_BYTES = 2_000


def after_materialize(raw: dict[str, Any], **payload: Any) -> None:
    """Call every `[[hook.on_after_materialize]]` of a project with one JSON object on its stdin.

    A hook that fails or takes too long costs a warning, never the run.

    Args:
        raw: The whole configuration as written.
        payload: What the hooks are told: run_id, pipeline, table, duration_ms.
    """
    hooks = raw.get("hook", raw.get("hooks", {})).get("on_after_materialize", [])
    text = json.dumps({"event": "on_after_materialize", **payload}).encode() + b"\n"
    for hook in [hooks] if isinstance(hooks, dict) else hooks:
        problem = _call(hook.get("command", ""), hook.get("timeout_ms", DEFAULT_TIMEOUT_MS) / 1000, text)
        if problem:
            _LOG.warn(
                "hook failed — the run goes on", command=hook.get("command"), error=tracing.Display(problem)
            )


def _call(command: str, seconds: float, payload: bytes) -> str | None:
    """Run one hook and return what went wrong, or None."""
    # The payload is in the pipe before the hook starts: one that does not read it cannot end the run by SIGPIPE.
    stdin, writer = os.pipe()
    os.write(writer, payload)
    os.close(writer)
    # A hook stays in the process group of the run, so that whoever ends that group ends the hook, too.
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(command, shell=True, stdin=stdin, stdout=subprocess.DEVNULL, stderr=stderr)
        os.close(stdin)
        try:
            code = _wait(process, seconds)
        except subprocess.TimeoutExpired:
            _end(process.pid)
            process.wait()
            return f"took longer than {seconds:g} s and was stopped"
        stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - _SHOWN_BYTES))
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


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int:
    """Wait for the end of a process; where the system can tell of it, without the pauses of `Popen.wait`."""
    try:
        handle = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        return process.wait(seconds)
    try:
        select.select([handle], [], [], seconds)
    finally:
        os.close(handle)
    return process.wait(0)
