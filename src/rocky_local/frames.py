"""Framed reports of configuration problems, for people who asked for the table form."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rocky_local.errors import ConfigError

_WIDTH = 80
_FRAME = 6
_SYNTAX_HELP = (
    "Check the TOML syntax — common mistakes include missing quotes around strings, "
    "unclosed brackets, or duplicate keys"
)
_MISSING_HELP = (
    "Run `rocky init` to create a new project, or use `--config <path>` to specify a config file.\n"
    "Run `rocky playground` to try Rocky with a sample DuckDB project."
)


def config_report(error: ConfigError) -> str:
    """Return the report of a configuration error with its place in the file and what to do."""
    if not error.causes[1:]:
        guidance = _MISSING_HELP if error.reason.startswith("No rocky.toml") else None
        return "\n".join([*_framed(error.reason), *_help(guidance), ""])
    lines = _framed(f"invalid TOML syntax: {error.causes[1]}")
    if error.syntax:
        lines += _excerpt(error.path, *error.syntax)
    return "\n".join([*lines, *_help(_SYNTAX_HELP), ""])


def _framed(text: str) -> list[str]:
    first, *rest = (
        piece
        for line in text.split("\n")
        for piece in (textwrap.wrap(line, _WIDTH - _FRAME, drop_whitespace=False) or [""])
    )
    return [
        f"  \N{MULTIPLICATION SIGN} {first}",
        *(f"  │ {line}".rstrip(" ") if line else "  │ " for line in rest),
    ]


def _help(text: str | None) -> list[str]:
    if text is None:
        return []
    wrapped = [piece for line in text.split("\n") for piece in textwrap.wrap(line, _WIDTH - 8)]
    return [f"  help: {wrapped[0]}", *(f"        {line}" for line in wrapped[1:])]


def _excerpt(path: str, line: int, column: int) -> list[str]:
    source = Path(path).read_text(encoding="utf-8").split("\n")
    shown = [f"   ╭─[{path}:{line}:{column}]"]
    for number in range(max(1, line - 1), min(len(source), line + 1) + 1):
        shown.append(f" {number} │ {source[number - 1]}")
        if number == line:
            shown += [f"   · {' ' * (column - 1)}▲", f"   · {' ' * (column - 1)}╰── parse error here"]
    return [*shown, "   ╰────"]
