"""TOML text to tables, with errors that point at the line the way the real engine does."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_HEADER = re.compile(r"^\s*(?P<shown>\[\[?\s*(?P<name>[^\]]+?)\s*\]\]?)")
_PAIR = re.compile(r"""^\s*(?P<name>[\w.'"-]+)\s*=\s*(?P<shown>"[^"]*"|'[^']*'|[^#]*?)\s*(?:#.*)?$""")
# What Python says of a text without its closing quote, and what the engine does.
_UNTERMINATED = re.compile(r"Illegal character '\\n'|Unterminated string")


class TomlError(Exception):
    """Text that is not what it should be, at a 1-based line and column; line 0 is nowhere in particular."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def read(path: Path) -> str:
    """Return the text of a file."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TomlError("stream did not contain valid UTF-8\n") from error


def parse(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, _, at = str(error).rpartition(" (at ")
        lines, numbers = text.split("\n"), re.findall(r"\d+", at)
        # There are none at the end of the document.
        line, column = map(int, numbers or (len(lines), len(lines[-1]) + 1))
        if _UNTERMINATED.match(reason):
            reason = 'invalid basic string, expected `"`'
        raise _pointed(text, line, column, 1, reason) from error


def misplaced(reason: str, place: tuple[str | int, ...], text: str | None = None) -> TomlError:
    """Return the error for a value that does not belong where it is, with its line in the text if it has one."""
    for number, here, found in _entries(text or ""):
        if here == list(place):
            return _pointed(str(text), number, found.start("shown") + 1, len(found["shown"]), reason)
    where = f"in `{'.'.join(map(str, place))}`\n" if place else ""
    return TomlError(f"{reason}\n{where}")


def line_of(place: tuple[str, ...], text: str) -> int:
    r"""Return the 1-based line of a value or table, or else of what it is in; 1 when it has none of its own.

    Example:
        >>> line_of(("a", "b", "c"), "x = 1\n[a.b]\nd = 2")
        2
    """
    lines = {tuple(here): number for number, here, _ in reversed([*_entries(text)])}
    return next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), 1)


def _entries(text: str) -> Iterator[tuple[int, list[str | int], re.Match[str]]]:
    """Yield the line, the place and the match of every header and every `name = value`."""
    section: list[str | int] = []
    entries: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            section = [*header["name"].split(".")]
            if header["shown"].startswith("[["):
                entries[header["name"]] = entries.get(header["name"], -1) + 1
                section.append(entries[header["name"]])
        pair = _PAIR.match(line)
        if found := header or pair:
            yield number, [*section, *pair["name"].split(".")] if pair else section, found


def unknown(what: str, name: str, allowed: list[str]) -> str:
    """Return the sentence for a name that is none of those which are allowed."""
    names = [f"`{known}`" for known in allowed]
    expected = " or ".join(names) if len(names) < 3 else f"one of {', '.join(names)}"
    return f"unknown {what} `{name}`, expected {expected}"


def _pointed(text: str, line: int, column: int, width: int, reason: str) -> TomlError:
    """Return an error that shows the line and underlines `width` characters of it."""
    gutter, shown = " " * len(str(line)), text.split("\n")[line - 1]
    message = (
        f"TOML parse error at line {line}, column {column}\n"
        f"{gutter} |\n{line} | {shown}\n{gutter} | {' ' * (column - 1)}{'^' * width}\n{reason}\n"
    )
    return TomlError(message, line, column)
