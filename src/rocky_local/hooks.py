"""Shell hooks: commands of the project that are told about each table that was materialized."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

from rocky_local import tracing

_TARGET = "rocky_core::hooks"
DEFAULT_TIMEOUT_SECONDS = 30.0


class Hooks:
    """The `[[hook.<event>]]` commands of a project.

    A hook gets one JSON object on its stdin. One that fails or takes too long costs a warning, never the run.

    Args:
        raw: The whole configuration as written.
    """

    def __init__(self, raw: dict[str, Any]) -> None:
        table = raw.get("hook", raw.get("hooks", {}))
        entries = table.get("on_after_materialize", []) if isinstance(table, dict) else []
        self._after_materialize: list[dict[str, Any]] = (
            [entries] if isinstance(entries, dict) else list(entries)
        )

    def after_materialize(self, run_id: str, pipeline: str | None, table: str, duration_ms: int) -> None:
        """Tell the hooks that a table is complete.

        Args:
            run_id: The run that made it.
            pipeline: The pipeline of the run; None for a single model.
            table: The full target, `catalog.schema.table`.
            duration_ms: How long it took.
        """
        for hook in self._after_materialize:
            payload = {
                "event": "on_after_materialize",
                "run_id": run_id,
                "pipeline": pipeline,
                "table": table,
                "duration_ms": duration_ms,
            }
            _call(hook, json.dumps(payload).encode() + b"\n")


def _call(hook: dict[str, Any], payload: bytes) -> None:
    command = hook.get("command", "")
    seconds = hook["timeout_ms"] / 1000 if "timeout_ms" in hook else DEFAULT_TIMEOUT_SECONDS
    # The payload is in the pipe before the hook starts: one that does not read it cannot end the run by SIGPIPE.
    stdin, writer = os.pipe()
    os.write(writer, payload)
    os.close(writer)
    process = subprocess.Popen(
        command,
        shell=True,
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    os.close(stdin)
    try:
        _, complaint = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        _warn(command, f"took longer than {seconds:g} s and was stopped")
        return
    if process.returncode:
        last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        _warn(command, f"exit code {process.returncode}" + (f": {last}" if last else ""))


def _warn(command: str, reason: str) -> None:
    tracing.warn(_TARGET, "hook failed — the run goes on", command=command, error=tracing.Display(reason))
