"""A stand-in engine that gives made-up answers, one after the other: a shell script, so that it starts in no time."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from support.engine_results import RUN_ID
from support.engine_truth import EngineAnswer

SCRIPT = """#!/bin/sh
cd {folder} || exit 99
case " $* " in
  *" --version "*) echo "rocky 1.71.0"; exit 0 ;;
  *" compile "*) cat compile; exit 0 ;;
esac
printf '%s\\n' "$*" >> calls
n=$(grep -c '' calls)
[ -d "$n" ] || {{ echo "Error: there is no answer to call $n" >&2; exit 98; }}
if [ -n "$DAGSTER_ROCKY_HOOK_FILE" ]; then cat "$n/hooks" >> "$DAGSTER_ROCKY_HOOK_FILE"; fi
if [ -n "$DAGSTER_PIPES_MESSAGES" ]; then
  path=$(printf %s "$DAGSTER_PIPES_MESSAGES" | base64 -d | sed -n 's/.*"path": *"\\([^"]*\\)".*/\\1/p')
  cat "$n/pipes" >> "$path"
fi
cat "$n/stderr" >&2
cat "$n/stdout"
. "./$n/end"
"""


class ScriptedEngine:
    """The folder of a stand-in engine.

    Args:
        folder: An empty folder that is the engine's alone.
        answers: What it does at its first start, its second, and so on; `--version` and `compile` do not count.
        compiled: What `compile` prints.
    """

    def __init__(
        self, folder: Path, answers: Sequence[EngineAnswer], compiled: dict[str, object] | None = None
    ) -> None:
        self._folder = folder
        self.binary = folder / "rocky"
        self.binary.write_text(SCRIPT.format(folder=shlex.quote(str(folder))))
        self.binary.chmod(0o755)
        (folder / "compile").write_text(
            json.dumps({"command": "compile", "models_detail": [], **(compiled or {})})
        )
        for number, answer in enumerate(answers, start=1):
            self._write(folder / str(number), answer)

    def _write(self, folder: Path, answer: EngineAnswer) -> None:
        folder.mkdir()
        (folder / "stdout").write_text(answer.stdout, encoding="utf-8")
        (folder / "stderr").write_text(answer.stderr, encoding="utf-8")
        (folder / "hooks").write_text("".join(_hook(asset.target or "") for asset in answer.live))
        keys = ["/".join(asset.engine_key) for asset in answer.live]
        (folder / "pipes").write_text("".join(_message(key) for key in keys))
        end = (
            f"exit {answer.exit_code}" if answer.exit_code >= 0 else f"kill -{-answer.exit_code} $$; sleep 60"
        )
        (folder / "end").write_text(end + "\n")

    def calls(self) -> list[str]:
        """The command lines so far."""
        path = self._folder / "calls"
        return path.read_text().splitlines() if path.exists() else []


def _hook(target: str) -> str:
    """What the engine hands to a hook: one object over several lines (contract, section 17)."""
    event = {
        "event": "after_materialize",
        "run_id": RUN_ID,
        "pipeline": "p",
        "timestamp": "2026-11-26T08:01:04.874902837Z",
        "table": target,
        "duration_ms": 5,
        "metadata": {},
    }
    return json.dumps(event, indent=2) + "\n"


def _message(key: str) -> str:
    """A line of the engine's Pipes dialect (contract, section 12)."""
    metadata = {"duration_ms": 5, "strategy": "full_refresh"}
    params = {"asset_key": key, "data_version": None, "metadata": metadata}
    message = {"__dagster_pipes_version": "0.1", "method": "report_asset_materialization", "params": params}
    return json.dumps(message, separators=(",", ":")) + "\n"
