"""What must nobody read: secrets taken out of everything that leaves the engine's room."""

import json
import os
import re
import shlex
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dagster_rocky.engine.logs.secret_names import is_secret_name

MASK = "***"

_TRIGGERS = (
    "pass", "pwd", "secret", "token", "key", "credential", "://", "bearer", "basic", "sig", "auth", "dsn",
    "connectionstring", "governance", "sas", "eyj", "akia", "ghp_", "gho_", "ghs_", "dapi", "xox", "private",
)  # fmt: skip
"""A line without any of these has no secret that could be recognised."""
_LABEL = re.compile(
    r"""(?P<open>\\*["'])? (?P<name> (?<![\w.-])
          (?: (?i:api|access|account|encryption|private|secret|signing) [ ] [Kk][Ee][Yy] | [A-Za-z][\w.-]{0,80} ) )
        (?(open) (?P=open) ) (?P<sep> [ \t]* (?: => | := | == | [=:] ) [ \t]* | [ \t]+ (?=') )""",
    re.VERBOSE,
)
_VALUE = re.compile(
    r"""(?P<quoted> " (?: [^"\\\n] | \\[^\n] )* " | '(?: [^'\\\n] | \\[^\n] | '' )*' )
      | (?P<deep> (?P<slashes>\\+) (?P<mark>["']) .*? (?<!\\) (?P=slashes) (?P=mark) )
      | (?P<cut> \\*["'] [^\n]* )
      | (?P<bare> (?:[Bb]earer|[Bb]asic)[ ][^\s,;&"']+ | [^\s,;&"'{}()\[\]\\]+ )""",
    re.VERBOSE,
)
_OPENING = re.compile(r"[\[{]")
_WHOLE_NUMBER = re.compile(r"\d{1,12}$")
_FLAG = re.compile(
    r"(?<![\w-])--(?P<name>[A-Za-z][\w-]{0,80})(?P<sep>[ =])(?!-)(?P<value>'[^']*'|\"[^\"]*\"|\S+)"
)
_URL_CREDENTIALS = re.compile(
    r"(?P<scheme>\b[a-zA-Z][\w+.-]{0,20}://)(?P<user>[^\s:/@?#\"'<>]*)(?P<rest>:[^\s\"'<>]*)?@"
)
_PORT = re.compile(r":\d{1,5}(?:[/?#]|$)")
_AUTHORIZATION = re.compile(
    r"\b((?i:bearer|basic))[ \t]+(?=[A-Za-z0-9._~+/=-]*[0-9A-Z._~+/=])([A-Za-z0-9._~+/=-]{8,})"
)
_KNOWN_SHAPES = re.compile(
    r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?|\bAKIA[0-9A-Z]{16}\b|\bgh[pos]_\w{20,}|\bdapi[0-9a-f]{32}\b|\bxox[abpr]-[\w-]{10,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    re.DOTALL,
)
_SECRET_FLAGS = frozenset({"--governance-override", "--idempotency-key"})
_SHORTEST_VALUE = 4
_SHORTEST_LINE = 8


class SecretMasker:
    """Replaces what looks like a secret, and the values of named environment variables, with `***`.

    Args:
        env_names: Environment variables whose values are secrets wherever they turn up. Values shorter than
            four characters are left alone: masking them would garble ordinary text.
        environment: Further variables of the engine's process; the values of those with secret names are secrets.

    Example:
        ```python
        SecretMasker().mask("postgres://etl:hunter2@db/flights password=hunter2")
        # 'postgres://etl:***@db/flights password=***'
        ```
    """

    def __init__(self, env_names: Iterable[str] = (), environment: Mapping[str, str] | None = None) -> None:
        given = environment or {}
        named = set(env_names)
        values = {os.environ.get(name, "") for name in named} | {given.get(name, "") for name in named}
        values |= {value for name, value in given.items() if is_secret_name(name)}
        secrets = {form for value in values if len(value) >= _SHORTEST_VALUE for form in _forms(value)}
        longest_first = sorted(secrets, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, longest_first))) if secrets else None

    def mask(self, text: str) -> str:
        """The text with its secrets replaced; text without any comes back unchanged."""
        if self._values is not None:
            text = self._values.sub(MASK, text)
        lowered = text.lower()
        if not any(trigger in lowered for trigger in _TRIGGERS):
            return text
        if "PRIVATE KEY-----" in text:
            text = _KNOWN_SHAPES.sub(MASK, text)
        return "\n".join(map(_mask_line, text.split("\n")))

    def mask_all(self, value: Any) -> Any:
        """The same structure of mappings, sequences and texts without secrets; what is none of them stays.

        Example:
            ```python
            SecretMasker().mask_all({"user": "etl", "password": ["a", "b"]})  # {'user': 'etl', 'password': '***'}
            ```
        """
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, Mapping):
            return {
                name: MASK if _hides(str(name), inner) else self.mask_all(inner)
                for name, inner in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            masked = [self.mask_all(inner) for inner in value]
            return masked if isinstance(value, list) else tuple(masked)
        return value

    def mask_command(self, argv: Sequence[str]) -> str:
        """A command for people to read, quoted for a shell, its secrets masked."""
        shown, hide_next = [], False
        for word in argv:
            flag, equals, _ = word.partition("=")
            is_secret = flag in _SECRET_FLAGS or (flag.startswith("--") and is_secret_name(flag))
            if hide_next:
                shown.append(MASK)
            elif is_secret and equals:
                shown.append(f"{flag}={MASK}")
            else:
                shown.append(self.mask(word))
            hide_next = is_secret and not equals and not hide_next
        return " ".join(
            word if word.endswith(MASK) and word[0] == "*" else shlex.quote(word) for word in shown
        )


def _forms(value: str) -> set[str]:
    """A secret value as it may be written: as it is, in JSON, in a URL, and its lines one by one."""
    lines = {line for line in value.split("\n") if len(line) >= _SHORTEST_LINE}
    spelled = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return spelled | {urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value)} | lines


