"""What a pipeline is made of: its steps, whose expressions are sqlglot's, and how they are read."""

from collections.abc import Callable
from typing import NamedTuple

from sqlglot import exp

from rocky_local.errors import NotAQuery
from rocky_local.language.expressions import ExpressionParser
from rocky_local.language.tokens import STEPS

Named = tuple[tuple[str, exp.Expression], ...]


class From(NamedTuple):
    """Read a table; `table` holds the parts of its name."""

    table: tuple[str, ...]
    alias: str | None


class Where(NamedTuple):
    """Keep the rows for which a condition holds."""

    condition: exp.Expression


class Derive(NamedTuple):
    """Add columns."""

    columns: Named


class Group(NamedTuple):
    """One row for each combination of keys, with aggregates."""

    keys: tuple[exp.Column, ...]
    aggregates: Named


class Select(NamedTuple):
    """Replace the columns."""

    columns: tuple[exp.Expression, ...]


class Join(NamedTuple):
    """Put the rows of another table beside those with equal keys."""

    table: str
    alias: str | None
    keys: tuple[str, ...]
    kept: tuple[exp.Expression, ...]


class Sort(NamedTuple):
    """Put the rows in order."""

    keys: tuple[exp.Ordered, ...]


class Take(NamedTuple):
    """Keep the first rows."""

    rows: int


class Distinct(NamedTuple):
    """Keep one of equal rows."""


class Replicate(NamedTuple):
    """Take all columns as they are."""


Step = From | Where | Derive | Group | Select | Join | Sort | Take | Distinct | Replicate
_LONGEST_NAME = 3


def parse(source: str) -> list[Step]:
    r"""Return the steps of a pipeline, in order.

    Raises:
        NotAQuery: The text is not in the language; it says where.

    Example:
        >>> parse("from raw.trips as t\ntake 5")
        [From(table=('raw', 'trips'), alias='t'), Take(rows=5)]
    """
    parser = _Parser(source)
    steps = []
    while parser.token.kind != "End":
        steps.append(parser.step())
    if not steps:
        raise NotAQuery("empty file: no pipeline steps found")
    return steps


class _Parser(ExpressionParser):
    """What can be read where a step begins."""

    def step(self) -> Step:
        readers: dict[str, Callable[[], Step]] = {
            "from": self._from,
            "where": lambda: Where(self.expression()),
            "group": lambda: Group(self.listed(self.column), self.block(self._named)),
            "derive": lambda: Derive(self.block(self._named)),
            "select": lambda: Select(self.block(self._star_or_column, at_least=1)),
            "join": self._join,
            "sort": lambda: Sort(self.listed(self.sort_key)),
            "take": self._take,
            "distinct": Distinct,
            "replicate": Replicate,
        }
        reader = readers.get(self.token.text)
        if reader is None:
            raise self.unexpected(f"pipeline step ({', '.join(STEPS)})")
        self.advance()
        return reader()

    def _from(self) -> From:
        parts = [self.name()]
        while len(parts) < _LONGEST_NAME and self.accept("."):
            parts.append(self.name())
        return From(tuple(parts), self._alias())

    def _alias(self) -> str | None:
        return self.name() if self.accept("as") else None

    def _named(self) -> tuple[str, exp.Expression]:
        name = self.name()
        self.expect(":")
        return name, self.expression()

    def _star_or_column(self) -> exp.Expression:
        return exp.Star() if self.accept("*") else self.column()

    def _join(self) -> Join:
        table, alias = self.name(), self._alias()
        self.expect("on")
        keys = self.listed(self.name)
        kept: list[exp.Expression] = []

        def keep() -> None:
            self.expect("keep")
            kept.extend(self.listed(self._star_or_column, "keep"))

        if self.token.text == "{":
            self.block(keep)
        return Join(table, alias, keys, tuple(kept))

    def _take(self) -> Take:
        if self.token.kind != "Number" or not self.token.text.isdecimal():
            raise self.unexpected("number", 0)  # The engine tells no place here.
        return Take(int(self.advance().text))
