"""`rocky discover`: which sources and tables a replication pipeline sees (contract, 3)."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.execution.checks import assertion_name, assertions_on
from rocky_local.execution.discovery import LOG, SOURCE_TYPE, Source, discover_sources, overlap_name
from rocky_local.output import Answer, Entry
from rocky_local.project.config import load_config
from rocky_local.project.pipeline import Checks


class _DiscoveredSource(Entry):
    id: str
    components: dict[str, str | list[str]]
    source_type: str
    last_sync_at: None
    tables: list[dict[str, str]]


class _ConfiguredCheck(Entry):
    name: str
    kind: str
    candidate: bool | None = None


def answer_discover(args: Arguments) -> Answer:
    """Discover the sources of a replication."""
    state_file = args.state_file
    config = load_config(args.config)
    pipeline = config.select(args.get("pipeline"), "replication")
    with config.open(pipeline.source_adapter) as adapter:
        sources = [*discover_sources(adapter, pipeline, warn=True)]
    if args.has("with-schemas"):
        LOG.warn(
            "discover --with-schemas: source.catalog not configured — cannot key cache entries, skipping"
        )
    result: dict[str, Any] = {"sources": [_source(source) for source in sources]}
    if configured := _checks(pipeline.checks, sources):
        result["checks"] = configured
    ids = [source.id for source in sources]
    if pipeline.source.discovery.report_new_sources and (new := _new_sources(state_file, pipeline.name, ids)):
        LOG.warn("new sources discovered", pipeline=pipeline.name, new_sources=", ".join(new))
        result["new_sources"] = new
    return Answer("discover", result, "\n".join(map(_line, sources)) or "No sources found.")


def _new_sources(state_file: Path, pipeline: str, ids: list[str]) -> list[str]:
    """The ids seen for the first time; the first discovery only takes note, and a running run is not disturbed."""
    from rocky_local.state import open_for_writing  # noqa: PLC0415

    try:
        with open_for_writing(state_file) as store:
            known = store.facts(f"source of {pipeline}")
            for id_ in ids:
                store.set_fact(f"source of {pipeline}", id_, True)
    except EngineError as error:
        LOG.warn("new sources not looked for", pipeline=pipeline, error=error.chain())
        return []
    return [id_ for id_ in ids if known and id_ not in known]


def _source(source: Source) -> _DiscoveredSource:
    tables = [{"name": table} for table in source.tables]
    return _DiscoveredSource(source.id, source.components, SOURCE_TYPE, None, tables)


def _line(source: Source) -> str:
    shown = " ".join(f"{name}={json.dumps(value)}" for name, value in source.components.items())
    return f"{source.id} | {shown} | {len(source.tables)} tables"


def _checks(wanted: Checks, sources: list[Source]) -> dict[str, Any]:
    """Which checks a run would make, by bare table name."""
    fresh = wanted.freshness and {"threshold_seconds": wanted.freshness.threshold_seconds}
    everywhere = [(rule.name, "custom") for rule in wanted.custom]
    if wanted.null_rate:
        everywhere += [(f"null_rate:{column}", "null_rate") for column in wanted.null_rate.columns]
    discovered = Counter(table for source in sources for table in source.tables)
    named = {}
    # A table that is not there has only the assertions that name it.
    for table in sorted(discovered.keys() | {rule.table for rule in wanted.assertions if rule.table}):
        found = everywhere if table in discovered else []
        found = found + [(assertion_name(rule), "assertion") for rule in assertions_on(wanted, table)]
        listed = [_ConfiguredCheck(name, kind) for name, kind in dict.fromkeys(found)]
        if wanted.cross_source_overlap and discovered[table] > 1:
            listed.append(_ConfiguredCheck(overlap_name(table), "cross_source_overlap", candidate=True))
        if listed:
            named[table] = listed
    told = {"freshness": fresh} if fresh else {}
    return {**told, "configured_checks": named} if fresh or named else {}
