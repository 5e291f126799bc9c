"""What does a model's SQL say: which physical tables it reads, and which columns it makes?"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dagster_rocky.project.snapshot import ColumnSource

if TYPE_CHECKING:
    from dagster_rocky.results import ColumnEdge

_VARIABLE_CALL = re.compile(r"'?@var\([^)]*\)'?")
_PLACEHOLDER = re.compile(r"'?@[A-Za-z_][A-Za-z0-9_]*'?")
_DSL_SOURCE = re.compile(r"^\s*(?:from|join)\s+([A-Za-z_][\w.]*)", re.MULTILINE)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SqlFacts:
    """Tables as they are written (`staging.stg_x`, `cat.sch.tab`) in order of appearance, and output columns.

    `types` has those of columns that the SQL casts, by name in lower case.
    """

    tables: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)


def read_sql(sql: str, dialect: str | None = "duckdb") -> SqlFacts:
    """Parses a model.

    Variables and partition placeholders are taken for values. Names of common table expressions are no tables.

    Args:
        sql: The model's SQL as it is in its file.
        dialect: The warehouse's; an unknown one is parsed as plain SQL.

    Returns:
        What it reads and makes; nothing, with a line in the log, when it cannot be parsed.

    Example:
        ```python
        read_sql("SELECT a FROM staging.stg_x").tables  # ('staging.stg_x',)
        ```
    """
    import sqlglot  # noqa: PLC0415 - only a refresh needs it, and it is slow to import
    from sqlglot import exp  # noqa: PLC0415

    text = _PLACEHOLDER.sub("NULL", _VARIABLE_CALL.sub("'x'", sql))
    try:
        known = dialect if dialect in {item.value for item in sqlglot.dialects.Dialects} else None
        tree = sqlglot.parse_one(text, dialect=known)
        if tree is None:
            return SqlFacts()
        tables = dict.fromkeys(_written_name(table) for table in tree.find_all(exp.Table))
        columns = tree.named_selects if isinstance(tree, exp.Query) else []
        types = _cast_types(tree, known)
    except (sqlglot.errors.SqlglotError, RecursionError, ValueError, LookupError, AttributeError) as error:
        _LOG.warning(
            "rocky: a model's SQL cannot be parsed, its edges come from its sidecar alone: %s", error
        )
        return SqlFacts()
    return SqlFacts(
        tuple(name for name in tables if name),
        tuple(name for name in columns if name and name != "*"),
        types,
    )


def _cast_types(tree: Any, dialect: str | None) -> dict[str, str]:
    """The types of the columns that a plain select casts as a whole."""
    from sqlglot import exp  # noqa: PLC0415

    selected = tree.expressions if isinstance(tree, exp.Select) else []
    casts = {one.alias_or_name.lower(): one.unalias() for one in selected}
    return {
        name: cast.to.sql(dialect=dialect)
        for name, cast in casts.items()
        if name and type(cast) in (exp.Cast, exp.TryCast)
    }


def _written_name(table: Any) -> str:
    """`schema.table` or `catalog.schema.table`; empty for what is no table of a schema.

    That is a common table expression, a function such as `range(3)`, a file, or a name of more parts.
    """
    from sqlglot import exp  # noqa: PLC0415

    parts = [part for part in (table.catalog, table.db, table.name) if part]
    is_plain = isinstance(table.this, exp.Identifier) and table.db and table.name
    return ".".join(parts) if is_plain and not any("." in part for part in parts) else ""


def read_dsl(text: str) -> SqlFacts:
    """The tables of a `.rocky` model: what follows `from` and `join`."""
    return SqlFacts(tuple(name for name in dict.fromkeys(_DSL_SOURCE.findall(text)) if "." in name))


class PhysicalNames:
    """Resolves the names that SQL uses to full names, in one spelling each.

    What the project builds is spelled as the project does, any other table as it is first met: SQL does not tell
    `Orders` from `orders`.

    Args:
        targets: Every `catalog.schema.table` that the project builds.
    """

    def __init__(self, targets: Iterable[str]) -> None:
        self._full: dict[str, str] = {}
        self._short: dict[str, list[str]] = {}
        for target in targets:
            self._full[target.lower()] = target
            self._short.setdefault(target.lower().split(".", 1)[-1], []).append(target)

    def resolve(self, name: str, catalog: str) -> str:
        """The full name; a table that the project does not build gets the reader's catalog.

        Args:
            name: As SQL writes it: `table`, `schema.table` or `catalog.schema.table`.
            catalog: The reader's own, for names without one.

        Returns:
            `catalog.schema.table`, or the name itself when it has no schema.
        """
        parts = name.split(".")
        if len(parts) == 3:
            return self._full.setdefault(name.lower(), name)
        if len(parts) == 2:
            matches = self._short.get(name.lower(), [])
            own = [match for match in matches if match.split(".", 1)[0].lower() == catalog.lower()]
            if own or len(matches) == 1:
                return (own or matches)[0]
            return self._full.setdefault(f"{catalog}.{name}".lower(), f"{catalog}.{name}")
        return name


def column_sources(
    edges: Sequence[ColumnEdge], targets: Mapping[str, str], names: PhysicalNames
) -> dict[str, list[ColumnSource]]:
    """The engine's column lineage by model, with physical tables as sources.

    Args:
        edges: The `column_lineage` of `dag`.
        targets: `catalog.schema.table` by model name.
        names: Resolves the tables that the edges name.

    Returns:
        By model, each edge once; columns that come from a sub-select, a common table expression or a function are
        left out, since the engine does not say whose they are.
    """
    by_name = {name.lower(): target for name, target in targets.items()}
    found: dict[str, dict[tuple[str, str, str], ColumnSource]] = {}
    for edge in edges:
        target = targets.get(edge.target.model)
        if target is None or "(" in edge.source.model:
            continue
        named = targets.get(edge.source.model) or by_name.get(edge.source.model.lower())
        source = named or names.resolve(edge.source.model, target.split(".", 1)[0])
        if "." not in source:
            continue
        made = ColumnSource(column=edge.target.column, table=source, source_column=edge.source.column)
        key = (made.column.lower(), made.table.lower(), made.source_column.lower())
        found.setdefault(edge.target.model, {}).setdefault(key, made)
    return {model: list(sources.values()) for model, sources in found.items()}
