"""Secrets out of everything that people read: logs, failure metadata, shown commands."""

import os
import re
import shlex
from collections.abc import Iterable

MASK = "***"

_ASSIGNMENT = re.compile(
    r"""(?ix)
    ( ["']? (?<![\w.-]) [\w.-]{0,80}?
      (?: password | passwd | passphrase | secret | token | credential s? | key ) (?: [_-]? (?: id | value ) )?
      ["']? [ \t]* [=:] [ \t]* )
    ( \\" (?: [^"\\\n] | \\[^"\n] )* \\"      # a quoted value inside a JSON string
    | " (?: [^"\\\n] | \\. )* "
    | ' [^'\n]* '
    | [^\s,;&"'{}()\[\]]+ )
    """
)
_HARMLESS_KEY = re.compile(
    r"(?i)(?:asset|business|cache|cluster|conflicting|dedupe|dist|distribution|duplicate|engine|foreign|group|hash"
    r"|idempotency|join|merge|natural|order|partition|pipes|primary|sort|state|surrogate|unique|update)[\w.-]*key"
)
_FLAG = re.compile(r"(?i)(--[\w-]{0,80}(?:password|secret|token|key)[\w-]{0,80}[ =])(?!-)(\S+)")
_URL_CREDENTIALS = re.compile(r"(\b[a-zA-Z][\w+.-]{0,20}://[^\s:/@]*:)([^\s/@]+)(@)")
_BEARER = re.compile(r"(?i)\b(bearer|basic)[ \t]+([A-Za-z0-9._~+/=-]{8,})")
_TRIGGERS = ("passw", "passphrase", "secret", "token", "key", "credential", "://", "bearer", "basic")


class SecretMasker:
    """Replaces what looks like a secret, and the values of named environment variables, with `***`.

    Args:
        env_names: Environment variables whose values are secrets wherever they turn up. Values shorter than
            four characters are left alone: masking them would garble ordinary text.

    Example:
        ```python
        SecretMasker().mask("postgres://etl:hunter2@db/flights password=hunter2")
        # 'postgres://etl:***@db/flights password=***'
        ```
    """

    def __init__(self, env_names: Iterable[str] = ()) -> None:
        values = {os.environ.get(name, "") for name in env_names}
        secrets = sorted((v for v in values if len(v) >= 4), key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, secrets))) if secrets else None

    def mask(self, text: str) -> str:
        """The text with its secrets replaced; text without any comes back unchanged."""
        if self._values is not None:
            text = self._values.sub(MASK, text)
        lowered = text.lower()
        if not any(trigger in lowered for trigger in _TRIGGERS):
            return text
        text = _URL_CREDENTIALS.sub(rf"\1{MASK}\3", text)
        text = _BEARER.sub(rf"\1 {MASK}", text)
        text = _FLAG.sub(_mask_flag, text)
        return _ASSIGNMENT.sub(_mask_assignment, text)

    def mask_command(self, argv: Iterable[str]) -> str:
        """A command for people to read, quoted for a shell, its secrets masked."""
        return self.mask(shlex.join(argv))


def _mask_flag(match: re.Match[str]) -> str:
    return match.group(0) if _HARMLESS_KEY.search(match.group(1)) else match.group(1) + MASK


def _mask_assignment(match: re.Match[str]) -> str:
    label, value = match.groups()
    if _HARMLESS_KEY.search(label):
        return match.group(0)
    quote = re.match(r"""\\?["']""", value)
    return label + (f"{quote.group(0)}{MASK}{quote.group(0)}" if quote else MASK)
