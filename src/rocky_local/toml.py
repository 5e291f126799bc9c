"""TOML text to tables, with errors that point at the line the way the real engine does."""

from __future__ import annotations

import re
import tomllib
from typing import Any

_POSITION = re.compile(
    r"^(?P<reason>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$", re.S
)
_REASONS = {
    "Illegal character '\\n'": 'invalid basic string, expected `"`',
    "Invalid value": "string values must be quoted, expected literal string",
}


class TomlError(Exception):
    """Text that is not what it should be.

    Attributes:
        line: 1-based line of the problem.
        column: 1-based column of the problem.
    """

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def parse(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text.

    Raises:
        TomlError: The text is not TOML. The message ends with a newline.

    Example:
        >>> parse('a = 1')
        {'a': 1}
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _POSITION.match(str(error))
        reason = found["reason"] if found else str(error)
        lines = text.split("\n")
        line = int(found["line"]) if found and found["line"] else len(lines)
        column = int(found["column"]) if found and found["column"] else len(lines[-1]) + 1
        raise pointed(text, line, column, 1, _REASONS.get(reason, reason)) from error


def pointed(text: str, line: int, column: int, width: int, reason: str) -> TomlError:
    """Return an error that shows the line and underlines `width` characters of it."""
    source = text.split("\n")[line - 1]
    gutter = " " * len(str(line))
    message = (
        f"TOML parse error at line {line}, column {column}\n"
        f"{gutter} |\n{line} | {source}\n{gutter} | {' ' * (column - 1)}{'^' * width}\n{reason}\n"
    )
    return TomlError(message, line, column)


def unknown_variant(text: str, table: str, key: str, value: str, allowed: tuple[str, ...]) -> TomlError:
    """Return the error for a value that is none of the allowed ones, pointing at it."""
    reason = f"unknown variant `{value}`, expected one of {_listed(allowed)}"
    inside = not table
    for number, content in enumerate(text.split("\n"), start=1):
        if content.strip().startswith("["):
            inside = content.strip() == f"[{table}]"
        found = re.match(rf"\s*{re.escape(key)}\s*=\s*(?P<value>\S.*?)\s*$", content)
        if inside and found:
            return pointed(text, number, found.start("value") + 1, len(found["value"]), reason)
    return TomlError(f"{reason}\n", 1, 1)


def unknown_field(field: str, allowed: tuple[str, ...]) -> TomlError:
    """Return the error for a key that does not belong where it is."""
    if not allowed:
        return TomlError(f"unknown field `{field}`, there are no fields\n", 0, 0)
    expected = f"`{allowed[0]}`" if len(allowed) == 1 else f"one of {_listed(allowed)}"
    return TomlError(f"unknown field `{field}`, expected {expected}\n", 0, 0)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
