"""What a command answers: one JSON object with two spaces of indentation on stdout, or a text for people."""

import json
import os
from typing import Any, NamedTuple

from rocky_local import __version__, tracing
from rocky_local.errors import EngineError


class Answer(NamedTuple):
    """The outcome of one command.

    Attributes:
        result: The object for stdout; empty for a command that prints its text in any form.
        text: The same for people; without one, the entries of the object are listed.
        code: The exit code of the process.
        closing: A last line for stderr, or None.
    """

    result: dict[str, Any]
    text: str | None = None
    code: int = 0
    closing: str | None = None

    def give(self, *, as_json: bool) -> int:
        """Print the answer and return its exit code."""
        if as_json and self.result:
            write(json.dumps(self.result, indent=2, ensure_ascii=False) + "\n")
        elif self.text != "":
            write(f"{_listed(self.result) if self.text is None else self.text}\n")
        if self.closing:
            tracing.plain(self.closing)
        return self.code


def head(command: str) -> dict[str, Any]:
    """Return the two keys that open almost every result.

    Example:
        >>> head("run")["command"]
        'run'
    """
    return {"version": __version__, "command": command}


def write(text: str) -> None:
    """Write text to stdout at once; a reader that has gone away ends the process by SIGPIPE.

    Raises:
        EngineError: Stdout cannot be written to, for instance because the disk is full.
    """
    data = text.encode(errors="replace")
    while data:
        try:
            data = data[os.write(1, data) :]
        except OSError as error:
            reason = f"{error.strerror} (os error {error.errno})"
            raise EngineError("failed to write the result to stdout", reason) from error


def _listed(result: dict[str, Any]) -> str:
    """A line for each value, and one for each entry of a list."""
    lines = []
    for name, value in result.items():
        if isinstance(value, list):
            for entry in value:
                cells = entry.values() if isinstance(entry, dict) else [entry]
                lines.append(" | ".join(map(str, cells)))
        elif name not in ("version", "command"):
            lines.append(f"{name}: {value}")
    return "\n".join(lines) or "nothing found"
