"""The grammar of the command line, with the errors of the real engine's parser."""

import os
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from rocky_local import tracing
from rocky_local.errors import EngineError, Unsupported, UsageError


class Grammar(NamedTuple):
    """The module of a command, its flags with and without a value, how many other arguments, and the one it needs."""

    module: str = ""
    options: str = ""
    switches: str = ""
    positionals: int = 0
    required: str = ""


_RUN = (
    "--filter --pipeline --models --model --env --partition --from --to --lookback --parallel --shadow-suffix "
    "--shadow-schema --idempotency-key --governance-override --var --branch"
)
_RUN_SWITCHES = "--all --dag --latest --missing --shadow --skip-unchanged --force-rebuild --no-prune --defer"
_MORE, _MORE_SWITCHES = "--resume --contracts --run-id --cache-ttl --defer-to", "--resume-latest --watch"
COMMANDS = {
    "apply": Grammar("run", "--parallel", "", 1, "<PLAN_ID>"),
    "branch": Grammar("past", "", "", 2),
    "ci": Grammar("test", "--models --contracts --var"),
    "compare": Grammar("compare", "--filter --pipeline --models --shadow-suffix --shadow-schema --branch"),
    "compile": Grammar("models", "--models --contracts --model --var --env"),
    "compliance": Grammar("rules", "--env --fail-on --models", "--exceptions-only"),
    "cost": Grammar("past", "", "", 1, "<RUN_ID>"),
    "dag": Grammar("project", "--models --contracts --seeds --env", "--column-lineage"),
    "discover": Grammar("discover", "--pipeline --env", "--with-schemas"),
    "doctor": Grammar("health", "--check"),
    "emit-sql": Grammar("models", "--models --model --var"),
    "estimate": Grammar("models", "--models --model --var"),
    "history": Grammar("past", "--model --since", "--audit --rolling-stats"),
    "lineage": Grammar("models", "--models --column --format", "--downstream --upstream", 1, "<TARGET>"),
    "list": Grammar("project", "--models", "", 2),
    "load": Grammar("run", "--pipeline --source-dir --target --format", "--truncate", 1),
    "metrics": Grammar("past", "", "--trend --alerts", 1, "<MODEL>"),
    "optimize": Grammar("past", "--model --models"),
    "plan": Grammar("run", f"{_RUN} --output-file", _RUN_SWITCHES),
    "retention-status": Grammar("rules", "--model --models --env", "--drift"),
    "run": Grammar("run", f"{_RUN} {_MORE}", f"{_RUN_SWITCHES} {_MORE_SWITCHES}"),
    "seed": Grammar("run", "--pipeline --seeds --filter"),
    "state": Grammar("past"),
    "test": Grammar("test", "--models --contracts --model --var --pipeline", "--declarative"),
    "trace": Grammar("past", "", "", 1, "<RUN_ID>"),
    "validate": Grammar("health", "--models"),
}
_NEEDED = {"--from": "--to", "--to": "--from", "--shadow-suffix": "--shadow", "--shadow-schema": "--shadow"}
_SHORTS = {"-c": "--config", "-o": "--output"}
_GLOBAL = ("--config", "--output", "--state-path", "--state-namespace")
_FORMS = ("json", "table", "md")
_NUMBERS = ("--lookback", "--parallel")
_SELECTIONS = combinations(("--partition", "--latest", "--from", "--missing"), 2)
_EXCLUSIVE = (("--watch", "--dag"), *_SELECTIONS, ("--resume", "--resume-latest"))
# Flags of the real engine that change what a command does, and that only it knows.
LEFT_OUT = ("--watch", "--defer", "--defer-to", "--cache-ttl", "--output-file", "--target", "--truncate")
# A name of its own, so that both engines live in one project; where it lies is the real engine's rule.
STATE_FILE = ".rocky-state.local.sqlite"


