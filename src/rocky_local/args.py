"""The grammar of the command line, with the errors of the real engine's parser."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import combinations

from rocky_local.errors import UsageError

_GLOBAL = "-c/--config -o/--output --state-path --state-namespace"
_VALUES = {
    "apply": "--parallel",
    "branch": "--description",
    "catalog": "--format --models --out",
    "ci": "--models --contracts --var",
    "compare": "--filter --pipeline --shadow-suffix --shadow-schema --models",
    "compile": "--models --contracts --model --var --env",
    "compliance": "--env --fail-on --models",
    "cost": "--models",
    "dag": "--models --contracts --seeds --env",
    "discover": "--pipeline --env",
    "doctor": "--check",
    "emit-sql": "--models --out --var",
    "estimate": "--models --model --pipeline",
    "history": "--model --since",
    "lineage": "--models --column --format",
    "list": "--models",
    "load": "--pipeline --source-dir --target --format",
    "metrics": "--column",
    "optimize": "--model --models",
    "plan": "--filter --pipeline --models --model --env --partition --from --to --lookback --parallel "
    "--shadow-suffix --shadow-schema --idempotency-key --governance-override --var --branch --output-file",
    "profile": "--models",
    "retention-status": "--model --models --env",
    "run": "--filter --pipeline --models --model --env --partition --from --to --lookback --parallel "
    "--shadow-suffix --shadow-schema --idempotency-key --governance-override --var --branch --resume --contracts "
    "--run-id --cache-ttl --defer-to",
    "seed": "--pipeline --seeds --filter",
    "snapshot": "--pipeline",
    "state": "",
    "test": "--models --contracts --model --var --pipeline",
    "trace": "",
    "validate": "--models",
}
_FLAGS = {
    "cost": "",
    "compliance": "--exceptions-only",
    "dag": "--column-lineage",
    "discover": "--with-schemas",
    "history": "--audit --rolling-stats",
    "lineage": "--downstream --upstream",
    "load": "--truncate",
    "metrics": "--alerts --trend",
    "plan": "--all --dag --latest --missing --shadow --skip-unchanged --force-rebuild --no-prune",
    "retention-status": "--drift",
    "run": "--all --dag --latest --missing --shadow --skip-unchanged --force-rebuild --no-prune "
    "--resume-latest --watch",
    "snapshot": "--dry-run",
    "test": "--declarative",
}
_REPEATABLE = ("--var",)
_EXCLUSIVE = {
    "run": (
        ("--watch", "--dag"),
        *combinations(("--partition", "--latest", "--from", "--missing"), 2),
        ("--resume", "--resume-latest"),
    ),
    "plan": tuple(combinations(("--partition", "--latest", "--from", "--missing"), 2)),
}
_TOGETHER = {
    "run": (("--from", "--to"), ("--to", "--from")),
    "plan": (("--from", "--to"), ("--to", "--from")),
}
_POSITIONAL = {
    "apply": 1,
    "list": 2,
    "lineage": 1,
    "metrics": 1,
    "cost": 1,
    "trace": 1,
    "profile": 1,
    "branch": 2,
    "load": 1,
}


@dataclass
class Arguments:
    """One parsed command line.

    Attributes:
        command: The subcommand.
        values: What was given, by long flag without dashes: texts, and True for switches.
        repeated: All values of the flags that may come more than once.
        positionals: The arguments without a flag, in order.
    """

    command: str
    values: dict[str, str | bool] = field(default_factory=dict)
    repeated: dict[str, list[str]] = field(default_factory=dict)
    positionals: list[str] = field(default_factory=list)

    @property
    def config(self) -> str:
        """The configuration file."""
        return self.get("config") or "rocky.toml"

    @property
    def json(self) -> bool:
        """Whether JSON is wanted; without `-o`, when stdout is no terminal."""
        chosen = self.get("output")
        return chosen == "json" if chosen else not os.isatty(1)

    def get(self, name: str) -> str | None:
        """Return the value of an option, or None."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def has(self, name: str) -> bool:
        """Return whether an option or switch was given."""
        return name in self.values

    def number(self, name: str) -> int | None:
        """Return the value of an option as a whole number, or None.

        Raises:
            UsageError: It is not one.
        """
        value = self.get(name)
        if value is None:
            return None
        if not value.isdigit():
            shown = f"--{name} <{_placeholder(name)}>"
            raise UsageError(
                f"invalid value '{value}' for '{shown}': invalid digit found in string", _usage(self.command)
            )
        return int(value)

    def variables(self) -> dict[str, str]:
        """Return the `--var name=value` pairs.

        Raises:
            EngineError: One has no `=`.
        """
        from rocky_local.errors import EngineError  # noqa: PLC0415

        pairs = {}
        for item in self.repeated.get("var", []):
            name, equals, value = item.partition("=")
            if not equals:
                raise EngineError(f"invalid --var '{item}': expected key=value")
            pairs[name] = value
        return pairs


