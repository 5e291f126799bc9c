"""Asks the engine what a project is and makes a `ProjectSnapshot` of it; runs when the state is refreshed."""

import logging
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_rocky.partitions import default_first_partition
from dagster_rocky.project import rocky_toml
from dagster_rocky.project.models import ModelFile, model_files, read_models
from dagster_rocky.project.snapshot import (
    ConfiguredCheck,
    Pipeline,
    ProjectSnapshot,
    Seed,
    Source,
    fingerprint,
)
from dagster_rocky.resource import RockyResource
from dagster_rocky.results import CompileResult, DagResult, DiscoverResult, ModelDetail

_LOG = logging.getLogger("dagster_rocky")
_LOADABLE = {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet"}


def refresh(resource: RockyResource, previous: ProjectSnapshot | None = None) -> ProjectSnapshot:
    """Asks the engine for the project as it is now.

    Args:
        resource: The engine and the project.
        previous: The last good snapshot: sources that cannot be discovered now stay as they are in it.

    Returns:
        A snapshot of the whole project, whichever part of it a component owns.

    Raises:
        dagster.Failure: When the engine cannot say what the project is: no binary, no config, invalid config, a
            failed discovery, a cycle between models.
    """
    project_dir = Path(resource.config_path).absolute().parent
    engine_version = resource.version()
    _refuse_invalid(resource)
    listed = resource.list_pipelines().pipelines
    config = _read_config(Path(resource.config_path))
    problems: list[str] = []
    adapters = rocky_toml.adapter_types(config)
    pipelines = []
    for entry in listed:
        body = config.get("pipeline", {}).get(entry.name, {})
        pipeline = Pipeline(
            name=entry.name,
            type=entry.pipeline_type or "replication",
            warehouse=rocky_toml.warehouse_of(body, adapters),
            depends_on=entry.depends_on,
        )
        if pipeline.type == "replication":
            found = resource.discover(entry.name)
            _add_sources(pipeline, body, found, previous, problems)
        elif pipeline.type == "quality":
            pipeline.checked, pipeline.checks_of_all, pipeline.checks_by_table = rocky_toml.quality_checks(
                body
            )
        elif pipeline.type in {"load", "snapshot"}:
            _add_targets(pipeline, body, project_dir)
        pipelines.append(pipeline)
    folders = _model_folders(config, resource.models_dir)
    dag = _dag(resource, [project_dir / folder for folder in folders], problems)
    files = model_files(project_dir, folders, resource.contracts_dir)
    models = read_models(dag, _compile(resource, files, problems), files, config, pipelines)
    watched = [Path(resource.config_path).name, *folders, "seeds"]
    watched += [resource.contracts_dir] if resource.contracts_dir else []
    first_partitions = [model.first_partition for model in models if model.first_partition]
    for problem in problems:
        _LOG.warning("rocky: %s", problem)
    return ProjectSnapshot(
        engine_version=engine_version,
        fingerprint=fingerprint(project_dir, watched),
        watched=watched,
        refreshed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        first_partition=_first_partition(first_partitions, previous),
        pipelines=pipelines,
        models=models,
        seeds=[
            Seed(name=node.label, target=node.target.name, pipeline=_seeding_pipeline(pipelines))
            for node in dag.nodes
            if node.kind == "seed" and node.target
        ],
        problems=problems,
    )


def _refuse_invalid(resource: RockyResource) -> None:
    """Says all that is wrong with the configuration at once."""
    validated = resource.validate()
    if not validated.valid:
        found = "\n".join(f"- [{message.code}] {message.message}" for message in validated.errors)
        raise dg.Failure(
            description=(
                f"{Path(resource.config_path).absolute()} is not valid:\n{found}\n"
                "Correct it; `rocky validate` in its folder says whether it is right."
            ),
            allow_retries=False,
        )


def _seeding_pipeline(pipelines: Sequence[Pipeline]) -> str | None:
    """`rocky seed` takes its adapter from a pipeline: the models', since they read the seeds, or the first."""
    order = sorted(pipelines, key=lambda pipeline: pipeline.type != "transformation")
    return order[0].name if order else None


def _first_partition(known: Sequence[str], previous: ProjectSnapshot | None) -> str:
    """Stays where it is while no model says better, so that partitions do not move with the calendar."""
    if not known and previous:
        return previous.first_partition
    return default_first_partition(known)


def _read_config(path: Path) -> dict[str, Any]:
    """The engine has read it already, so a failure here is a difference in dialect, and named as such."""
    try:
        return rocky_toml.read_toml(path)
    except (tomllib.TOMLDecodeError, OSError) as error:
        raise dg.Failure(
            description=f"{path} cannot be read: {error}. Run `rocky validate` there and correct the file.",
            allow_retries=False,
        ) from error


def _add_sources(
    pipeline: Pipeline,
    body: Mapping[str, Any],
    found: DiscoverResult,
    previous: ProjectSnapshot | None,
    problems: list[str],
) -> None:
    """Sources and tables of a replication, without what the project switches off."""
    target = body.get("target", {})
    pipeline.catalog_template = target.get("catalog_template", "")
    pipeline.schema_template = target.get("schema_template", "")
    order, pipeline.separator = rocky_toml.pattern_of(body)
    excluded = {(row.get("source_schema"), row.get("table_name")) for row in found.excluded_tables}
    for source in found.sources:
        names = [name for name in order if name in source.components]
        names += [name for name in source.components if name not in names]
        tables = [
            table.name
            for table in source.tables
            if (source.id, table.name) not in excluded
            and not rocky_toml.is_excluded(body, source.id, table.name)
        ]
        pipeline.sources.append(
            Source(
                id=source.id,
                source_type=source.source_type,
                components={name: source.components[name] for name in names},
                tables=tables,
            )
        )
    before = previous.pipeline(pipeline.name) if previous else None
    kept = {source.id: source for source in before.sources} if before else {}
    for failed in found.failed_sources:
        problems.append(
            f"source {failed.id!r} of pipeline {pipeline.name!r} could not be discovered "
            f"({failed.error_class}: {failed.message}); it stays in the graph as it was"
        )
        known = kept.get(failed.id) or Source(id=failed.id, source_type=failed.source_type)
        pipeline.sources.append(
            known.model_copy(update={"unavailable": failed.message or failed.error_class})
        )
    if not pipeline.sources:
        problems.append(
            f"pipeline {pipeline.name!r} discovers no source: check its schema pattern, and that the database at "
            "the adapter's path is the one that you mean (the engine makes a missing DuckDB file, empty)"
        )
    pipeline.checks_of_all = rocky_toml.checks_of_all_tables(body)
    if found.checks:
        is_error = any(c.kind == "freshness" and c.severity == "error" for c in pipeline.checks_of_all)
        if found.checks.freshness and is_error:
            pipeline.freshness_seconds = found.checks.freshness.threshold_seconds
        severities = rocky_toml.check_severities(body)
        pipeline.checks_by_table = {
            table: [
                ConfiguredCheck(
                    name=check.name, kind=check.kind, severity=severities.get(check.name, "error")
                )
                for check in checks
            ]
            for table, checks in found.checks.configured_checks.items()
        }


def _add_targets(pipeline: Pipeline, body: Mapping[str, Any], project_dir: Path) -> None:
    """What a load or a snapshot pipeline writes and reads."""
    target, source = body.get("target", {}), body.get("source", {})
    prefix = f"{target.get('catalog', '')}.{target.get('schema', '')}"
    if pipeline.type == "snapshot" or target.get("table"):
        pipeline.targets = [f"{prefix}.{target.get('table', pipeline.name)}"]
    else:
        folder = project_dir / str(body.get("source_dir", "."))
        files = sorted(path for path in folder.glob("*") if path.suffix.lower() in _LOADABLE)
        pipeline.targets = list(dict.fromkeys(f"{prefix}.{path.stem}" for path in files))
    if source.get("table"):
        pipeline.reads = [".".join(str(source.get(part, "")) for part in ("catalog", "schema", "table"))]


def _model_folders(config: Mapping[str, Any], models_dir: str | None) -> list[str]:
    """The folders of the transformation pipelines' `models` globs, relative to `rocky.toml`."""
    globs = [
        str(body.get("models", "models/**"))
        for body in config.get("pipeline", {}).values()
        if isinstance(body, dict) and body.get("type") == "transformation"
    ]
    folders = [models_dir] if models_dir else []
    for glob in globs:
        parts = Path(glob).parts
        fixed = [
            part for index, part in enumerate(parts) if not any("*" in other for other in parts[: index + 1])
        ]
        folders.append("/".join(fixed) or ".")
    return list(dict.fromkeys(folders))


def _dag(resource: RockyResource, folders: Sequence[Path], problems: list[str]) -> DagResult:
    """The engine's graph with the lineage of columns; a project without a models folder has none."""
    try:
        return resource.dag(column_lineage=True)
    except dg.Failure as failure:
        text = (failure.description or "the engine found none").strip().splitlines()[0]
        if folders and not any(folder.is_dir() for folder in folders):
            problems.append(f"the project has no models yet: {text}")
            return DagResult()
    # SQL that cannot be parsed has no lineage, and still a place in the graph.
    dag = resource.dag()
    problems.append(f"the lineage of columns is not known: {text}")
    return dag


def _compile(
    resource: RockyResource, files: Mapping[str, ModelFile], problems: list[str]
) -> Mapping[str, ModelDetail]:
    """Tags and freshness as the engine merges them; a project that does not compile is shown all the same."""
    if not files:
        return {}
    try:
        compiled: CompileResult = resource.compile()
    except dg.Failure as failure:
        text = (failure.description or "").strip()
        problems.append(f"the models do not compile, so running them will fail: {text}")
        return {}
    problems += [
        f"model {found.model!r}: [{found.code}] {found.message}"
        for found in compiled.diagnostics
        if found.severity == "Error"
    ]
    return {detail.name: detail for detail in compiled.models_detail}