def _hides(name: str, value: Any) -> bool:
    if value is None or value == "" or isinstance(value, bool) or not is_secret_name(name):
        return False
    return not (isinstance(value, int) and _is_count(name, str(value)))


def _is_count(name: str, value: str) -> bool:
    """`tokens=512` is a number of tokens, not one."""
    return name.lower().endswith("tokens") and _WHOLE_NUMBER.match(value) is not None


def _mask_line(line: str) -> str:
    lowered = line.lower()
    if not any(trigger in lowered for trigger in _TRIGGERS):
        return line
    if "://" in line:
        line = _URL_CREDENTIALS.sub(_mask_url, line)
    line = _FLAG.sub(_mask_flag, line)
    line = _mask_values(line)
    line = _AUTHORIZATION.sub(rf"\1 {MASK}", line)
    return _KNOWN_SHAPES.sub(MASK, line)


def _mask_flag(match: re.Match[str]) -> str:
    name, separator = match["name"], match["sep"]
    is_secret = f"--{name}" in _SECRET_FLAGS or is_secret_name(name)
    return f"--{name}{separator}{MASK}" if is_secret else match[0]


def _mask_url(match: re.Match[str]) -> str:
    scheme, user, rest = match["scheme"], match["user"], match["rest"]
    if rest is None:
        return f"{scheme}{MASK}@" if user and scheme.lower() in ("http://", "https://") else match[0]
    if _PORT.match(rest):
        return match[0]
    is_web = scheme.lower() in ("http://", "https://")
    return f"{scheme}{MASK}@" if is_web else f"{scheme}{user}:{MASK}@"


def _mask_values(line: str) -> str:
    """Every value that stands behind a secret name: quoted, bare, a list or an object."""
    parts, done, place = [], 0, 0
    while label := _LABEL.search(line, place):
        place = label.end()
        if not is_secret_name(label["name"]):
            continue
        value = _OPENING.match(line, place)
        if value is not None:
            end = _closing(line, place)
            quote = label["open"] or ""
            masked = f"{quote}{MASK}{quote}"
        elif found := _VALUE.match(line, place):
            end, masked = found.end(), _masked_value(found, label)
        else:
            continue
        parts += [line[done:place], masked]
        done = place = end
    return "".join([*parts, line[done:]]) if parts else line


def _masked_value(value: re.Match[str], label: re.Match[str]) -> str:
    if value["quoted"]:
        quote = value[0][0]
        return f"{quote}{MASK}{quote}" if len(value[0]) > 2 else value[0]
    if value["deep"]:
        quote = value["slashes"] + value["mark"]
        return f"{quote}{MASK}{quote}"
    if value["cut"]:
        return MASK
    bare = value["bare"]
    is_word = bare in ("null", "None", "true", "false") or _is_count(label["name"], bare)
    if is_word or (label["sep"].strip() == "" and bare):
        return bare
    return f'"{MASK}"' if label["open"] == '"' else MASK


def _closing(line: str, start: int) -> int:
    """Where the list or object that opens at `start` ends; the end of the line when it does not."""
    depth = 0
    for place in range(start, len(line)):
        if line[place] in "[{":
            depth += 1
        elif line[place] in "]}":
            depth -= 1
            if depth == 0:
                return place + 1
    return len(line)
