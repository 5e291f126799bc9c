"""Which lines of a TOML text hold one value, and how is it replaced without touching any other?"""

import json
import re
import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_VARIABLE = re.compile(r"\$\{[^}]*\}")
Keys = tuple[str, ...]


class CannotEdit(Exception):
    """The text is written in a way that cannot be edited by lines; the message says what was sought."""


@dataclass(frozen=True)
class _Statement:
    """Some lines: a table's header, or one value below it."""

    start: int
    end: int
    keys: Keys
    is_header: bool


def parse(text: str) -> dict[str, Any]:
    """A document with its `${VAR}`s as they stand.

    Raises:
        tomllib.TOMLDecodeError: When it is no TOML.
    """
    # In a string any text would do; bare, only a value is TOML.
    return tomllib.loads(_VARIABLE.sub("0", text.removeprefix("\ufeff")))


def set_value(text: str, places: Collection[Keys], value: str | Sequence[str]) -> str:
    r"""Replaces one value, or adds it below its table's header; every other byte stays.

    Args:
        text: The document, with or without a byte order mark.
        places: The paths of keys under which the value may stand; all mean the same.
        value: What to write.

    Returns:
        The edited document.

    Raises:
        CannotEdit: When the document cannot be read, the value is not there and neither is its table, or something else
            would change with it.

    Example:
        ```python
        set_value('[pipeline.p]\nmodels = "m/**" # ours\n', {("pipeline", "p", "models")}, "sel/**")
        # '[pipeline.p]\nmodels = "sel/**"\n'
        ```
    """
    try:
        before = parse(text)
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        lines = text.removeprefix(mark).splitlines(keepends=True)
        found = list(_statements(lines))
    except tomllib.TOMLDecodeError as error:
        raise CannotEdit(f"it is no TOML: {error}") from error
    end = "\r\n" if any(line.endswith("\r\n") for line in lines) else "\n"
    for place in places:
        edited = _edited(lines, found, place, json.dumps(value, ensure_ascii=False), end)
        if edited is None:
            continue
        whole = mark + "".join(edited)
        try:
            if parse(whole) == _with(before, place, value):
                return whole
        except tomllib.TOMLDecodeError:
            continue
    wanted = " or ".join(sorted(".".join(place) for place in places))
    raise CannotEdit(f"no line could be found that holds {wanted} and nothing else")


def _edited(
    lines: Sequence[str], found: Sequence[_Statement], place: Keys, value: str, end: str
) -> list[str] | None:
    for statement in found:
        if statement.keys == place and not statement.is_header:
            indent = re.match(r"\s*", lines[statement.start])
            key = lines[statement.start].split("=", 1)[0].strip()
            line = f"{indent.group() if indent else ''}{key} = {value}{end}"
            return [*lines[: statement.start], line, *lines[statement.end :]]
    line = f"{place[-1]} = {value}{end}"
    if len(place) == 1:
        return [line, *lines]
    for statement in found:
        if statement.keys == place[:-1] and statement.is_header:
            head = [*lines[: statement.end]]
            if not head[-1].endswith("\n"):
                head[-1] += end
            return [*head, line, *lines[statement.end :]]
    return None


def _statements(lines: Sequence[str]) -> Iterator[_Statement]:
    """The document in its statements; comments and empty lines are between them."""
    table: Keys = ()
    start = 0
    while start < len(lines):
        stripped = lines[start].strip()
        if not stripped or stripped.startswith("#"):
            start += 1
            continue
        end = start + 1
        while True:
            try:
                parsed = parse("".join(lines[start:end]))
                break
            except tomllib.TOMLDecodeError:
                end += 1
                if end > len(lines):
                    raise
        is_header = stripped.startswith("[")
        if is_header:
            table = _keys(parsed)
        yield _Statement(start, end, table if is_header else (*table, *_keys(parsed)), is_header)
        start = end


def _keys(parsed: dict[str, Any]) -> Keys:
    """The path to the one value of a statement; a table written in one line is a value of its own."""
    keys: list[str] = []
    inner: Any = parsed
    while isinstance(inner, dict) and len(inner) == 1:
        name = next(iter(inner))
        keys.append(name)
        inner = inner[name]
    return tuple(keys)


def _with(document: dict[str, Any], place: Keys, value: str | Sequence[str]) -> dict[str, Any]:
    first, *rest = place
    if not rest:
        return {**document, first: value if isinstance(value, str) else list(value)}
    inner = document.get(first)
    return {**document, first: _with(inner if isinstance(inner, dict) else {}, tuple(rest), value)}
