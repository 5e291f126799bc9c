"""Which columns a query gives, and from which columns of which tables each of them comes; found once and remembered.

What is remembered lives in `.rocky/`, beside traces and plans. Losing it costs time only.
"""

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from rocky_local import side_files
from rocky_local.errors import NotAQuery

SUBQUERY = "(subquery)"
_PLACEHOLDER = re.compile(r"@(start_date|end_date)\b")
_STATEMENT = re.compile(
    r"SELECT|WITH|VALUES|FROM|TABLE|INSERT|UPDATE|DELETE|MERGE|CREATE|DROP|ALTER|EXPLAIN|SHOW|SET|USE", re.I
)
_PATH = side_files.ROCKY / "lineage.json"
# What is remembered came from this code; other code may find out something else.
_CODE = (*sorted(Path(__file__).parents[1].glob("language/*.py")), Path(__file__))
_KEPT = 5000


class ColumnEdge(NamedTuple):
    """One output column and one that it is made from, of a table as the query names it, and how."""

    source: str
    source_column: str
    column: str
    transform: str


class QueryLineage(NamedTuple):
    """The columns that a query gives but for stars, the tables that it names in FROM and JOIN, its order."""

    columns: list[str]
    edges: list[ColumnEdge]
    tables: list[str]
    order: list[str]
    has_star: bool = False

    def transforms(self, column: str) -> list[str]:
        """Return how a column is made, one entry for each column that it comes from."""
        return [edge.transform for edge in self.edges if edge.column == column]


def analyse(sql: str) -> QueryLineage:
    """Read the lineage of a model's query.

    Args:
        sql: One query; `@start_date` and `@end_date` may stand where values do.

    Raises:
        NotAQuery: Not SQL, or a query of a kind that the engine cannot trace.

    Example:
        >>> [edge.transform for edge in analyse("SELECT SUM(t.a) AS a FROM s.t AS t").edges]
        ['aggregation: sum']
    """
    from sqlglot import exp  # noqa: PLC0415

    text = _PLACEHOLDER.sub(r"'@\1'", sql)
    query = _parse(text)
    if not isinstance(query, exp.Select):
        raise NotAQuery("unsupported query type for lineage")
    aliases = _aliases(query)
    tables = [name for name in dict.fromkeys(aliases.values()) if name != SUBQUERY]
    ordered = query.args["order"].expressions if query.args.get("order") else []
    order = [key.this.name for key in ordered if isinstance(key.this, exp.Column)]
    named = [projection for projection in query.expressions if not projection.is_star]
    result = QueryLineage([], [], tables, order, len(named) < len(query.expressions))
    for projection in named:
        name = projection.alias_or_name or projection.sql(dialect="duckdb")
        result.columns.append(name)
        transform = _transform(projection.unalias(), text)
        for column in projection.find_all(exp.Column):
            only = next(iter(aliases.values())) if len(aliases) == 1 else None
            source = aliases.get(column.table, column.table) if column.table else only
            if source is not None:
                result.edges.append(ColumnEdge(source, column.name, name, transform))
    return result


def _parse(sql: str) -> Any:
    import sqlglot  # noqa: PLC0415
    from sqlglot.errors import SqlglotError  # noqa: PLC0415

    first = re.match(r"\s*(?:--[^\n]*\n\s*)*([A-Za-z_]+)", sql)
    if first and not _STATEMENT.fullmatch(first[1]):
        line = sql.count("\n", 0, first.start(1)) + 1
        column = first.start(1) - sql.rfind("\n", 0, first.start(1))
        at = f"Line: {line}, Column: {column}"
        raise NotAQuery(f"sql parser error: Expected: an SQL statement, found: {first[1]} at {at}")
    try:
        return sqlglot.parse_one(sql, dialect="duckdb")
    except RecursionError as error:
        raise NotAQuery("sql parser error: recursion limit exceeded") from error
    except SqlglotError as error:
        where = (getattr(error, "errors", None) or [{}])[0]
        at = f"Line: {where.get('line', 1)}, Column: {where.get('col', 1)}"
        found = where.get("highlight") or "EOF"
        raise NotAQuery(f"sql parser error: Expected: an expression, found: {found} at {at}") from error


def _aliases(query: Any) -> dict[str, str]:
    """Map each name that columns can be qualified with to the table behind it."""
    from sqlglot import exp  # noqa: PLC0415

    ctes = {cte.alias for cte in query.ctes}
    origin = query.args.get("from_") or query.args.get("from")
    found: dict[str, str] = {}
    for clause in [*([origin] if origin else []), *(query.args.get("joins") or [])]:
        source = clause.this
        if isinstance(source, exp.Table):
            name = ".".join(part.name for part in source.parts)
            found[source.alias_or_name] = SUBQUERY if name in ctes else name
        else:
            found[source.alias_or_name or SUBQUERY] = SUBQUERY
    return found


def _transform(expression: Any, text: str) -> str:
    """Return how an output column is made; the engine calls every function an aggregation."""
    from sqlglot import exp  # noqa: PLC0415

    if isinstance(expression, exp.Column):
        return "direct"
    if isinstance(expression, exp.Cast):
        return "cast"
    if isinstance(expression, exp.Window):
        expression = expression.this
    if isinstance(expression, exp.Func) and "start" in expression.meta:
        return f"aggregation: {text[expression.meta['start'] : expression.meta['end'] + 1].lower()}"
    if isinstance(expression, exp.AggFunc):
        return f"aggregation: {expression.sql_name().lower()}"
    return "expression"


class QueryCache(AbstractContextManager["QueryCache"]):
    """A dictionary of parsed queries; what was asked for is written back at the end of a `with` block."""

    def __init__(self, path: Path = _PATH) -> None:
        self._path = path
        self._learned = False

    @cached_property
    def _format(self) -> str:
        return hashlib.sha256(b"".join(path.read_bytes() for path in _CODE if path.exists())).hexdigest()

    @cached_property
    def _queries(self) -> dict[str, dict[str, Any]]:
        with suppress(OSError, ValueError, KeyError, TypeError):
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            if stored["format"] == self._format:
                return dict(stored["queries"])
        return {}

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self._learned or kind is not None:
            return
        kept = dict([*self._queries.items()][-_KEPT:])
        with suppress(OSError):  # A folder that cannot be written to: the next invocation parses again.
            side_files.replace(self._path, json.dumps({"format": self._format, "queries": kept}))

    def analyse(self, sql: str) -> QueryLineage:
        """Return the lineage of a query; one that cannot be analysed is never remembered."""
        entry = self._remembered("analyse", sql, lambda: analyse(sql)._asdict())
        return QueryLineage(**{**entry, "edges": [ColumnEdge(*edge) for edge in entry["edges"]]})

    def lower(self, source: str) -> str:
        """Return the SQL of a text in the pipeline language; an error is never remembered."""

        def lowered() -> dict[str, Any]:
            from rocky_local.language import to_sql  # noqa: PLC0415

            return {"sql": to_sql(source)}

        return str(self._remembered("lower", source, lowered)["sql"])

    def _remembered(self, what: str, text: str, find: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        key = hashlib.sha256(f"{what} {text}".encode()).hexdigest()
        entry = self._queries.pop(key, None)
        if entry is None:
            entry = find()
            self._learned = True
        self._queries[key] = entry  # What was asked for last is at the end and is kept longest.
        return entry
