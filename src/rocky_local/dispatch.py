"""What was asked for, the module that answers it, and what is said of an error."""

import os
import signal
from importlib import import_module
from pathlib import Path

from rocky_local import args, tracing
from rocky_local.errors import ConfigError, EngineError, UsageError
from rocky_local.output import Answer

_WIDTH = 74
_SYNTAX_HELP = (
    "Check the TOML syntax — common mistakes include missing quotes around strings, "
    "unclosed brackets, or duplicate keys"
)
_MISSING_HELP = (
    "Run `rocky init` to create a new project, or use `--config <path>` to specify a config file.\n"
    "Run `rocky playground` to try Rocky with a sample DuckDB project."
)


def dispatch(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    as_json = True
    try:
        _refuse_undecodable(arguments)
        parsed = args.parse(arguments)
        as_json = parsed.json
        tracing.configure(as_json=as_json)
        if not (parsed.has("state-path") or parsed.has("state-namespace")):
            args.warn_of_legacy_place()
        name = parsed.command.replace("-", "_")
        module = import_module(f"rocky_local.commands.{args.COMMANDS[parsed.command].module or name}")
        answer: Answer = getattr(module, f"answer_{name}")(parsed)
        code = answer.give(as_json=as_json)
        # The interpreter drops its handlers when it ends; a signal then would belie what was just printed.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        return code
    except (EngineError, ModuleNotFoundError, OSError) as error:
        tracing.plain(_report(error, as_json=as_json))
        return 2 if isinstance(error, UsageError) else 1


def _refuse_undecodable(arguments: list[str]) -> None:
    """Refuse paths and arguments that no output could name."""
    for text in (os.getcwd(), *arguments):
        shown = text.encode(errors="replace").decode()
        if shown != text:
            raise EngineError(f"'{shown}' is not UTF-8: rename it, so that results and logs can name it")


def _report(error: EngineError | ModuleNotFoundError | OSError, *, as_json: bool) -> str:
    if isinstance(error, ModuleNotFoundError):
        needed = f"rocky-local needs `{error.name}`, which is not installed"
        return f"Error: {needed}: install this package with its extra `local`"
    if isinstance(error, OSError):
        place = f"'{error.filename}': " if error.filename else ""
        return f"Error: {place}{error.strerror or error} (os error {error.errno})"
    if isinstance(error, ConfigError) and not as_json:
        return _framed(error)
    place = f"\n  at {error.place}" if error.place and not as_json else ""
    return error.report() + place


def _framed(error: ConfigError) -> str:
    """The report of a configuration error for people: its place in the file and what to do (contract, 9.3)."""
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
    from textwrap import TextWrapper  # noqa: PLC0415

    wrap = TextWrapper(width, drop_whitespace=False).wrap
    return [piece.rstrip(" ") for line in text.split("\n") for piece in wrap(line) or [""]]


def _excerpt(path: str, line: int, column: int) -> list[str]:
    source = Path(path).read_text(encoding="utf-8").split("\n")
    shown = [f"   ╭─[{path}:{line}:{column}]"]
    for number in range(max(1, line - 1), min(len(source), line + 1) + 1):
        shown.append(f" {number} │ {source[number - 1]}")
        if number == line:
            shown += [f"   · {' ' * (column - 1)}▲", f"   · {' ' * (column - 1)}╰── parse error here"]
    return [*shown, "   ╰────"]
