"""What was asked for, the module that answers it, and what is said of an error."""

import os
import signal
from importlib import import_module

from rocky_local import args, tracing
from rocky_local.errors import ConfigError, EngineError, Unsupported, UsageError
from rocky_local.output import Answer


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
        if parsed.command not in args.COMMANDS:
            raise Unsupported(f"the command '{parsed.command}'")
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
    except UsageError as error:
        tracing.plain(error.report())
        return 2
    except (EngineError, ModuleNotFoundError, OSError) as error:
        tracing.plain(_report(error, as_json=as_json))
        return 1


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
        from rocky_local.project import frames  # noqa: PLC0415

        return frames.config_report(error)
    place = f"\n  at {error.place}" if error.place and not as_json else ""
    return error.report() + place
