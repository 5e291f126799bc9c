"""What is a model, from what the engine and its own files say of it?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from dagster_rocky.partitions import FORMATS
from dagster_rocky.project.contract_words import promise_of
from dagster_rocky.project.files import ModelFile, read_table
from dagster_rocky.project.model_tests import declarative_tests, unit_tests
from dagster_rocky.project.snapshot import Column, Model, Pipeline
from dagster_rocky.project.sql import PhysicalNames, SqlFacts, column_sources, read_dsl, read_sql

if TYPE_CHECKING:
    from dagster_rocky.results import DagNode, DagResult, ModelDetail

_PREFIX = "transformation:"


def read_models(
    dag: DagResult,
    details: Mapping[str, ModelDetail],
    files: Mapping[str, ModelFile],
    config: Mapping[str, Any],
    pipelines: Sequence[Pipeline],
    *,
    types: Mapping[str, Mapping[str, str]] | None = None,
) -> list[Model]:
    """Models in dependency order, with the physical tables that they read.

    Args:
        dag: The engine's graph, with the lineage of columns.
        details: What `compile` says, by model name; empty when the models do not compile.
        files: What `model_files` gave.
        config: A normalised `rocky.toml`.
        pipelines: With their sources and targets, which models may read.
        types: By `catalog.schema.table` and column, in lower case: the types that the engine knows.

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
    project_freshness = _table(config.get("freshness")).get("expected_lag_seconds")
    models = {}
    for node in nodes:
        file = files.get(node.label)
        facts = _facts(file, warehouses.get(node.pipeline or "", "duckdb"))
        known = (types or {}).get(targets[node.label], {})
        model = _model(node, targets[node.label], details.get(node.label), file, facts, types=known)
        declared = [_source_name(row) for row in _rows(file.sidecar.get("sources"))] if file else []
        catalog = model.target.split(".", 1)[0]
        # A name without a schema is no table that the project builds; the engine does not resolve model names.
        reads = [names.resolve(name, catalog) for name in [*facts.tables, *declared] if "." in name]
        if file is None or not facts.tables:
            reads += [source.table for source in lineage.get(node.label, [])]
        own = [targets[name] for name in model.depends_on if name in targets]
        model.reads = _without([model.target, *own], reads)
        model.lineage = lineage.get(node.label, [])
        model.freshness_seconds = model.freshness_seconds or _whole(project_freshness)
        models[model.name] = model
    return _in_dependency_order(models)


def _without(own: Iterable[str], names: Iterable[str]) -> list[str]:
    """Names of tables, each once however it is spelled, without the model's own and those of its `depends_on`."""
    left_out = {name.lower() for name in own}
    return list({name.lower(): name for name in reversed([*names]) if name.lower() not in left_out}.values())[
        ::-1
    ]


def _facts(file: ModelFile | None, warehouse: str) -> SqlFacts:
    if file is None:
        return SqlFacts()
    return read_dsl(file.text) if file.path.suffix == ".rocky" else read_sql(file.text, warehouse)


def _source_name(row: Mapping[str, Any]) -> str:
    return ".".join(str(row[part]) for part in ("catalog", "schema", "table") if row.get(part))


def _model(
    node: DagNode,
    target: str,
    detail: ModelDetail | None,
    file: ModelFile | None,
    facts: SqlFacts,
    *,
    types: Mapping[str, str],
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
        intent=_text(sidecar.get("intent")),
        tags=_texts(detail.tags if detail else sidecar.get("tags")),
        classification=_texts(sidecar.get("classification")),
        retention=_text(sidecar.get("retention")),
        freshness_seconds=freshness.max_lag_seconds if freshness else None,
        contract=file.contract.name if file and file.contract else None,
        contract_applies=bool(file and file.contract_applies),
        promise=promise_of(read_table(file.contract, "the contract's check"))
        if file and file.contract
        else None,
        tests=[*declarative_tests(sidecar, file.test_definitions), *unit_tests(sidecar)] if file else [],
        columns=_columns(facts, file, types),
        code_version=file.code_version if file else None,
    )


def _columns(facts: SqlFacts, file: ModelFile | None, types: Mapping[str, str]) -> list[Column]:
    """Columns in the order of the SQL, with what contract and sidecar say of them; SQL does not tell A from a.

    A type is the contract's, else the engine's, else that of a cast in the SQL.
    """
    described = {
        name.lower(): (name, _table(body))
        for name, body in _table(file.sidecar.get("columns") if file else None).items()
    }
    contract = read_table(file.contract, "the column schema") if file and file.contract else {}
    promised = {str(row["name"]).lower(): row for row in _rows(contract.get("columns")) if "name" in row}
    spelled = [*facts.columns, *(str(row["name"]) for row in promised.values())]
    spelled += [name for name, _ in described.values()]
    names = {name.lower(): name for name in reversed(spelled)}
    order = dict.fromkeys(name.lower() for name in spelled)
    found = []
    for key in order:
        row, (_, body) = promised.get(key, {}), described.get(key, ("", {}))
        nullable = row.get("nullable")
        found.append(
            Column(
                name=names[key],
                type=_text(row.get("type")) or types.get(key) or facts.types.get(key),
                nullable=nullable if isinstance(nullable, bool) else None,
                description=_text(body.get("description")),
            )
        )
    return found


def _table(value: Any) -> Mapping[str, Any]:
    """A sidecar's table; what is none is empty: the engine says what is wrong with it when it compiles."""
    return value if isinstance(value, Mapping) else {}


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _texts(value: Any) -> dict[str, str]:
    return {str(key): str(one) for key, one in _table(value).items()}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None


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
