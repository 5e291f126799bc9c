"""`rocky.toml`: what is configured, read strictly where the engine is strict."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rocky_local import toml
from rocky_local.errors import ConfigError, EngineError, Unsupported

# fmt: off
TOP_LEVEL = (
    "state", "adapter", "adapters", "pipeline", "pipelines", "hook", "hooks", "cost", "budget", "schema_evolution",
    "retry", "portability", "cache", "mask", "classifications", "role", "roles", "ai", "branch", "freshness",
    "schedule", "imports", "run", "reuse", "gc", "policy", "fulfill", "resilience",
)
# fmt: on
PIPELINE_TYPES = ("replication", "transformation", "quality", "snapshot", "load")
ADAPTER_TYPES = (
    "databricks",
    "duckdb",
    "snowflake",
    "bigquery",
    "trino",
    "fivetran",
    "airbyte",
    "iceberg",
    "manual",
)
REPLICATION_STRATEGIES = ("incremental", "full_refresh", "merge", "view")
DEFAULT_CONCURRENCY = 32

_SUB_TABLES = {
    dotted: tuple(names.split())
    for dotted, names in {
        "source": "adapter catalog schema table schema_pattern discovery",
        "source.schema_pattern": "prefix separator components",
        "source.discovery": "adapter report_new_sources",
        "target": "adapter catalog schema table catalog_template schema_template governance separator",
        "target.governance": "auto_create_catalogs auto_create_schemas tags isolation grants schema_grants",
        "execution": "concurrency fail_fast table_retries error_rate_abort_pct",
        "checks": "enabled row_count column_match freshness null_rate custom assertions cross_source_overlap "
        "anomaly_threshold_pct fail_on_error quarantine",
        "options": "create_table truncate_first format batch_size csv_delimiter csv_has_header",
    }.items()
}
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


@dataclass(frozen=True)
class Adapter:
    """One `[adapter]` table: a connection."""

    name: str
    type: str
    path: str | None
    raw: dict[str, Any]


@dataclass(frozen=True)
class SchemaPattern:
    """How a source schema's name is taken apart, and which schemas count at all.

    Example:
        >>> pattern = SchemaPattern("in__", "__", ("operator", "zones...", "system"))
        >>> pattern.parse("in__lagoon__north__iceland__fleet")
        {'operator': 'lagoon', 'zones': ['north', 'iceland'], 'system': 'fleet'}
    """

    prefix: str
    separator: str
    components: tuple[str, ...]

    def parse(self, schema: str) -> dict[str, str | list[str]]:
        """Return the components of a schema name; a `name...` component is a list.

        Raises:
            ValueError: The name does not fit the pattern; the text says how.
        """
        if not schema.startswith(self.prefix):
            raise ValueError(f"schema '{schema}' does not start with prefix '{self.prefix}'")
        segments = schema[len(self.prefix) :].split(self.separator)
        if len(segments) < len(self.components):
            need = f"at least {len(self.components)}"
            raise ValueError(f"schema '{schema}' has {len(segments)} segments but pattern requires {need}")
        many = next((n for n, name in enumerate(self.components) if name.endswith("...")), None)
        if many is None:
            if len(segments) > len(self.components):
                need = f"exactly {len(self.components)}"
                raise ValueError(
                    f"schema '{schema}' has {len(segments)} segments but pattern requires {need}"
                )
            return dict(zip(self.components, segments, strict=True))
        after = len(self.components) - many - 1
        values: dict[str, str | list[str]] = dict(zip(self.components[:many], segments[:many], strict=True))
        values[self.components[many].removesuffix("...")] = segments[many : len(segments) - after]
        values.update(zip(self.components[many + 1 :], segments[len(segments) - after :], strict=True))
        return values

    def fill(self, template: str, components: dict[str, str | list[str]]) -> str:
        """Return a `{component}` template with the values in place."""
        for name, value in components.items():
            text = value if isinstance(value, str) else self.separator.join(value)
            template = template.replace("{" + name + "}", text)
        return template


@dataclass(frozen=True)
class TableOverride:
    """One `[[table_overrides]]` rule; the first that matches a table applies."""

    index: int
    connector: str | None
    table: str | None
    enabled: bool
    strategy: str | None
    timestamp_column: str | None
    merge_keys: tuple[str, ...]


@dataclass(frozen=True)
class Execution:
    """How many tables at a time, and what happens when one fails."""

    concurrency: int = DEFAULT_CONCURRENCY
    adaptive: bool = True
    fail_fast: bool = False
    table_retries: int = 1
    error_rate_abort_pct: int = 50


@dataclass(frozen=True)
class Pipeline:
    """One `[pipeline.NAME]` table of any type.

    Attributes:
        raw: The table as written, for what only one command reads.
    """

    name: str
    type: str
    raw: dict[str, Any]
    depends_on: tuple[str, ...] = ()
    adapter: str = "default"
    source_adapter: str = "default"
    auto_create_schemas: bool = False
    execution: Execution = field(default_factory=Execution)
    strategy: str = "incremental"
    timestamp_column: str = "_fivetran_synced"
    merge_keys: tuple[str, ...] = ()
    pattern: SchemaPattern = SchemaPattern("", "__", ())
    catalog_template: str = ""
    schema_template: str = ""
    overrides: tuple[TableOverride, ...] = ()
    report_new_sources: bool = False

    @property
    def checks(self) -> dict[str, Any]:
        """The `[checks]` table, empty when there is none or it is switched off."""
        table: dict[str, Any] = self.raw.get("checks", {})
        return table if table.get("enabled", True) else {}

    @property
    def models_glob(self) -> str:
        """The `models` glob of a transformation pipeline."""
        return str(self.raw.get("models", "models/**"))


@dataclass(frozen=True)
class Config:
    """A whole `rocky.toml`."""

    path: str
    adapters: dict[str, Adapter]
    pipelines: dict[str, Pipeline]
    raw: dict[str, Any]

    @property
    def directory(self) -> Path:
        """The folder that holds the file."""
        return Path(self.path).parent

    def models_dir(self, pipeline: Pipeline | None = None) -> str:
        """Return the models folder as log lines show it: `./models/`, beside the config file."""
        glob = pipeline.models_glob if pipeline else "models/**"
        base = re.split(r"[*?\[]", glob, maxsplit=1)[0].rstrip("/") or "."
        folder = str(self.directory)
        return f"{folder}/{base}/"

    def select(self, name: str | None) -> Pipeline:
        """Return the named pipeline, or the only one.

        Raises:
            EngineError: There is none, it is unknown, or there are several and none was named.
        """
        if name is not None:
            if name not in self.pipelines:
                raise EngineError(f"pipeline '{name}' not found in config")
            return self.pipelines[name]
        if not self.pipelines:
            raise EngineError("no pipelines defined in config")
        if len(self.pipelines) > 1:
            names = ", ".join(sorted(self.pipelines))
            raise EngineError(f"multiple pipelines defined ({names}). Use --pipeline <name> to select one.")
        return next(iter(self.pipelines.values()))

    def select_replication(self, name: str | None) -> Pipeline:
        """Return the selected pipeline, which must be a replication."""
        pipeline = self.select(name)
        if pipeline.type != "replication":
            raise EngineError(
                f"pipeline '{pipeline.name}' is type '{pipeline.type}', "
                "but this command only supports replication pipelines"
            )
        return pipeline

    def duckdb_path(self, adapter: str) -> str:
        """Return the DuckDB file of an adapter.

        Raises:
            EngineError: No such adapter, or a type that does not exist.
            Unsupported: A type that only the real engine knows.
        """
        if adapter not in self.adapters:
            raise EngineError(f"adapter '{adapter}' not found in config")
        found = self.adapters[adapter]
        if found.type not in ADAPTER_TYPES:
            raise EngineError(f"adapters.{adapter}: {unsupported_adapter(found.type)}")
        if found.type != "duckdb":
            raise Unsupported(f"the adapter type '{found.type}' (adapters.{adapter})")
        return found.path or ":memory:"


def unsupported_adapter(kind: str, label: str = "unsupported adapter type") -> str:
    """Return the sentence for an adapter type that nobody knows."""
    import difflib  # noqa: PLC0415

    near = difflib.get_close_matches(kind, ADAPTER_TYPES, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"{label} '{kind}'. Supported: {', '.join(ADAPTER_TYPES)}.{hint}"


def load_config(path: str) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: The file is missing, is not TOML, or holds what does not belong there.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError:
        raise ConfigError(path, f"No rocky.toml found at '{path}'") from None
    text = substitute(text, path)
    try:
        raw = toml.parse(text)
        _reject_unknown(raw, TOP_LEVEL)
        adapters = _adapters(raw.get("adapter", raw.get("adapters", {})))
        tables = raw.get("pipeline", raw.get("pipelines", {}))
        pipelines = {name: _pipeline(name, table, adapters) for name, table in tables.items()}
    except toml.TomlError as error:
        position = (error.line, error.column) if error.line else None
        raise ConfigError(path, f"failed to parse TOML: {error}", str(error), syntax=position) from error
    return Config(path=path, adapters=adapters, pipelines=pipelines, raw=raw)


def substitute(text: str, path: str) -> str:
    """Return the text with `${VAR}` and `${VAR:-default}` replaced from the environment.

    Raises:
        ConfigError: A variable without a default is not set.
    """
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], match[2])
        if found is None:
            missing.append(match[1])
            return ""
        return found

    replaced = _VARIABLE.sub(value, text)
    if missing:
        raise ConfigError(path, f"environment variable '{missing[0]}' not set")
    return replaced


def _reject_unknown(table: dict[str, Any], allowed: tuple[str, ...]) -> None:
    for key in table:
        if key not in allowed:
            raise toml.unknown_field(key, tuple(allowed))


def _adapters(table: dict[str, Any]) -> dict[str, Adapter]:
    named = {"default": table} if "type" in table else table
    adapters = {}
    for name, entry in named.items():
        if "type" not in entry:
            raise toml.TomlError("missing field `type`\n", 0, 0)
        adapters[name] = Adapter(name, entry["type"], entry.get("path"), entry)
    return adapters


def _pipeline(name: str, table: dict[str, Any], adapters: dict[str, Adapter]) -> Pipeline:
    kind = table.get("type", "replication")
    if kind not in PIPELINE_TYPES:
        expected = ", ".join(f"`{known}`" for known in PIPELINE_TYPES)
        raise toml.TomlError(f"unknown variant `{kind}`, expected one of {expected}\n", 0, 0)
    for dotted, allowed in _SUB_TABLES.items():
        found: Any = table
        for part in dotted.split("."):
            found = found.get(part, {}) if isinstance(found, dict) else {}
        if isinstance(found, dict):
            _reject_unknown(found, tuple(allowed))
    source, target = table.get("source", {}), table.get("target", {})
    pattern = source.get("schema_pattern", {})
    strategy = table.get("strategy", "incremental")
    if kind == "replication" and strategy not in REPLICATION_STRATEGIES:
        raise toml.TomlError(f"unknown strategy `{strategy}` in pipeline '{name}'\n", 0, 0)
    fallback = "default" if "default" in adapters else next(iter(adapters), "default")
    return Pipeline(
        name=name,
        type=kind,
        raw=table,
        depends_on=tuple(table.get("depends_on", ())),
        adapter=target.get("adapter", fallback),
        source_adapter=source.get("adapter", fallback),
        auto_create_schemas=target.get("governance", {}).get("auto_create_schemas", False),
        execution=_execution(table.get("execution", {})),
        strategy=strategy,
        timestamp_column=table.get("timestamp_column", "_fivetran_synced"),
        merge_keys=tuple(table.get("merge_keys", ())),
        pattern=SchemaPattern(
            pattern.get("prefix", ""), pattern.get("separator", "__"), tuple(pattern.get("components", ()))
        ),
        catalog_template=target.get("catalog_template", ""),
        schema_template=target.get("schema_template", ""),
        overrides=tuple(
            _override(index, rule) for index, rule in enumerate(table.get("table_overrides", ()))
        ),
        report_new_sources=source.get("discovery", {}).get("report_new_sources", False),
    )


def _execution(table: dict[str, Any]) -> Execution:
    fixed = isinstance(table.get("concurrency"), int)
    return Execution(
        concurrency=table["concurrency"] if fixed else DEFAULT_CONCURRENCY,
        adaptive=not fixed,
        fail_fast=table.get("fail_fast", False),
        table_retries=table.get("table_retries", 1),
        error_rate_abort_pct=table.get("error_rate_abort_pct", 50),
    )


def _override(index: int, rule: dict[str, Any]) -> TableOverride:
    match = rule.get("match", {})
    return TableOverride(
        index=index,
        connector=match.get("connector"),
        table=match.get("table"),
        enabled=rule.get("enabled", True),
        strategy=rule.get("strategy"),
        timestamp_column=rule.get("timestamp_column"),
        merge_keys=tuple(rule.get("merge_keys", ())),
    )
