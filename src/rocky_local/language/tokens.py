"""Which tokens a text in the pipeline language is made of, and what is said of one that is out of place."""

import json
import re
from typing import NamedTuple

from rocky_local.errors import NotAQuery

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*)
    |(?P<Timestamp>@\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)?)
    |(?P<Date>@\d{4}-\d\d-\d\d)
    |(?P<Variable>@var\([^()\n]*\)|@(?:start|end)_date\b)
    |(?P<Number>\d+(?:\.\d+)?)
    |(?P<String>"(?:[^"\\]|\\.)*")
    |(?P<Ident>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<Sign>==|!=|<=|>=|=>|\.\.|[-+*/%<>=.,:(){}])""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
STEPS = ("from", "where", "group", "derive", "select", "join", "sort", "take", "distinct", "replicate")
KEYWORDS = {*STEPS, "match", "as", "on", "is", "not", "null", "and", "or", "true", "false"}
# How the engine calls what has no letters.
_NAMES = (
    "== Eq  != NotEq  <= LtEq  >= GtEq  < Lt  > Gt  = Assign  => FatArrow  .. DotDot  . Dot  , Comma  : Colon  "
    "( LParen  ) RParen  { LBrace  } RBrace  + Plus  - Minus  * Star  / Slash  % Percent"
)
_SIGNS = dict(pair.split() for pair in _NAMES.split("  "))


class Token(NamedTuple):
    """One word, sign, number, text or date, as written; `start` is where it begins, in characters."""

    kind: str
    text: str
    start: int

    @property
    def shown(self) -> str:
        """The token as the engine names it."""
        if self.kind in ("Keyword", "Sign"):
            return spelt(self.text)
        text = self.text.strip('"') if self.kind == "String" else self.text.lstrip("@")
        return f"{self.kind}({json.dumps(text, ensure_ascii=False)})"


def spelt(text: str) -> str:
    """Return the engine's name of a keyword or a sign."""
    return _SIGNS.get(text) or text.capitalize()


def tokenize(source: str) -> list[Token]:
    """Return the tokens of a text, the last one its end."""
    tokens, place = [], 0
    while place < len(source):
        found = _TOKEN.match(source, place)
        if found is None:
            shown = json.dumps(source[place], ensure_ascii=False)
            raise error_at(source, place, f"expected a token, found {shown}")
        kind = str(found.lastgroup)
        if kind != "space":
            tokens.append(Token("Keyword" if found[0] in KEYWORDS else kind, found[0], place))
        place = found.end()
    return [*tokens, Token("End", "", len(source))]


def error_at(source: str, place: int, problem: str, shown_offset: int | None = None) -> NotAQuery:
    """Return the error about a token at a place of a text; `shown_offset` is told instead of its own, in bytes."""
    before = source[:place]
    offset = len(before.encode(errors="replace")) if shown_offset is None else shown_offset
    line, column = before.count("\n") + 1, place - before.rfind("\n")
    what = f"token at offset {offset}" if place < len(source) else "end of file"
    return NotAQuery(f"unexpected {what}: {problem}", "parse", line, column)
