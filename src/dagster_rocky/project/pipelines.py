"""What is a pipeline, from what the engine and `rocky.toml` say of it?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_rocky.project import configured_checks, headers, rocky_toml
from dagster_rocky.project.snapshot import Column, Pipeline, Source

if TYPE_CHECKING:
    from dagster_rocky.results import DiscoveredSource, DiscoverResult, FailedSource

_LOADABLE = {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet"}


@dataclass(frozen=True)
class Replication:
    """A replication with what a person should know of it.

    Attributes:
        pipeline: With its sources and checks.
        problems: What is wrong with it.
        notices: What is new.
    """

    pipeline: Pipeline
    problems: Sequence[str] = field(default=())
    notices: Sequence[str] = field(default=())


def replication(
    pipeline: Pipeline, body: Mapping[str, Any], found: DiscoverResult, before: Pipeline | None
) -> Replication:
    """A replication with the sources that the engine discovers, without the tables that the project switches off.

    Args:
        pipeline: Its name, type and warehouse.
        body: Its `[pipeline.NAME]`.
        found: What `discover` says.
        before: The pipeline as it was at the last good refresh: sources that cannot be seen now stay as in it.

    Returns:
        The pipeline, and what to tell of it.
    """
    order, separator = rocky_toml.pattern_of(body)
    excluded = {(table.source_schema, table.table_name) for table in found.excluded_tables}
    kept = {source.id: source for source in before.sources} if before else {}
    of_all = configured_checks.checks_of_all_tables(body)
    target = body.get("target", {})
    complete = pipeline.model_copy(
        update={
            "catalog_template": str(target.get("catalog_template", "")),
            "schema_template": str(target.get("schema_template", "")),
            "separator": separator,
            "sources": [
                *(_source(source, body, order, excluded) for source in found.sources),
                *(_unavailable(source, kept) for source in found.failed_sources),
            ],
            "checks_of_all": of_all,
        }
    )
    if found.checks:
        complete.checks_by_table = configured_checks.checks_by_table(body, found.checks, of_all)
        is_error = any(check.kind == "freshness" and check.severity == "error" for check in of_all)
        if found.checks.freshness and is_error:
            complete.freshness_seconds = found.checks.freshness.threshold_seconds
    return Replication(complete, _problems(complete, found), _notices(complete, found))


def quality(pipeline: Pipeline, body: Mapping[str, Any]) -> Pipeline:
    """A quality pipeline with what it checks.

    Args:
        pipeline: Its name, type and warehouse.
        body: Its `[pipeline.NAME]`.
    """
    checked, of_all, by_table = configured_checks.quality_checks(body)
    update = {"checked": checked, "checks_of_all": of_all, "checks_by_table": by_table}
    return pipeline.model_copy(update=update)


def load_or_snapshot(pipeline: Pipeline, body: Mapping[str, Any], project_dir: Path) -> Pipeline:
    """A load or a snapshot pipeline with what it writes and reads.

    A file's table is named like the file without its last suffix, dots included: `v1.2.csv` becomes `v1.2`, which
    the engine takes for two names.

    Args:
        pipeline: Its name, type and warehouse.
        body: Its `[pipeline.NAME]`.
        project_dir: The folder of `rocky.toml`, which `source_dir` is relative to.
    """
    target, source = body.get("target", {}), body.get("source", {})
    place = [str(target[part]) for part in ("catalog", "schema") if target.get(part)]
    files = _files(body, project_dir) if pipeline.type == "load" else []
    if pipeline.type == "snapshot" or target.get("table"):
        targets = [".".join([*place, str(target.get("table") or pipeline.name)])]
        written = dict.fromkeys(targets, files)
    else:
        written = {}
        for path in files:
            written.setdefault(".".join([*place, path.stem]), []).append(path)
        targets = list(written)
    reads = (
        [".".join(str(source.get(part, "")) for part in ("catalog", "schema", "table"))]
        if source.get("table")
        else []
    )
    columns = {name: _columns(paths, body.get("options", {})) for name, paths in written.items()}
    known = {name: found for name, found in columns.items() if found}
    return pipeline.model_copy(update={"targets": targets, "reads": reads, "columns_by_target": known})


def _files(body: Mapping[str, Any], project_dir: Path) -> list[Path]:
    """What the engine loads, in its order."""
    folder = project_dir / str(body.get("source_dir", "."))
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in _LOADABLE and path.is_file())


def _columns(files: Sequence[Path], options: Mapping[str, Any]) -> list[Column]:
    """Those of the first file: what comes after it has to fit into the same table."""
    if (
        not files
        or files[0].suffix.lower() not in headers.SEPARATED
        or not options.get("csv_has_header", True)
    ):
        return []
    return headers.columns_of(files[0], options.get("csv_delimiter"))


def _source(
    source: DiscoveredSource,
    body: Mapping[str, Any],
    order: Sequence[str],
    excluded: set[tuple[Any, Any]],
) -> Source:
    """One source with its components in the pattern's order and the tables that are copied."""
    names = [name for name in order if name in source.components]
    names += [name for name in source.components if name not in names]
    called = {
        source.id,
        *(str(value) for key, value in source.metadata.items() if key.endswith("schema_prefix")),
    }
    return Source(
        id=source.id,
        source_type=source.source_type,
        components={name: source.components[name] for name in names},
        tables=[
            table.name
            for table in source.tables
            if (source.id, table.name) not in excluded
            and not rocky_toml.is_excluded(body, called, table.name)
        ],
        last_sync_at=source.last_sync_at,
        row_counts={table.name: table.row_count for table in source.tables if table.row_count is not None},
        facts={
            key: str(value) for key, value in source.metadata.items() if isinstance(value, str | int | float)
        },
    )


def _unavailable(failed: FailedSource, kept: Mapping[str, Source]) -> Source:
    known = kept.get(failed.id) or Source(id=failed.id, source_type=failed.source_type)
    return known.model_copy(update={"unavailable": failed.message or failed.error_class})


def _problems(pipeline: Pipeline, found: DiscoverResult) -> list[str]:
    problems = [
        f"source {failed.id!r} of pipeline {pipeline.name!r} could not be discovered "
        f"({failed.error_class}: {failed.message}); it stays in the graph as it was"
        for failed in found.failed_sources
    ]
    if not pipeline.sources:
        problems.append(
            f"pipeline {pipeline.name!r} discovers no source: check its schema pattern, and that the database at "
            "the adapter's path is the one that you mean (the engine makes a missing DuckDB file, empty)"
        )
    return problems


def _notices(pipeline: Pipeline, found: DiscoverResult) -> list[str]:
    notices = [
        f"pipeline {pipeline.name!r}: keys may collide, so that one table overwrites another: {_shown(candidate)}"
        for candidate in found.collision_candidates
    ]
    if found.new_sources:
        names = ", ".join(sorted(found.new_sources))
        notices.append(f"pipeline {pipeline.name!r} discovers for the first time: {names}")
    return notices


def _shown(candidate: Any) -> str:
    """A collision as the engine describes it; its shape is the engine's own."""
    if isinstance(candidate, Mapping):
        return ", ".join(f"{name} {_shown(value)}" for name, value in candidate.items())
    if isinstance(candidate, list):
        return " and ".join(map(_shown, candidate))
    return candidate if isinstance(candidate, str) else json.dumps(candidate, default=str)
