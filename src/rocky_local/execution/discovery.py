"""Which source tables there are, and where each of them is copied to (contract, 3 and 5.1)."""

import fnmatch
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from rocky_local import tracing
from rocky_local.adapter import DuckDBAdapter
from rocky_local.errors import EngineError
from rocky_local.project.pipeline import Pipeline, TableOverride
from rocky_local.project.tables import Place

SOURCE_TYPE = "duckdb"
LOG = tracing.Log("rocky_cli::commands::discover")


def overlap_name(table: str) -> str:
    """Return how the check of a table against its siblings of the same name is called."""
    return f"cross_source_overlap:{SOURCE_TYPE}.{table}"


def check_names(*names: str, of_tables: bool = True) -> None:
    """Refuse names that the engine does not write into SQL, where it quotes none (contract, 18)."""
    for name in names:
        if not re.fullmatch(r"[a-zA-Z0-9_]+", name):
            text = f"invalid SQL identifier '{name}': must match [a-zA-Z0-9_]+"
            raise EngineError(*([f"dialect error: {text}", text] if of_tables else [text]))


class Source(NamedTuple):
    """One source schema that fits the pipeline's pattern."""

    id: str
    components: dict[str, str | list[str]]
    tables: tuple[str, ...]

    def asset_key(self, table: str) -> list[str]:
        """Return the key of one of its tables.

        Example:
            >>> Source("raw__a__b", {"x": ["a", "b"]}, ("t",)).asset_key("t")
            ['duckdb', 'a', 'b', 't']
        """
        values = self.components.values()
        flat = [part for value in values for part in ([value] if isinstance(value, str) else value)]
        return [SOURCE_TYPE, *flat, table]

    def wanted(self, choice: tuple[str, str] | None) -> bool:
        """Return whether a filter lets it in; one on tables looks into every source."""
        if choice is None or choice[0] == "table":
            return True
        found = self.id if choice[0] == "id" else self.components.get(choice[0])
        return choice[1] in found if isinstance(found, list) else choice[1] == found


class TableCopy(NamedTuple):
    """One table to copy: from where, to where, and how."""

    source: Source
    table: str
    place: Place
    strategy: str
    timestamp_column: str
    merge_keys: tuple[str, ...]
    metadata_columns: tuple[str, ...] = ()

    @property
    def source_name(self) -> str:
        """The source as SQL names it."""
        return f"{self.source.id}.{self.table}"

    @property
    def target(self) -> str:
        """The full name of the copy."""
        return self.place.name

    @property
    def asset_key(self) -> list[str]:
        """The key under which results report it."""
        return self.source.asset_key(self.place.table)

    def select(self) -> str:
        """Return the query that reads the source: everything, then the metadata columns."""
        return f"SELECT {', '.join(['*', *self.metadata_columns])}\nFROM {self.source_name}"


class Shadow(NamedTuple):
    """Where a shadow run writes instead: a suffix on the tables, or one schema for all (contract, 5.9)."""

    suffix: str = "_rocky_shadow"
    schema: str | None = None

    def redirect(self, place: Place) -> Place:
        """Return the table that stands in for the real one."""
        if self.schema:
            return place._replace(schema=self.schema)
        return place._replace(table=place.table + self.suffix)


class CopyPlan(NamedTuple):
    """What a replication will do; there is one of the `schemas` for each source, `unmatched` rules fit no table."""

    copies: list[TableCopy]
    excluded: list[tuple[Source, str]]
    schemas: list[str]
    sources: list[Source]
    unmatched: list[TableOverride]


def discover_sources(adapter: DuckDBAdapter, pipeline: Pipeline, *, warn: bool = False) -> Iterator[Source]:
    """Yield the sources of a pipeline by schema name; `warn` logs the schemas that only the prefix fits."""
    for schema, tables in adapter.base_tables(pipeline.pattern.prefix).items():
        try:
            components = pipeline.pattern.parse(schema)
        except ValueError as error:
            if warn:
                LOG.warn("skipping source with unparseable schema", schema=schema, error=str(error))
            continue
        yield Source(schema, components, tuple(tables))


def plan_copies(
    adapter: DuckDBAdapter, pipeline: Pipeline, text: str | None, shadow: Shadow | None = None
) -> CopyPlan:
    """Decide which tables a `--filter` lets in, and where each is copied to, or to which shadow."""
    choice = _parse_filter(text)
    wanted = [source for source in discover_sources(adapter, pipeline) if source.wanted(choice)]
    plan = CopyPlan([], [], [], wanted, [])
    matched: set[TableOverride] = set()
    for source in wanted:
        names = (pipeline.target.catalog_template, pipeline.target.schema_template)
        catalog, schema = (pipeline.pattern.fill(name, source.components) for name in names)
        plan.schemas.append(shadow.schema if shadow and shadow.schema else schema)
        for table in source.tables:
            if choice and choice[0] == "table" and table != choice[1]:
                continue
            rules = [rule for rule in pipeline.table_overrides if _matches(rule, source, table)]
            matched.update(rules)
            rules.sort(key=_generality)
            if _first(rules, "enabled", True) is False:
                plan.excluded.append((source, table))
            else:
                place = Place(catalog, schema, table)
                place = shadow.redirect(place) if shadow else place
                plan.copies.append(_copy(pipeline, source, table, place, rules))
    plan.unmatched.extend(rule for rule in pipeline.table_overrides if rule not in matched)
    _reject_collisions(plan.copies)
    return plan


def _parse_filter(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    key, equals, value = text.partition("=")
    if not equals:
        raise EngineError(f"invalid filter '{text}': expected key=value (e.g., client=acme)")
    return key, value


def _matches(rule: TableOverride, source: Source, table: str) -> bool:
    connector, pattern = rule.match.connector, rule.match.table or "*"
    return connector in (None, source.id) and fnmatch.fnmatchcase(table, pattern.replace("[", "[[]"))


def _generality(rule: TableOverride) -> int:
    """A connector with a literal table comes first, then with a pattern, then alone, then a table alone."""
    if rule.match.connector is None:
        return 3 if rule.match.table else 4
    return 2 if rule.match.table is None else int("*" in rule.match.table or "?" in rule.match.table)


def _first(rules: list[TableOverride], name: str, default: Any) -> Any:
    """What the most specific rule that says anything about a field says."""
    return next((value for rule in rules if (value := getattr(rule, name)) not in (None, ())), default)


def _copy(
    pipeline: Pipeline, source: Source, table: str, place: Place, rules: list[TableOverride]
) -> TableCopy:
    added = (
        f"CAST({pipeline.pattern.fill(column.value, source.components)} AS {column.type}) AS {column.name}"
        for column in pipeline.metadata_columns
    )
    fields = ("strategy", "timestamp_column", "merge_keys")
    how = {field: _first(rules, field, getattr(pipeline, field)) for field in fields}
    return TableCopy(source, table, place, **how, metadata_columns=tuple(added))


def _reject_collisions(copies: list[TableCopy]) -> None:
    seen: dict[str, TableCopy] = {}
    for copy in copies:
        other = seen.setdefault(copy.target, copy)
        if other is not copy:
            raise EngineError(
                f"two sources resolve to the same target table '{copy.target}': '{other.source_name}' and "
                f"'{copy.source_name}'. Writing both would leave whichever ran last, and the run would still report "
                "copying two tables. This happens when `--shadow-schema` replaces a schema template whose only "
                "distinguishing component is the connector (e.g. `staging__{source}`). Use `--shadow-suffix` instead, "
                "which keeps the template and renames the table, or give the sources distinct target tables."
            )