class Arguments(NamedTuple):
    """One command line: values by long flag without dashes (True for switches), those of `--var`, the rest."""

    command: str
    values: dict[str, str | bool]
    variables: dict[str, str]
    positionals: list[str]

    @property
    def config(self) -> str:
        """The configuration file."""
        return self.get("config") or "rocky.toml"

    @property
    def models(self) -> str:
        """The models folder of the commands that do not look at the pipelines for it (contract, 1.3)."""
        return self.get("models") or "models"

    @property
    def json(self) -> bool:
        """Whether JSON is wanted; without `-o`, when stdout is no terminal."""
        chosen = self.get("output")
        return chosen == "json" if chosen else not os.isatty(1)

    @property
    def state_file(self) -> Path:
        """Where the state is (contract, 1.4); nothing is made yet."""
        if path := self.get("state-path"):
            return Path(path)
        if namespace := self.get("state-namespace"):
            return Path("models", ".rocky-state", f"{namespace}.local.sqlite")
        beside = Path("models").is_dir() and not Path(STATE_FILE).exists()
        return Path("models", STATE_FILE) if beside else Path(STATE_FILE)

    def get(self, name: str) -> str | None:
        """Return the value of an option, or None."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def has(self, name: str) -> bool:
        """Return whether an option or switch was given."""
        return name in self.values

    def changed(self, **values: str | None) -> "Arguments":
        """Return the same command line with other values; None takes one away."""
        named = {name.replace("_", "-"): value for name, value in values.items()}
        kept = {**self.values, **named}
        return self._replace(values={name: value for name, value in kept.items() if value is not None})


def warn_of_legacy_place() -> None:
    """Log that the state file is beside a models folder and not in it; every command says so."""
    if not (Path(STATE_FILE).exists() and Path("models").is_dir()):
        return
    text = (
        f"using legacy state file `{STATE_FILE}` in the current directory. The canonical location is "
        f"`models/{STATE_FILE}`; move the file there to silence this warning. The CLI will keep honouring the "
        "CWD fallback for now, but it is deprecated and may be removed in a future release."
    )
    if Path("models", STATE_FILE).exists():
        text = (
            f"two Rocky state files detected: `{STATE_FILE}` (CWD, in use) and `models/{STATE_FILE}` (models_dir, "
            "ignored). Merge is lossy — delete one to silence this warning. Run `rocky state` from each to decide "
            "which holds the state you want to keep."
        )
    tracing.Log("rocky::state_path").warn(text)


def parse(argv: list[str]) -> Arguments:
    """Parse the arguments after the program's name; before the command only global options may come."""
    result, grammar, rest = Arguments("", {}, {}, []), Grammar(), [*argv]
    while rest:
        token = rest.pop(0)
        name, equals, inline = token.partition("=")
        name = _SHORTS.get(name, name)
        if name in (*_GLOBAL, *grammar.options.split()):
            _take(result, name, inline if equals else None, rest)
        elif name in grammar.switches.split():
            result.values[name[2:]] = True
        elif token.startswith("-") and token != "-":
            raise _unexpected(result.command, token.partition("=")[0], grammar)
        elif not result.command:
            if token not in COMMANDS:
                raise Unsupported(f"the command '{token}'")
            result, grammar = result._replace(command=token), COMMANDS[token]
        elif len(result.positionals) < grammar.positionals:
            result.positionals.append(token)
        else:
            raise UsageError(f"unexpected argument '{token}' found", _usage(result.command))
    if not result.command:
        raise UsageError("'rocky' requires a subcommand but one was not provided", _usage(""))
    if result.get("output") not in (None, *_FORMS):
        problem = f"invalid value '{result.get('output')}' for '--output <OUTPUT>'"
        raise UsageError(problem, f"  [possible values: {', '.join(_FORMS)}]")
    _check_together(result)
    for flag in LEFT_OUT:
        if result.has(flag[2:]):
            raise Unsupported(f"the flag '{flag}' of '{result.command}'")
    return result


def _take(result: Arguments, name: str, value: str | None, rest: list[str]) -> None:
    key = name[2:]
    if value is None:
        if not rest or rest[0].startswith("--"):
            raise UsageError(f"a value is required for '{_shown(name)}' but none was supplied")
        value = rest.pop(0)
    if name in _NUMBERS and not value.isdecimal():
        raise UsageError(f"invalid value '{value}' for '{_shown(name)}': invalid digit found in string")
    if name == "--var":
        variable, equals, text = value.partition("=")
        if not equals:
            raise EngineError(f"invalid --var '{value}': expected key=value")
        result.variables[variable] = text
    elif key in result.values:
        problem = f"the argument '{_shown(name)}' cannot be used multiple times"
        raise UsageError(problem, _usage(result.command))
    result.values[key] = value


def _check_together(result: Arguments) -> None:
    output = ["--output"] if result.has("output") else []
    for first, second in _EXCLUSIVE:
        if result.has(first[2:]) and result.has(second[2:]):
            problem = f"the argument '{_shown(first)}' cannot be used with '{_shown(second)}'"
            raise UsageError(problem, _usage(result.command, first, *output))
    missing = "the following required arguments were not provided:"
    required = COMMANDS[result.command].required
    for given, wanted in _NEEDED.items() if result.command in ("run", "plan") else ():
        if result.has(given[2:]) and not result.has(wanted[2:]):
            raise UsageError(missing, f"  {_shown(wanted)}", _usage(result.command, given, wanted, *output))
    if required and not result.positionals:
        usage = " ".join(("\nUsage: rocky", result.command, *map(_shown, output), required))
        raise UsageError(missing, f"  {required}", usage)


def _unexpected(command: str, token: str, grammar: Grammar) -> UsageError:
    """Say which flag is meant, if any is near: by the similarity of Jaro, as the real parser does."""
    from rocky_local.adapter import DuckDBAdapter, literal  # noqa: PLC0415

    flags = [*_GLOBAL, *grammar.options.split(), *grammar.switches.split()]
    query = f"SELECT flag FROM (SELECT UNNEST({flags}) AS flag) WHERE jaro_similarity(flag, {literal(token)}) > 0.7"
    with DuckDBAdapter(":memory:") as adapter:
        found = adapter.query(f"{query} ORDER BY jaro_similarity(flag, {literal(token)}) DESC LIMIT 1")
    near = [str(flag) for (flag,) in found]
    tips = (f"\n  tip: a similar argument exists: '{flag}'" for flag in near)
    return UsageError(f"unexpected argument '{token}' found", *tips, _usage(command, *near))


def _shown(flag: str) -> str:
    """A flag as usage texts show it: an option with the name of its value."""
    switches = " ".join(grammar.switches for grammar in COMMANDS.values()).split()
    return flag if flag in switches else f"{flag} <{flag[2:].upper().replace('-', '_')}>"


def _usage(command: str, *flags: str) -> str:
    given = " ".join(map(_shown, flags)) or "[OPTIONS]"
    return f"\nUsage: rocky {command} {given}" if command else f"\nUsage: rocky {given} <COMMAND>"
