r"""Live news from the project's own hooks: JSON objects that a hook appends to a file while the engine runs.

`rocky.toml` can name shell commands that the engine calls after each finished table, with JSON on their stdin
(`event`, `run_id`, `pipeline`, `table`, `duration_ms`). A command that appends its stdin to the file named by
`HOOK_FILE_ENV`, and does nothing without it, makes every mode live:

```toml
[[hook.on_after_materialize]]
command = '''
event="$(cat)"
if [ -n "$DAGSTER_ROCKY_HOOK_FILE" ]; then printf "%s\n" "$event" >> "$DAGSTER_ROCKY_HOOK_FILE"; fi'''
```

It always reads its stdin, since an engine may die of writing to a hook that does not.
"""

import json
import os
from collections.abc import Generator, Iterator
from pathlib import Path

from dagster_rocky.engine.logs.tail import FileTail
from dagster_rocky.engine.news.events import Built

HOOK_FILE_ENV = "DAGSTER_ROCKY_HOOK_FILE"
_FINISHED = ("on_after_materialize", "after_materialize")


class HookReader:
    """Follows the file that the hooks append to.

    Args:
        path: The file; it exists.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY)
        self._tail = FileTail(self._fd)
        self._begun = ""

    def read(self) -> Iterator[Built]:
        """What was finished since the last call; lines that are no such news are passed over."""
        for lines in self._tail.drain():
            for line in lines:
                # Only the first line of an object that is laid out over several begins with a brace.
                self._begun = yield from _parse(line if line.startswith("{") else f"{self._begun}\n{line}")

    def close(self) -> None:
        """Gives the file back."""
        os.close(self._fd)


def _parse(text: str) -> Generator[Built, None, str]:
    """The news in some text, which two hooks that ran at once may have written; returns what is not whole yet."""
    decoder = json.JSONDecoder()
    rest = text.strip()
    while rest.startswith("{"):
        try:
            record, end = decoder.raw_decode(rest)
        except ValueError:
            return rest
        rest = rest[end:].strip()
        event = str(record.get("event", ""))
        table = record.get("table")
        if event not in _FINISHED or not isinstance(table, str) or not table:
            continue
        duration = record.get("duration_ms")
        run_id = record.get("run_id")
        yield Built(
            source="hook",
            name=table,
            duration_ms=int(duration) if isinstance(duration, int | float) else None,
            run_id=run_id if isinstance(run_id, str) else None,
            partition=record.get("partition") if isinstance(record.get("partition"), str) else None,
        )
    return ""
