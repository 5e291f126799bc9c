"""What a pipeline is made of: its steps, which are sqlglot's clauses where SQL has the same, and how they are read."""

from collections.abc import Callable
from itertools import chain
from typing import NamedTuple

from sqlglot import exp

from rocky_local.errors import NotAQuery
from rocky_local.language.expressions import ExpressionParser
from rocky_local.language.tokens import STEPS

Columns = tuple[exp.Expression, ...]
Named = tuple[exp.Alias, ...]


class Derive(NamedTuple):
    """Add columns."""

    columns: Named


class Group(NamedTuple):
    """One row for each combination of keys, with aggregates."""

    keys: tuple[exp.Column, ...]
    aggregates: Named


class Select(NamedTuple):
    """Replace the columns."""

    columns: Columns


class Join(NamedTuple):
    """Put the rows of another table beside those with equal keys."""

    table: exp.Table
    keys: tuple[str, ...]
    kept: Columns


# A star alone is `replicate`: all columns as they are.
Step = exp.From | exp.Where | Derive | Group | Select | Join | exp.Order | exp.Limit | exp.Distinct | exp.Star
_LONGEST_NAME = 3


def parse(source: str) -> list[Step]:
    r"""Return the steps of a pipeline, in order.

    Raises:
        NotAQuery: The text is not in the language; it says where.

    Example:
        >>> [type(step).__name__ for step in parse("from raw.trips as t\nderive { n: 1 }\ntake 5")]
        ['From', 'Derive', 'Limit']
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
            "from": lambda: exp.From(this=self._table(_LONGEST_NAME)),
            "where": lambda: exp.Where(this=self.expression()),
            "group": lambda: Group(self.listed(self.column), self.block(self._named)),
            "derive": lambda: Derive(self.block(self._named)),
            "select": lambda: Select(self.block(self._star_or_column, at_least=1)),
            "join": self._join,
            "sort": lambda: exp.Order(expressions=list(self.listed(self.sort_key))),
            "take": self._take,
            "distinct": exp.Distinct,
            "replicate": exp.Star,
        }
        reader = readers.get(self.token.text)
        if reader is None:
            raise self.unexpected(f"pipeline step ({', '.join(STEPS)})")
        self.advance()
        return reader()

    def _table(self, longest: int) -> exp.Table:
        parts = [self.name()]
        while len(parts) < longest and self.accept("."):
            parts.insert(0, self.name())
        name, schema, catalog = [*parts, None, None][:_LONGEST_NAME]
        alias = self.name() if self.accept("as") else None
        return exp.table_(str(name), schema, catalog, alias=alias)

    def _named(self) -> exp.Alias:
        name = exp.to_identifier(self.name())
        self.expect(":")
        return exp.Alias(this=self.expression(), alias=name)

    def _star_or_column(self) -> exp.Expression:
        return exp.Star() if self.accept("*") else self.column()

    def _join(self) -> Join:
        table = self._table(1)
        self.expect("on")
        keys = self.listed(self.name)
        kept = self.block(self._kept) if self.token.text == "{" else ()
        return Join(table, keys, tuple(chain.from_iterable(kept)))

    def _kept(self) -> Columns:
        self.expect("keep")
        return self.listed(self._star_or_column, "keep")

    def _take(self) -> exp.Limit:
        if self.token.kind != "Number" or not self.token.text.isdecimal():
            raise self.unexpected("number", 0)  # The engine tells no place here.
        return exp.Limit(expression=exp.Literal.number(int(self.advance().text)))
