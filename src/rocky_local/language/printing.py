"""How a lowered query is written: each clause on a line of its own, as the engine does."""

from typing import Any

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

_CLAUSES = ("from", "joins", "where", "group", "having", "order", "limit")
_DuckDB: Any = DuckDB.Generator


class _Generator(_DuckDB):  # type: ignore[misc]
    """DuckDB's SQL with the engine's spelling of aliases and dates."""

    def table_sql(self, expression: exp.Table, sep: str = " AS ") -> str:
        sep = " " if isinstance(expression.parent, exp.From) else sep
        return str(super().table_sql(expression, sep))

    def cast_sql(self, expression: exp.Cast, safe_prefix: str | None = None) -> str:
        return f"{self.sql(expression, 'to')} {self.sql(expression, 'this')}"


def to_text(query: exp.Select) -> str:
    """Return a query as the engine writes it.

    Example:
        >>> from sqlglot import parse_one
        >>> print(to_text(parse_one("SELECT a FROM t AS x WHERE a > 1")))
        SELECT a
        FROM t x
        WHERE a > 1
    """
    generator = _Generator(dialect="duckdb")
    columns = ", ".join(map(generator.generate, query.expressions))
    lines = [f"SELECT {'DISTINCT ' if query.args.get('distinct') else ''}{columns}"]
    for name in _CLAUSES:
        clause = query.args.get(name) or query.args.get(f"{name}_") or []
        parts = clause if isinstance(clause, list) else [clause]
        lines += [generator.generate(part, copy=False).strip() for part in parts]
    return "\n".join(lines)
