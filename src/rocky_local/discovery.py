"""Which source tables there are, and where each of them is copied to."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rocky_local import tracing
from rocky_local.errors import EngineError

if TYPE_CHECKING:
    from rocky_local.adapter import DuckDBAdapter
    from rocky_local.config import Pipeline, TableOverride

SOURCE_TYPE = "duckdb"


@dataclass(frozen=True)
class Source:
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
        parts = [SOURCE_TYPE]
        for value in self.components.values():
            parts += [value] if isinstance(value, str) else value
        return [*parts, table]


@dataclass(frozen=True)
class Shadow:
    """Where a shadow run writes instead: a suffix on the tables, or one schema for all."""

    suffix: str = "_rocky_shadow"
    schema: str | None = None

    def redirect(self, schema: str, table: str) -> tuple[str, str]:
        """Return the schema and table that stand in for the real ones."""
        return (self.schema, table) if self.schema else (schema, table + self.suffix)


@dataclass(frozen=True)
class TableCopy:
    """One table to copy: from where, to where, and how."""

    source: Source
    table: str
    catalog: str
    schema: str
    target_table: str
    strategy: str
    timestamp_column: str
    merge_keys: tuple[str, ...]
    metadata_columns: tuple[dict[str, Any], ...] = ()

    @property
    def source_name(self) -> str:
        """The source as SQL names it."""
        return f"{self.source.id}.{self.table}"

    @property
    def target(self) -> str:
        """The full name of the copy."""
        return f"{self.catalog}.{self.schema}.{self.target_table}"

    @property
    def asset_key(self) -> list[str]:
        """The key under which results report it."""
        return self.source.asset_key(self.target_table)

    def select_list(self) -> str:
        """Return what is selected from the source: everything, then the metadata columns."""
        parts = ["*"]
        for column in self.metadata_columns:
            value = str(column["value"])
            for name, component in self.source.components.items():
                text = component if isinstance(component, str) else "__".join(component)
                value = value.replace("{" + name + "}", text)
            parts.append(f"CAST({value} AS {column['type']}) AS {column['name']}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Exclusion:
    """A table that an override switches off."""

    source: Source
    table: str

    def as_json(self) -> dict[str, Any]:
        """Return the entry of `excluded_tables`."""
        return {
            "asset_key": self.source.asset_key(self.table),
            "source_schema": self.source.id,
            "table_name": self.table,
            "reason": "table_override_disabled",
        }


@dataclass(frozen=True)
class CopyPlan:
    """What one replication run will do.

    Attributes:
        schemas: The target schemas, one entry for each source, whether tables of it are copied or not.
        unmatched: The override rules that matched no table.
    """

    copies: tuple[TableCopy, ...]
    excluded: tuple[Exclusion, ...]
    schemas: tuple[str, ...]
    unmatched: tuple[TableOverride, ...]


def discover_sources(adapter: DuckDBAdapter, pipeline: Pipeline, *, warn: bool = False) -> list[Source]:
    """Return the sources of a replication pipeline, sorted by schema name.

    Args:
        adapter: Where the source schemas are.
        pipeline: Whose pattern they must fit.
        warn: Log the schemas that the prefix finds but the pattern does not fit.
    """
    sources = []
    for schema in adapter.schemas_like(pipeline.pattern.prefix):
        tables = adapter.base_tables(schema)
        try:
            components = pipeline.pattern.parse(schema)
        except ValueError as error:
            if warn:
                tracing.warn(
                    "rocky_cli::commands::discover",
                    "skipping source with unparseable schema",
                    schema=schema,
                    error=tracing.Display(error),
                )
            continue
        sources.append(Source(schema, components, tuple(tables)))
    return sources


def parse_filter(text: str | None) -> tuple[str, str] | None:
    """Return a `--filter` as key and value.

    Raises:
        EngineError: It has no `=`.
    """
    if text is None:
        return None
    key, equals, value = text.partition("=")
    if not equals:
        raise EngineError(f"invalid filter '{text}': expected key=value (e.g., client=acme)")
    return key, value


def plan_copies(
    pipeline: Pipeline, sources: list[Source], wanted: tuple[str, str] | None, shadow: Shadow | None = None
) -> CopyPlan:
    """Decide which tables are copied where.

    Args:
        pipeline: The replication.
        sources: What was discovered.
        wanted: A filter as key and value: `id`, `table` or a component.
        shadow: Where to write instead of the real targets.

    Raises:
        EngineError: Two sources would write the same table.
    """
    copies, excluded, schemas = [], [], []
    matched: set[int] = set()
    for source in sources:
        if not _source_wanted(source, wanted):
            continue
        schema = pipeline.pattern.fill(pipeline.schema_template, source.components)
        schemas.append(shadow.schema if shadow and shadow.schema else schema)
        for table in source.tables:
            if wanted and wanted[0] == "table" and table != wanted[1]:
                continue
            override = _override_for(pipeline, source, table, matched)
            if override is not None and not override.enabled:
                excluded.append(Exclusion(source, table))
            else:
                copies.append(_copy(pipeline, source, table, schema, override=override, shadow=shadow))
    _reject_collisions(copies)
    unmatched = tuple(rule for rule in pipeline.overrides if rule.index not in matched)
    return CopyPlan(tuple(copies), tuple(excluded), tuple(schemas), unmatched)


def _source_wanted(source: Source, wanted: tuple[str, str] | None) -> bool:
    if wanted is None or wanted[0] == "table":
        return True
    key, value = wanted
    if key == "id":
        return source.id == value
    component = source.components.get(key)
    return value in component if isinstance(component, list) else component == value


def _override_for(pipeline: Pipeline, source: Source, table: str, matched: set[int]) -> TableOverride | None:
    """Return the first rule that matches, and note every rule that does."""
    first = None
    for rule in pipeline.overrides:
        if rule.connector is not None and not fnmatch.fnmatchcase(source.id, rule.connector):
            continue
        if rule.table is not None and not fnmatch.fnmatchcase(table, rule.table):
            continue
        matched.add(rule.index)
        first = first or rule
    return first


def _copy(
    pipeline: Pipeline,
    source: Source,
    table: str,
    schema: str,
    *,
    override: TableOverride | None,
    shadow: Shadow | None,
) -> TableCopy:
    target_schema, target_table = shadow.redirect(schema, table) if shadow else (schema, table)
    return TableCopy(
        source=source,
        table=table,
        catalog=pipeline.pattern.fill(pipeline.catalog_template, source.components),
        schema=target_schema,
        target_table=target_table,
        strategy=(override and override.strategy) or pipeline.strategy,
        timestamp_column=(override and override.timestamp_column) or pipeline.timestamp_column,
        merge_keys=(override and override.merge_keys) or pipeline.merge_keys,
        metadata_columns=tuple(pipeline.raw.get("metadata_columns", ())),
    )


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


def unmatched_warning(rule: TableOverride) -> dict[str, Any]:
    """Return the entry of `override_warnings` for a rule that matched nothing."""

    def shown(value: str | None) -> str:
        return "None" if value is None else f'Some("{value}")'

    message = (
        f"[[table_overrides]] rule index {rule.index} (connector = {shown(rule.connector)}, "
        f"table = {shown(rule.table)}) matched no (connector, table) pair in this run"
    )
    entry: dict[str, Any] = {"rule_index": rule.index, "kind": "zero_match", "message": message}
    if rule.connector is not None:
        entry["connector"] = rule.connector
    if rule.table is not None:
        entry["table"] = rule.table
    return entry
