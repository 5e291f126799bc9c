"""`rocky.toml` as a whole: reading it, and finding adapters, pipelines and model folders in it (contract, 2.1)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rocky_local.errors import ConfigError, EngineError, Unsupported
from rocky_local.project import toml
from rocky_local.project.pipeline import Pipeline
from rocky_local.project.tables import EMPTY, Closed, Names, Table, checked

if TYPE_CHECKING:
    from rocky_local.adapter import DuckDBAdapter

# fmt: off
_TOP_LEVEL = (
    "state", "adapter", "adapters", "pipeline", "pipelines", "hook", "hooks", "cost", "budget", "schema_evolution",
    "retry", "portability", "cache", "mask", "classifications", "role", "roles", "ai", "branch", "freshness",
    "schedule", "imports", "run", "reuse", "gc", "policy", "fulfill", "resilience",
)
ADAPTER_TYPES = (
    "databricks", "duckdb", "snowflake", "bigquery", "trino", "fivetran", "airbyte", "iceberg", "manual",
)
# fmt: on
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
# Spellings that are one and the same, and what shows that a table is not one of several named ones.
_PLURALS = {"adapters": "adapter", "pipelines": "pipeline", "hooks": "hook", "roles": "role"}
_MARKS = {
    "adapter": ("type", "path"),
    "pipeline": ("type", "source", "models", "tables", "unique_key", "source_dir"),
}


class Adapter(Table):
    """One `[adapter]` table: a connection."""

    type: str
    path: str | None = None


class _Run(Closed):
    skip_unchanged: bool = False
    skip_rowcount_fallback: bool = False
    prune_unchanged: bool = False
    strict_scheduling: bool = False


class _Resilience(Closed):
    contain_failures: bool = False


class _Freshness(Closed):
    expected_lag_seconds: int = 0


class Budget(Closed):
    """What a run may cost at most."""

    max_usd: float | None = None
    max_duration_ms: int | None = None
    max_bytes_scanned: int | None = None
    on_breach: Literal["warn", "error"] = "warn"


class Hook(Table):
    """A command of the project for an event of a run."""

    command: str
    timeout_ms: int = 30_000
    on_failure: Literal["abort", "warn", "ignore"] = "warn"


class Config(Closed):
    """A whole `rocky.toml`: the tables that are looked into, by their names in it, and the text that they come from."""

    accepted = _TOP_LEVEL
    path = text = ""
    raw = EMPTY
    adapter: dict[str, Adapter] = EMPTY
    pipeline: dict[str, Pipeline] = EMPTY
    state: dict[str, Any] = EMPTY
    mask: dict[str, Any] = EMPTY
    classifications: dict[str, Names] = EMPTY
    hook: dict[str, tuple[Hook, ...]] = EMPTY
    budget: Budget = Budget()
    run: _Run = _Run()
    resilience: _Resilience = _Resilience()
    freshness: _Freshness | None = None

    @classmethod
    def prepared(cls, table: dict[str, Any]) -> dict[str, Any]:
        """List the hooks of events, where one command is a list of one."""
        table = {**super().prepared(table)}
        if isinstance(hooks := table.get("hook"), dict):
            table["hook"] = {
                name: [event] if isinstance(event, dict) else event
                for name, event in hooks.items()
                if name.startswith("on_")
            }
        return table

    def complete(self) -> None:
        """Let the pipelines know their names and adapters."""
        fallback = "default" if "default" in self.adapter else next(iter(self.adapter), "default")
        for name, pipeline in self.pipeline.items():
            pipeline.name, pipeline.adapter = name, pipeline.target.adapter or fallback
            pipeline.source_adapter = pipeline.source.adapter or fallback

    def models_dir(self, pipeline: Pipeline | None = None) -> str:
        """Return the models folder as log lines show it: `./models/`, beside the config file."""
        glob = pipeline.models if pipeline else "models/**"
        base = re.split(r"[*?\[]", glob, maxsplit=1)[0].rstrip("/") or "."
        return f"{Path(self.path).parent}/{base}/"

    def where(self, *place: str) -> str:
        """Return the file and line of a setting, as in `rocky.toml:7`, whichever spelling the file has."""
        plural = {name: plural for plural, name in _PLURALS.items()}.get(place[0], place[0])
        spelled = (place, (plural, *place[1:]), tuple(part for part in place if part != "default"))
        return f"{self.path}:{max(toml.line_of(each, self.text) for each in spelled)}"

    def masked_tags(self) -> set[str]:
        """Return the classification tags with a mask in some environment, and those that may go without."""
        named = (tag for value in self.mask.values() if isinstance(value, dict) for tag in value)
        return {*self.mask, *named, *self.classifications.get("allow_unmasked", ())}

    def select(self, name: str | None, kind: str | None = None) -> Pipeline:
        """Return the named pipeline, or the only one, which must be of a kind."""
        if name is None:
            if not self.pipeline:
                raise EngineError("no pipelines defined in config")
            if len(self.pipeline) > 1:
                several = f"multiple pipelines defined ({', '.join(sorted(self.pipeline))})"
                raise EngineError(f"{several}. Use --pipeline <name> to select one.")
            [name] = self.pipeline
        if name not in self.pipeline:
            raise EngineError(f"pipeline '{name}' not found in config")
        pipeline = self.pipeline[name]
        if kind not in (None, pipeline.type):
            found = f"pipeline '{pipeline.name}' is type '{pipeline.type}'"
            raise EngineError(f"{found}, but this command only supports {kind} pipelines")
        return pipeline

    def open(self, adapter: str) -> DuckDBAdapter:
        """Return an adapter with its DuckDB file open."""
        from rocky_local.adapter import DuckDBAdapter  # noqa: PLC0415

        return DuckDBAdapter(self.duckdb_path(adapter), adapter)

    def duckdb_path(self, adapter: str) -> str:
        """Return the DuckDB file of an adapter."""
        if adapter not in self.adapter:
            raise EngineError(f"adapter '{adapter}' not found in config")
        found = self.adapter[adapter]
        if found.type not in ADAPTER_TYPES:
            raise EngineError(f"adapters.{adapter}: {unsupported_adapter(found.type)}")
        if found.type != "duckdb":
            place = self.where("adapter", adapter, "type")
            raise Unsupported(f"the adapter type '{found.type}' of adapters.{adapter} ({place})")
        return found.path or ":memory:"


def unsupported_adapter(kind: str, label: str = "unsupported adapter type") -> str:
    """Return the sentence for an adapter type that nobody knows."""
    import difflib  # noqa: PLC0415

    near = difflib.get_close_matches(kind, ADAPTER_TYPES, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"{label} '{kind}'. Supported: {', '.join(ADAPTER_TYPES)}.{hint}"


def load_config(path: str) -> Config:
    """Read and check a configuration file."""
    try:
        text = _substituted(toml.read(Path(path)), path)
        raw = _in_one_spelling(toml.parse(text))
        config = checked(Config, raw)
    except OSError:
        raise ConfigError(path, f"No rocky.toml found at '{path}'") from None
    except toml.TomlError as error:
        position = (error.line, error.column) if error.line else None
        raise ConfigError(path, f"failed to parse TOML: {error}", str(error), syntax=position) from error
    config.path, config.text, config.raw = path, text, raw
    return config


def _in_one_spelling(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the tables with the plurals in the singular, and with a lone adapter or pipeline under its name."""
    for plural, name in _PLURALS.items():
        if plural in raw and name in raw:
            raise toml.TomlError(f"duplicate field `{name}`\n")
    raw = {_PLURALS.get(name, name): table for name, table in raw.items()}
    for name, marks in _MARKS.items():
        table = raw.get(name)
        found = [mark for mark in marks if mark in table] if isinstance(table, dict) else []
        if any(mark == "source" or not isinstance(raw[name][mark], dict) for mark in found):
            raw[name] = {"default": table}
    return raw


def _substituted(text: str, path: str) -> str:
    """Return the text with `${VAR}` and `${VAR:-default}` replaced from the environment."""

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], match[2])
        if found is None:
            raise ConfigError(path, f"environment variable '{match[1]}' not set (referenced in config)")
        return found

    return _VARIABLE.sub(value, text)
