"""What is the project now? Asks the engine, when the state is refreshed, and makes a `ProjectSnapshot` of it."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import dagster as dg

from dagster_rocky import results
from dagster_rocky.engine import config_file
from dagster_rocky.engine.commands import EngineCommands
from dagster_rocky.engine.model_folders import compiled_folders, model_folders
from dagster_rocky.partitions import default_first_partition
from dagster_rocky.project import headers, pipelines, rocky_toml, seeds
from dagster_rocky.project.configured_checks import budget_check
from dagster_rocky.project.files import ModelFile, model_files
from dagster_rocky.project.models import read_models
from dagster_rocky.project.snapshot import Pipeline, ProjectSnapshot, fingerprint

if TYPE_CHECKING:
    from dagster_rocky.results import DagResult, ListedPipeline, ModelDetail

_LOG = logging.getLogger("dagster_rocky")


Value = TypeVar("Value")


@dataclass(frozen=True)
class _Answer(Generic[Value]):
    """What the engine said, with what a person should know of it."""

    value: Value
    problems: Sequence[str] = field(default=())
    notices: Sequence[str] = field(default=())


def refresh(resource: EngineCommands, previous: ProjectSnapshot | None = None) -> ProjectSnapshot:
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
    found = _pipelines(resource, listed, config, previous)
    folders = model_folders(config, resource.models_dir)
    files = model_files(project_dir, folders, resource.contracts_dir)
    dag = _dag(resource, files)
    details = _compile(resource, compiled_folders(config, resource.models_dir, project_dir))
    types = _column_types(resource, found.value, files)
    for pipeline in found.value:
        pipeline.columns_by_target = {
            target: headers.with_types(columns, types.get(target, {}))
            for target, columns in pipeline.columns_by_target.items()
        }
    models = read_models(dag.value, details.value, files, config, found.value, types=types)
    watched = [Path(resource.config_path).name, *folders, seeds.SEEDS]
    watched += [resource.contracts_dir] if resource.contracts_dir else []
    answers: list[_Answer[Any]] = [found, dag, details]
    problems = [problem for answer in answers for problem in answer.problems]
    notices = [notice for answer in answers for notice in answer.notices]
    for text in [*problems, *notices]:
        _LOG.warning("rocky: %s", text)
    return ProjectSnapshot(
        engine_version=engine_version,
        fingerprint=fingerprint(project_dir, watched),
        watched=watched,
        refreshed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        first_partition=_first_partition(
            [model.first_partition for model in models if model.first_partition], previous
        ),
        pipelines=found.value,
        models=models,
        seeds=seeds.read_seeds(dag.value, project_dir, _seeding_pipeline(found.value), types),
        problems=problems,
        notices=notices,
        budget=budget_check(config),
    )


def _refuse_invalid(resource: EngineCommands) -> None:
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


def discover_again(resource: EngineCommands, before: Pipeline) -> pipelines.Replication:
    """A replication as it is now; asks the engine once.

    Args:
        resource: The engine and its project.
        before: The pipeline as the snapshot has it.

    Raises:
        dagster.Failure: When the engine cannot discover, or `rocky.toml` cannot be read.
    """
    config = _read_config(Path(resource.config_path).absolute())
    body = config.get("pipeline", {}).get(before.name, {})
    return pipelines.replication(before, body, resource.discover(before.name), before)


def _pipelines(
    resource: EngineCommands,
    listed: Sequence[ListedPipeline],
    config: Mapping[str, Any],
    previous: ProjectSnapshot | None,
) -> _Answer[list[Pipeline]]:
    """Every pipeline with what its type has; replications are discovered."""
    project_dir = Path(resource.config_path).absolute().parent
    adapters = rocky_toml.adapter_types(config)
    text = Path(resource.config_path).read_text(encoding="utf-8")
    complete: list[Pipeline] = []
    problems: list[str] = []
    notices: list[str] = []
    for entry in listed:
        body = config.get("pipeline", {}).get(entry.name, {})
        pipeline = Pipeline(
            name=entry.name,
            type=entry.pipeline_type or "replication",
            warehouse=rocky_toml.warehouse_of(body, adapters),
            depends_on=entry.depends_on,
            line=rocky_toml.line_of(text, entry.name),
        )
        if pipeline.type == "replication":
            before = previous.pipeline(pipeline.name) if previous else None
            known = pipelines.replication(pipeline, body, resource.discover(entry.name), before)
            pipeline = known.pipeline
            problems += known.problems
            notices += known.notices
        elif pipeline.type == "quality":
            pipeline = pipelines.quality(pipeline, body)
        elif pipeline.type in {"load", "snapshot"}:
            pipeline = pipelines.load_or_snapshot(pipeline, body, project_dir)
        complete.append(pipeline)
    return _Answer(complete, problems, notices)


def _seeding_pipeline(known: Sequence[Pipeline]) -> str | None:
    """`rocky seed` takes its adapter from a pipeline: the models', since they read the seeds, or the first."""
    order = sorted(known, key=lambda pipeline: pipeline.type != "transformation")
    return order[0].name if order else None


