"""Results on stdout: one JSON object with two spaces of indentation, or the human text."""

from __future__ import annotations

import json
import os
from typing import Any

from rocky_local import __version__
from rocky_local.errors import EngineError


def head(command: str) -> dict[str, Any]:
    """Return the two keys that open almost every result.

    Example:
        >>> head("run")["command"]
        'run'
    """
    return {"version": __version__, "command": command}


def print_json(result: dict[str, Any]) -> None:
    """Write a result to stdout."""
    write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")


def print_text(text: str) -> None:
    """Write a line of human output to stdout."""
    write(f"{text}\n")


def write(text: str) -> None:
    """Write text to stdout at once; a reader that has gone away ends the process by SIGPIPE.

    Raises:
        EngineError: Stdout cannot be written to, for instance because the disk is full.
    """
    data = text.encode()
    while data:
        try:
            data = data[os.write(1, data) :]
        except OSError as error:
            reason = f"{error.strerror} (os error {error.errno})"
            raise EngineError("failed to write the result to stdout", reason) from error
