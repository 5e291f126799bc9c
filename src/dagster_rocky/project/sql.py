"""What a model's SQL says: the physical tables that it reads and the columns that it makes."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dagster_rocky.project.snapshot import ColumnSource
from dagster_rocky.results import ColumnEdge

_VARIABLE_CALL = re.compile(r"'?@var\([^)]*\)'?")
_PLACEHOLDER = re.compile(r"'?@[A-Za-z_][A-Za-z0-9_]*'?")
_DSL_SOURCE = re.compile(r"^\s*(?:from|join)\s+([A-Za-z_][\w.]*)", re.MULTILINE)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SqlFacts:
    """Tables as they are written (`staging.stg_x`, `cat.sch.tab`) in order of appearance, and output columns."""

    tables: tuple[str, ...] = ()
    columns: tuple[str, ...] = field(default=())


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
    except sqlglot.errors.SqlglotError as error:
        _LOG.warning(
            "rocky: a model's SQL cannot be parsed, its edges come from its sidecar alone: %s", error
        )
        return SqlFacts()
    if tree is None:
        return SqlFacts()
    aliases = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    tables: dict[str, None] = {}
    for table in tree.find_all(exp.Table):
        name = ".".join(part for part in (table.catalog, table.db, table.name) if part)
        if table.name and not (not table.db and table.name in aliases):
            tables.setdefault(name)
    columns = tree.named_selects if isinstance(tree, exp.Query) else []
    return SqlFacts(tuple(tables), tuple(name for name in columns if name and name != "*"))


def read_dsl(text: str) -> SqlFacts:
    """The tables of a `.rocky` model: what follows `from` and `join`."""
    return SqlFacts(tuple(dict.fromkeys(_DSL_SOURCE.findall(text))))


class PhysicalNames:
    """Resolves the names that SQL uses to the full names of tables that the project builds.

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
            return self._full.get(name.lower(), name)
        if len(parts) == 2:
            matches = self._short.get(name.lower(), [])
            own = [match for match in matches if match.split(".", 1)[0].lower() == catalog.lower()]
            if own or len(matches) == 1:
                return (own or matches)[0]
            return f"{catalog}.{name}"
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
        By model; columns that come from a sub-select are left out, since the engine does not say whose they are.
    """
    found: dict[str, list[ColumnSource]] = {}
    for edge in edges:
        target = targets.get(edge.target.model)
        if target is None or edge.source.model.startswith("("):
            continue
        source = targets.get(edge.source.model) or names.resolve(edge.source.model, target.split(".", 1)[0])
        made = ColumnSource(column=edge.target.column, table=source, source_column=edge.source.column)
        found.setdefault(edge.target.model, []).append(made)
    return found
