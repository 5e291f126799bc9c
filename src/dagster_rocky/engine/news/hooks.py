r"""What do the project's own hooks report: JSON objects that they append to a file while the engine runs.

`rocky.toml` can name shell commands that the engine calls after each finished table, with JSON on their stdin
(contract, section 17). A command that appends its stdin to the file named by `HOOK_FILE_ENV`, and does nothing
without it, makes every mode live:

```toml
[[hook.on_after_materialize]]
command = '''
event="$(tr -d "\n")"
if [ -n "$DAGSTER_ROCKY_HOOK_FILE" ]; then printf "%s\n" "$event" >> "$DAGSTER_ROCKY_HOOK_FILE"; fi'''
```

It always reads its stdin, since an engine may die of writing to a hook that does not. One event becomes one line,
written at once, so that hooks that run side by side do not mix; a command that only appends is read as well.
"""

import codecs
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dagster_rocky.engine.news.events import Built, Drifted, EngineEvent, Failed

HOOK_FILE_ENV = "DAGSTER_ROCKY_HOOK_FILE"
_CHUNK_BYTES = 256 * 1024
_MAX_EVENT_CHARACTERS = 1024 * 1024
"""An object that is longer is passed over."""
_CUT_CHARACTERS = 6
"""So near to the end of the text a syntax error may be a literal or an escape that is still being written."""
_DECODER = json.JSONDecoder()


class HookReader:
    """Follows the file that the hooks append to.

    Whole JSON objects are taken however they are laid out: over many lines, one a line, several on a line. What is
    torn or no JSON is passed over up to the next object.

    Args:
        path: The file; it exists.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY)
        self._offset = 0
        self._bytes = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._text = ""

    def read(self, *, everything: bool = False) -> Iterator[EngineEvent]:
        """What was reported since the last call.

        Args:
            everything: Whether no hook writes any more, so that an object which is not whole never will be.
        """
        while chunk := os.pread(self._fd, _CHUNK_BYTES, self._offset):
            self._offset += len(chunk)
            self._text += self._bytes.decode(chunk)
            for record in self._objects():
                yield from _event(record)
        if everything:
            for record in self._objects(last=True):
                yield from _event(record)

    def close(self) -> None:
        """Gives the file back."""
        os.close(self._fd)

    def _objects(self, last: bool = False) -> Iterator[dict[str, Any]]:
        text, start = self._text, 0
        while (start := text.find("{", start)) >= 0:
            try:
                record, start = _DECODER.raw_decode(text, start)
            except json.JSONDecodeError as error:
                is_open = error.msg.startswith("Unterminated") or error.pos >= len(text) - _CUT_CHARACTERS
                if is_open and not last and len(text) - start < _MAX_EVENT_CHARACTERS:
                    break
                start += 1
            except RecursionError:
                start += 1
            else:
                if isinstance(record, dict):
                    yield record
        self._text = text[start:] if start >= 0 else ""


def _event(record: Mapping[str, Any]) -> Iterator[EngineEvent]:
    event = str(record.get("event", "")).removeprefix("on_")
    run_id = _text(record, "run_id")
    table, model = _text(record, "table"), _text(record, "model")
    if event in ("after_materialize", "after_model_run") and (name := table or model):
        duration = record.get("duration_ms")
        yield Built(
            source="hook",
            name=name,
            duration_ms=int(duration) if isinstance(duration, int | float) else None,
            run_id=run_id,
            partition=_text(record, "partition"),
        )
    elif event == "materialize_error" and table:
        yield Failed(source="hook", name=table, error=str(record.get("error") or ""), run_id=run_id)
    elif event == "drift_detected" and table:
        yield Drifted(source="hook", table=table, action="", reason="")


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    return value if isinstance(value, str) and value else None
