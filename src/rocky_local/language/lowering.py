"""How the steps of a pipeline become one query, and how that is written."""

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from rocky_local.errors import NotAQuery
from rocky_local.language import steps
from rocky_local.language.steps import Step, parse

_LARGEST = 10_000
_CLAUSES = ("from", "joins", "where", "group", "having", "order", "limit")
_DuckDB: Any = DuckDB.Generator
_Names = dict[str, exp.Expression]
_COMPOUND = (exp.Binary, exp.Not, exp.Neg, exp.Between, exp.In)


def to_sql(source: str) -> str:
    r"""Return the query that a `.rocky` text means.

    Raises:
        NotAQuery: The text is not in the language, or its steps do not make a query.

    Example:
        >>> print(to_sql('from raw.trips\nwhere state == "ok"\ngroup shop { n: count() }'))
        SELECT shop, COUNT() AS n
        FROM raw.trips
        WHERE state = 'ok'
        GROUP BY shop
    """
    first, *others = parse(source)
    if not isinstance(first, exp.From):
        raise NotAQuery("pipeline must start with 'from'", "lower")
    lowering = _Lowering(first)
    for step in others:
        lowering.add(step)
    lines = _clauses(lowering.query())
    return (" " if [*map(type, others)] == [exp.Star] else "\n").join(lines)


class _Lowering:
    """A query while its steps come in.

    Two kinds of names stand for expressions: derived ones, which no clause knows, so that they are put in at once; and
    those of a group, which HAVING and ORDER BY know as long as they are among the columns.
    """

    def __init__(self, source: exp.From) -> None:
        self._query = exp.Select().from_(source, copy=False)
        self._source = source.this.alias_or_name
        self._columns: list[exp.Expression] = [exp.Star()]
        self._derived: _Names = {}
        self._grouped: _Names | None = None
        self._where: list[exp.Expression] = []
        self._having: list[tuple[exp.Expression, _Names]] = []
        self._order: list[exp.Expression] = []
        self._limits: list[int] = []

    def add(self, step: Step) -> None:
        match step:
            case exp.From():
                raise NotAQuery("only the first step of a pipeline is 'from'", "lower")
            case exp.Where(this=condition) if self._grouped is None:
                self._where.append(_inlined(condition, self._derived))
            case exp.Where(this=condition):
                self._having.append((condition, self._derived.copy()))
            case steps.Derive(columns):
                self._derive(columns)
            case steps.Group():
                self._group(step)
            case steps.Select(columns):
                self._columns = [found for column in columns for found in self._selected(column)]
            case steps.Join():
                self._join(step)
            case exp.Order(expressions=keys):
                self._order = keys
            case exp.Limit(expression=rows):
                self._limits.append(int(rows.name))
            case exp.Distinct():
                self._query.set("distinct", step)
            case _:
                self._columns, self._derived = [step], {}

    def query(self) -> exp.Select:
        shown = {column.alias_or_name for column in self._columns}
        hidden = {name: made for name, made in self._names().items() if name not in shown}
        self._query.set("expressions", self._columns)
        if self._where:
            self._query.set("where", exp.Where(this=_all(self._where)))
        if self._having:
            known = hidden.keys() | self._derived.keys()
            grouped = {name: made for name, made in (self._grouped or {}).items() if name in known}
            kept = [_inlined(condition, grouped | derived) for condition, derived in self._having]
            self._query.set("having", exp.Having(this=_all(kept)))
        if self._order:
            values = {name: _as_value(made) for name, made in hidden.items()}
            self._query.order_by(*(_inlined(key, values) for key in self._order), copy=False)
        return self._query.limit(min(self._limits), copy=False) if self._limits else self._query

    def _names(self) -> _Names:
        return {**(self._grouped or {}), **self._derived}

    def _derive(self, columns: steps.Named) -> None:
        for column in columns:
            name, made = column.alias, _inlined(column.this, self._names())
            if sum(1 for _ in made.walk()) > _LARGEST:
                raise NotAQuery(f"the derived column '{name}' has more than {_LARGEST} parts", "lower")
            kept = [column for column in self._columns if column.alias_or_name != name]
            self._columns = [*kept, _named(name, made)]
            self._derived[name] = made

    def _group(self, step: steps.Group) -> None:
        if self._grouped is not None:
            raise NotAQuery("a pipeline has at most one 'group'", "lower")
        keys = [_inlined(key, self._derived) for key in step.keys]
        self._query.set("group", exp.Group(expressions=list(map(_as_value, keys))))
        found = {key.name: made for key, made in zip(step.keys, keys, strict=True)}
        found |= {column.alias: _inlined(column.this, self._derived) for column in step.aggregates}
        self._grouped, self._derived = found, {}
        self._columns = [_named(name, made) for name, made in found.items()]

    def _selected(self, column: exp.Expression) -> list[exp.Expression]:
        if isinstance(column, exp.Star):
            return [each.copy() for each in self._columns]
        made = None if column.text("table") else self._names().get(column.name)
        return [column if made is None else _named(column.name, made)]

    def _join(self, step: steps.Join) -> None:
        if self._grouped is not None:
            raise NotAQuery("'join' comes before 'group'", "lower")
        joined = step.table.alias_or_name
        equal = [exp.column(key, self._source).eq(exp.column(key, joined)) for key in step.keys]
        self._query.append("joins", exp.Join(this=step.table, on=_all(equal)))
        if step.kept:
            own = [column for column in self._columns if not isinstance(column, exp.Star)]
            self._columns = [*own, *step.kept]