def _first_partition(known: Sequence[str], previous: ProjectSnapshot | None) -> str:
    """Stays where it is while no model says better, so that partitions do not move with the calendar."""
    if not known and previous:
        return previous.first_partition
    return default_first_partition(known)


def _read_config(path: Path) -> dict[str, Any]:
    """The engine has read it already, so a failure here is a difference in dialect, and named as such."""
    try:
        return config_file.normalised(config_file.read_toml(path))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise dg.Failure(
            description=f"{path} cannot be read: {error}. Run `rocky validate` there and correct the file.",
            allow_retries=False,
        ) from error


def _dag(resource: EngineCommands, files: Mapping[str, ModelFile]) -> _Answer[DagResult]:
    """The engine's graph with the lineage of columns; a project without models has none."""
    try:
        return _Answer(resource.dag(column_lineage=True))
    except dg.Failure as failure:
        text = (failure.description or "the engine found none").strip().splitlines()[0]
        if not files:
            return _Answer(results.DagResult(), [f"the project has no models yet: {text}"])
    # SQL that cannot be parsed has no lineage, and still a place in the graph.
    return _Answer(resource.dag(), [f"the lineage of columns is not known: {text}"])


def _column_types(
    resource: EngineCommands, known: Sequence[Pipeline], files: Mapping[str, ModelFile]
) -> Mapping[str, Mapping[str, str]]:
    """Column types by table and name, from the engine's catalog; on DuckDB it knows none (contract, section 8)."""
    if not files or all(pipeline.warehouse in {"", "duckdb"} for pipeline in known):
        return {}
    try:
        assets = resource.catalog().assets
    except dg.Failure as failure:
        _LOG.info("rocky: the engine's catalog tells no column types: %s", failure.description)
        return {}
    return {
        asset.fqn: {column.name.lower(): column.data_type for column in asset.columns if column.data_type}
        for asset in assets
    }


def _compile(resource: EngineCommands, folders: Sequence[str]) -> _Answer[Mapping[str, ModelDetail]]:
    """Tags and freshness as the engine merges them; a project that does not compile is shown all the same."""
    details: dict[str, ModelDetail] = {}
    problems: list[str] = []
    for folder in folders:
        try:
            compiled = resource.compile(models_dir=folder)
        except dg.Failure as failure:
            text = (failure.description or "").strip()
            problems.append(f"the models do not compile, so running them will fail: {text}")
            continue
        problems += [
            f"model {found.model!r}: [{found.code}] {found.message}"
            for found in compiled.diagnostics
            if found.severity == "Error"
        ]
        details |= {detail.name: detail for detail in compiled.models_detail}
    return _Answer(details, problems)
