"""`rocky discover`: which sources and tables a replication pipeline sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rocky_local import output, state, tracing
from rocky_local.adapter import DuckDBAdapter
from rocky_local.checks import assertion_name
from rocky_local.config import load_config
from rocky_local.discovery import SOURCE_TYPE, Source, discover_sources

if TYPE_CHECKING:
    from pathlib import Path

    from rocky_local.args import Arguments
    from rocky_local.config import Pipeline

_TARGET = "rocky_cli::commands::discover"


def run(args: Arguments) -> int:
    """Discover and print."""
    state_file = state.locate(args.get("state-path"), args.get("state-namespace"))
    config = load_config(args.config)
    pipeline = config.select_replication(args.get("pipeline"))
    adapter = DuckDBAdapter(config.duckdb_path(pipeline.source_adapter), pipeline.source_adapter)
    sources = discover_sources(adapter, pipeline, warn=True)
    adapter.close()
    if args.has("with-schemas"):
        tracing.warn(
            _TARGET,
            "discover --with-schemas: source.catalog not configured — cannot key cache entries, skipping",
        )
    new = _new_sources(state_file, pipeline, sources) if pipeline.report_new_sources else []
    if not args.json:
        output.print_text("\n".join(_line(source) for source in sources) or "No sources found.")
        return 0
    result: dict[str, Any] = {**output.head("discover"), "sources": [_source(source) for source in sources]}
    configured = _checks(pipeline, sources)
    if configured:
        result["checks"] = configured
    if new:
        result["new_sources"] = new
    output.print_json(result)
    return 0


def _source(source: Source) -> dict[str, Any]:
    return {
        "id": source.id,
        "components": source.components,
        "source_type": SOURCE_TYPE,
        "last_sync_at": None,
        "tables": [{"name": table} for table in source.tables],
    }


def _line(source: Source) -> str:
    shown = " ".join(
        f'{name}="{value}"' if isinstance(value, str) else f"{name}={value}"
        for name, value in source.components.items()
    )
    return f"{source.id} | {shown} | {len(source.tables)} tables"


def _new_sources(state_file: Path, pipeline: Pipeline, sources: list[Source]) -> list[str]:
    """Return the ids seen for the first time; the first discovery only takes note."""
    store = state.open_for_writing(state_file)
    known = store.sources(pipeline.name)
    ids = [source.id for source in sources]
    store.add_sources(pipeline.name, ids)
    store.close()
    new = [id_ for id_ in ids if id_ not in known] if known else []
    if new:
        tracing.warn(_TARGET, "new sources discovered", pipeline=pipeline.name, new_sources=", ".join(new))
    return new


def _checks(pipeline: Pipeline, sources: list[Source]) -> dict[str, Any]:
    """Return which checks a run would make, by bare table name."""
    config = pipeline.checks
    if not config:
        return {}
    found: dict[str, Any] = {}
    if "freshness" in config:
        found["freshness"] = {"threshold_seconds": config["freshness"]["threshold_seconds"]}
    discovered = {table for source in sources for table in source.tables}
    asserted = {rule["table"] for rule in config.get("assertions", ()) if "table" in rule}
    configured = {
        table: _configured(config, table, found=table in discovered)
        for table in sorted(discovered | asserted)
    }
    named = {table: checks for table, checks in configured.items() if checks}
    return {**found, "configured_checks": named} if found or named else {}


def _configured(config: dict[str, Any], table: str, *, found: bool) -> list[dict[str, str]]:
    """Return the checks of a table; one that is not there has only the assertions that name it."""
    named: list[tuple[str, str]] = []
    if found:
        named += [(rule["name"], "custom") for rule in config.get("custom", ())]
        columns = config.get("null_rate", {}).get("columns", ())
        named += [(f"null_rate:{column}", "null_rate") for column in columns]
    named += [
        (assertion_name(rule), "assertion")
        for rule in config.get("assertions", ())
        if rule.get("table") in (None, table)
    ]
    return [{"name": name, "kind": kind} for name, kind in named]
