"""Framed reports of configuration problems, for people who asked for the table form."""

import textwrap
from pathlib import Path

from rocky_local.errors import ConfigError

_WIDTH = 74
_SYNTAX_HELP = (
    "Check the TOML syntax — common mistakes include missing quotes around strings, "
    "unclosed brackets, or duplicate keys"
)
_MISSING_HELP = (
    "Run `rocky init` to create a new project, or use `--config <path>` to specify a config file.\n"
    "Run `rocky playground` to try Rocky with a sample DuckDB project."
)


def config_report(error: ConfigError) -> str:
    """Return the report of a configuration error with its place in the file and what to do (contract, 9.3)."""
    if error.causes[1:]:
        text, guidance = f"invalid TOML syntax: {error.causes[1]}", _SYNTAX_HELP
    else:
        text, guidance = error.reason, _MISSING_HELP if error.reason.startswith("No rocky.toml") else ""
    first, *rest = _wrapped(text, _WIDTH)
    lines = [f"  \N{MULTIPLICATION SIGN} {first}", *(f"  │ {line}" for line in rest)]
    lines += _excerpt(error.path, *error.syntax) if error.syntax else []
    if guidance:
        lines += ["  help: " + "\n        ".join(_wrapped(guidance, _WIDTH - 2))]
    return "\n".join([*lines, ""])


def _wrapped(text: str, width: int) -> list[str]:
    wrap = textwrap.TextWrapper(width, drop_whitespace=False).wrap
    return [piece.rstrip(" ") for line in text.split("\n") for piece in wrap(line) or [""]]


def _excerpt(path: str, line: int, column: int) -> list[str]:
    source = Path(path).read_text(encoding="utf-8").split("\n")
    shown = [f"   ╭─[{path}:{line}:{column}]"]
    for number in range(max(1, line - 1), min(len(source), line + 1) + 1):
        shown.append(f" {number} │ {source[number - 1]}")
        if number == line:
            shown += [f"   · {' ' * (column - 1)}▲", f"   · {' ' * (column - 1)}╰── parse error here"]
    return [*shown, "   ╰────"]
