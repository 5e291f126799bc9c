"""The models of a project: what the engine says of them, with what their own files say."""

import hashlib
import logging
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from dagster_rocky.partitions import FORMATS
from dagster_rocky.project import rocky_toml
from dagster_rocky.project.snapshot import Column, Model, Pipeline
from dagster_rocky.project.sql import PhysicalNames, SqlFacts, column_sources, read_dsl, read_sql
from dagster_rocky.results import DagNode, DagResult, ModelDetail

_LOG = logging.getLogger("dagster_rocky")
_PREFIX = "transformation:"


@dataclass(frozen=True)
class ModelFile:
    """A model's file with what is next to it."""

    path: Path
    relative: str
    text: str
    sidecar: Mapping[str, Any]
    sidecar_text: str
    contract: Path | None
    contract_applies: bool


def model_files(project_dir: Path, folders: Sequence[str], contracts_dir: str | None) -> dict[str, ModelFile]:
    """Model files by model name.

    Args:
        project_dir: The folder of `rocky.toml`.
        folders: The models' folders relative to it.
        contracts_dir: A folder of contracts apart from the models, relative to it.

    Returns:
        `.sql` and `.rocky` files with their sidecars and contracts.
    """
    files: dict[str, ModelFile] = {}
    for folder in folders:
        for path in sorted((project_dir / folder).rglob("*")):
            if path.suffix not in {".sql", ".rocky"} or not path.is_file():
                continue
            sidecar_path = path.with_suffix(".toml")
            sidecar: Mapping[str, Any] = {}
            sidecar_text = ""
            if sidecar_path.is_file():
                sidecar_text = sidecar_path.read_text(encoding="utf-8")
                try:
                    sidecar = rocky_toml.read_toml(sidecar_path)
                except tomllib.TOMLDecodeError as error:
                    _LOG.warning("rocky: %s is left out of descriptions and tags: %s", sidecar_path, error)
            name = str(sidecar.get("name", path.stem))
            beside = path.with_suffix(".contract.toml")
            apart = project_dir / contracts_dir / f"{name}.contract.toml" if contracts_dir else None
            contract = beside if beside.is_file() else apart if apart and apart.is_file() else None
            files[name] = ModelFile(
                path=path,
                relative=path.relative_to(project_dir).as_posix(),
                text=path.read_text(encoding="utf-8"),
                sidecar=sidecar,
                sidecar_text=sidecar_text,
                contract=contract,
                contract_applies=contract == beside,
            )
    return files


def read_models(
    dag: DagResult,
    details: Mapping[str, ModelDetail],
    files: Mapping[str, ModelFile],
    config: Mapping[str, Any],
    pipelines: Sequence[Pipeline],
) -> list[Model]:
    """Models in dependency order, with the physical tables that they read.

    Args:
        dag: The engine's graph, with the lineage of columns.
        details: What `compile` says, by model name; empty when the models do not compile.
        files: What `model_files` gave.
        config: The parsed `rocky.toml`.
        pipelines: With their sources and targets, which models may read.

    Returns:
        One model per transformation of the graph.
    """
    nodes = [node for node in dag.nodes if node.kind == "transformation" and node.target]
    targets = {node.label: node.target.name for node in nodes if node.target}
    built = [*targets.values(), *(target for pipeline in pipelines for target in pipeline.targets)]
    for pipeline in pipelines:
        built += [pipeline.target_of(source, table) for source in pipeline.sources for table in source.tables]
    built += [node.target.name for node in dag.nodes if node.kind == "seed" and node.target]
    names = PhysicalNames(built)
    lineage = column_sources(dag.column_lineage, targets, names)
    warehouses = {pipeline.name: pipeline.warehouse for pipeline in pipelines}
    project_freshness = config.get("freshness", {}).get("expected_lag_seconds")
    models = {}
    for node in nodes:
        file = files.get(node.label)
        facts = _facts(file, warehouses.get(node.pipeline or "", "duckdb"))
        model = _model(node, targets[node.label], details.get(node.label), file, facts)
        catalog = model.target.split(".", 1)[0]
        declared = [_source_name(row) for row in file.sidecar.get("sources", [])] if file else []
        # A name without a schema is no table that the project builds; the engine does not resolve model names.
        written = [name for name in [*facts.tables, *declared] if "." in name]
        reads = [names.resolve(name, catalog) for name in written]
        if file is None or not facts.tables:
            reads += [source.table for source in lineage.get(node.label, [])]
        own = {targets[name] for name in model.depends_on if name in targets} | {model.target}
        model.reads = [name for name in dict.fromkeys(reads) if name not in own]
        model.lineage = lineage.get(node.label, [])
        model.freshness_seconds = model.freshness_seconds or project_freshness
        models[model.name] = model
    return _in_dependency_order(models)