def parse(argv: list[str]) -> Arguments:
    """Parse the arguments after the program's name.

    Raises:
        UsageError: Something is unknown, missing, repeated or contradictory.
    """
    shorts, accepted = _accepted(None)
    command = _find_command(argv, shorts, accepted)
    if command is None:
        raise UsageError(
            "'rocky' requires a subcommand but one was not provided", "rocky [OPTIONS] <COMMAND>"
        )
    result = Arguments(command)
    known = command in _VALUES
    shorts, accepted = _accepted(command if known else None)
    rest = list(argv)
    seen_command = False
    while rest:
        token = rest.pop(0)
        if token == command and not seen_command:
            seen_command = True
        elif token.startswith("-") and token != "-":
            if not known and token.split("=")[0] not in (*accepted, *shorts):
                return result
            _take_option(result, token, rest, shorts, accepted)
        elif known and len(result.positionals) >= _POSITIONAL.get(command, 0):
            raise UsageError(f"unexpected argument '{token}' found", _usage(command))
        else:
            result.positionals.append(token)
    if result.get("output") not in (None, "json", "table", "md"):
        raise UsageError(
            f"invalid value '{result.get('output')}' for '--output <OUTPUT>'",
            _usage(command),
            details=("  [possible values: json, table, md]",),
        )
    _check_together(result)
    return result


def _accepted(command: str | None) -> tuple[dict[str, str], dict[str, bool]]:
    """Return the short forms, and each long flag with whether it takes a value."""
    shorts, accepted = {}, {}
    for item in _GLOBAL.split():
        short, _, long = item.rpartition("/")
        accepted[long] = True
        if short:
            shorts[short] = long
    if command is not None:
        accepted.update(dict.fromkeys(_VALUES[command].split(), True))
        accepted.update(dict.fromkeys(_FLAGS.get(command, "").split(), False))
    return shorts, accepted


def _find_command(argv: list[str], shorts: dict[str, str], accepted: dict[str, bool]) -> str | None:
    skip = False
    for token in argv:
        if skip:
            skip = False
        elif token.startswith("-"):
            name = shorts.get(token, token)
            skip = accepted.get(name, False)
            if name.split("=")[0] not in accepted:
                raise UsageError(f"unexpected argument '{token}' found", "rocky [OPTIONS] <COMMAND>")
        else:
            return token
    return None


def _take_option(
    result: Arguments, token: str, rest: list[str], shorts: dict[str, str], accepted: dict[str, bool]
) -> None:
    name, equals, inline = token.partition("=")
    name = shorts.get(name, name)
    if name not in accepted:
        raise _unexpected(result.command, token.split("=", maxsplit=1)[0], accepted)
    key = name.removeprefix("--")
    if not accepted[name]:
        result.values[key] = True
        return
    if equals:
        value = inline
    elif rest and not rest[0].startswith("--"):
        value = rest.pop(0)
    else:
        shown = f"{name} <{_placeholder(key)}>"
        raise UsageError(f"a value is required for '{shown}' but none was supplied", _usage(result.command))
    if name in _REPEATABLE:
        result.repeated.setdefault(key, []).append(value)
    elif key in result.values:
        raise UsageError(
            f"the argument '{name} <{_placeholder(key)}>' cannot be used multiple times",
            _usage(result.command),
        )
    result.values[key] = value


def _check_together(result: Arguments) -> None:
    for first, second in _EXCLUSIVE.get(result.command, ()):
        if result.has(first[2:]) and result.has(second[2:]):
            shown = [_shown(result.command, flag) for flag in (first, second)]
            message = f"the argument '{shown[0]}' cannot be used with '{shown[1]}'"
            raise UsageError(message, _usage(result.command, [first, *_given_output(result)]))
    for given, needed in _TOGETHER.get(result.command, ()):
        if result.has(given[2:]) and not result.has(needed[2:]):
            message = "the following required arguments were not provided:"
            usage = _usage(result.command, [given, needed, *_given_output(result)])
            raise UsageError(message, usage, details=(f"  {_shown(result.command, needed)}",))


def _given_output(result: Arguments) -> list[str]:
    return ["--output"] if result.has("output") else []


def _shown(command: str, flag: str) -> str:
    return f"{flag} <{_placeholder(flag[2:])}>" if _accepted(command)[1][flag] else flag


def _placeholder(name: str) -> str:
    return name.upper().replace("-", "_")


def _usage(command: str, flags: list[str] | None = None) -> str:
    if flags is None:
        return f"rocky {command} [OPTIONS]"
    return f"rocky {command} {' '.join(_shown(command, flag) for flag in flags)}"


def _unexpected(command: str, token: str, accepted: dict[str, bool]) -> UsageError:
    own = [flag for flag in accepted if flag not in _accepted(None)[1]]
    near = max(own, key=lambda flag: _jaro(token, flag), default="")
    if _jaro(token, near) <= 0.7:
        return UsageError(f"unexpected argument '{token}' found", _usage(command))
    tip = ("", f"  tip: a similar argument exists: '{near}'")
    return UsageError(f"unexpected argument '{token}' found", _usage(command, [near]), details=tip)


def _jaro(left: str, right: str) -> float:
    """Return the Jaro similarity of two texts, between 0 and 1."""
    if not left or not right:
        return 0.0
    window = max(len(left), len(right)) // 2 - 1
    taken = [False] * len(right)
    matched = []
    for position, letter in enumerate(left):
        for other in range(max(0, position - window), min(len(right), position + window + 1)):
            if not taken[other] and right[other] == letter:
                taken[other] = True
                matched.append(letter)
                break
    if not matched:
        return 0.0
    opposite = [letter for letter, used in zip(right, taken, strict=True) if used]
    swaps = sum(a != b for a, b in zip(matched, opposite, strict=True)) / 2
    count = len(matched)
    return (count / len(left) + count / len(right) + (count - swaps) / count) / 3