def _named(name: str, expression: exp.Expression) -> exp.Expression:
    same = isinstance(expression, exp.Column) and expression.name == name
    return expression.copy() if same else exp.Alias(this=expression.copy(), alias=exp.to_identifier(name))


def _as_value(expression: exp.Expression) -> exp.Expression:
    """An expression that GROUP BY and ORDER BY do not take for the number of a column."""
    zero = exp.Literal.number(0)
    number = expression.unnest().is_number
    return exp.Add(this=expression.copy(), expression=zero) if number else expression


def _all(conditions: Sequence[exp.Expression]) -> exp.Expression:
    several = len(conditions) > 1
    parts = (exp.paren(each) if several and isinstance(each, exp.Or) else each for each in conditions)
    return reduce(lambda left, right: exp.And(this=left, expression=right), parts)


def _inlined(expression: exp.Expression, names: _Names) -> exp.Expression:
    """An expression in which names are replaced by what they stand for."""

    def put(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Column) or node.table or node.name not in names:
            return node
        made = names[node.name].copy()
        inside = isinstance(node.parent, _COMPOUND) and isinstance(made, _COMPOUND)
        return exp.paren(made, copy=False) if inside else made

    return expression.transform(put)


class _Generator(_DuckDB):  # type: ignore[misc]
    """DuckDB's SQL with the engine's spelling of aliases and dates."""

    def table_sql(self, expression: exp.Table, sep: str = " AS ") -> str:
        sep = " " if isinstance(expression.parent, exp.From) else sep
        return str(super().table_sql(expression, sep))

    def cast_sql(self, expression: exp.Cast, safe_prefix: str | None = None) -> str:
        return f"{self.sql(expression, 'to')} {self.sql(expression, 'this')}"


def _clauses(query: exp.Select) -> Iterator[str]:
    generator = _Generator(dialect="duckdb")
    columns = ", ".join(map(generator.generate, query.expressions))
    yield f"SELECT {'DISTINCT ' if query.args.get('distinct') else ''}{columns}"
    for name in _CLAUSES:
        clause = query.args.get(name) or query.args.get(f"{name}_") or []
        parts = clause if isinstance(clause, list) else [clause]
        yield from (generator.generate(part, copy=False).strip() for part in parts)