def _facts(file: ModelFile | None, warehouse: str) -> SqlFacts:
    if file is None:
        return SqlFacts()
    return read_dsl(file.text) if file.path.suffix == ".rocky" else read_sql(file.text, warehouse)


def _source_name(row: Mapping[str, Any]) -> str:
    return ".".join(str(row[part]) for part in ("catalog", "schema", "table") if row.get(part))


def _model(
    node: DagNode, target: str, detail: ModelDetail | None, file: ModelFile | None, facts: SqlFacts
) -> Model:
    """One model from the engine's node and its own files."""
    strategy = (detail.strategy if detail else None) or node.strategy
    granularity = strategy.granularity if strategy else None
    freshness = (detail.freshness if detail else None) or node.freshness
    sidecar = file.sidecar if file else {}
    return Model(
        name=node.label,
        pipeline=node.pipeline,
        target=target,
        strategy=strategy.type if strategy else "",
        granularity=granularity if granularity in FORMATS else None,
        first_partition=strategy.first_partition if strategy else None,
        lookback=strategy.lookback if strategy else None,
        depends_on=[other.removeprefix(_PREFIX) for other in node.depends_on if other.startswith(_PREFIX)],
        path=file.relative if file else None,
        sql=file.text if file else None,
        intent=sidecar.get("intent"),
        tags={key: str(value) for key, value in (detail.tags if detail else sidecar.get("tags", {})).items()},
        classification={key: str(value) for key, value in sidecar.get("classification", {}).items()},
        retention=sidecar.get("retention"),
        freshness_seconds=freshness.max_lag_seconds if freshness else None,
        freshness_severity=freshness.severity if freshness else None,
        contract=file.contract.name if file and file.contract else None,
        contract_applies=bool(file and file.contract_applies),
        columns=_columns(facts, file),
        code_version=_code_version(file),
    )


def _columns(facts: SqlFacts, file: ModelFile | None) -> list[Column]:
    """Columns in the order of the SQL, with what contract and sidecar say of them."""
    described = file.sidecar.get("columns", {}) if file else {}
    promised: dict[str, Mapping[str, Any]] = {}
    if file and file.contract:
        try:
            promised = {row["name"]: row for row in rocky_toml.read_toml(file.contract).get("columns", [])}
        except (tomllib.TOMLDecodeError, KeyError) as error:
            _LOG.warning("rocky: contract %s is left out of the column schema: %s", file.contract, error)
    names = dict.fromkeys([*facts.columns, *promised, *described])
    return [
        Column(
            name=name,
            type=promised.get(name, {}).get("type"),
            nullable=promised.get(name, {}).get("nullable"),
            description=described.get(name, {}).get("description"),
        )
        for name in names
    ]


def _code_version(file: ModelFile | None) -> str | None:
    """Changes when the model's SQL, sidecar or contract does."""
    if file is None:
        return None
    contract = file.contract.read_text(encoding="utf-8") if file.contract else ""
    content = "\0".join((file.text, file.sidecar_text, contract))
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


def _in_dependency_order(models: Mapping[str, Model]) -> list[Model]:
    """Upstream first; the engine has refused cycles already."""
    by_target = {model.target: model.name for model in models.values()}
    declared = {
        name: [other for other in model.depends_on if other in models] for name, model in models.items()
    }
    read = {
        name: [by_target[table] for table in model.reads if table in by_target]
        for name, model in models.items()
    }
    try:
        order = list(
            TopologicalSorter({name: [*declared[name], *read[name]] for name in models}).static_order()
        )
    except CycleError:
        order = list(TopologicalSorter(declared).static_order())
    return [models[name] for name in order]
