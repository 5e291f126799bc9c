"""What a project holds: `list`, its pipelines, adapters, models, sources, and `dag`, all as one graph."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rocky_local import __version__
from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.output import Answer, Entry
from rocky_local.project.compiler import compile_project, models_below
from rocky_local.project.config import Config, load_config
from rocky_local.project.graph import build_graph
from rocky_local.project.models import load_project
from rocky_local.project.pipeline import Pipeline
from rocky_local.project.tables import Names

_NEIGHBOURS = {"deps": "depends_on", "consumers": "consumers"}
_KINDS = ("pipelines", "adapters", "models", "sources", *_NEIGHBOURS)


class _ListedAdapter(Entry):
    name: str
    adapter_type: str


class _ListedPipeline(Entry, kw_only=True):
    name: str
    pipeline_type: str
    target_adapter: str
    source_adapter: str | None = None
    depends_on: Names
    concurrency: str


class _ListedSource(Entry, kw_only=True):
    pipeline: str
    adapter: str
    schema_prefix: str
    discovery_adapter: str | None = None
    components: Names


class _ListedModel(Entry):
    name: str
    target: str
    strategy: str
    depends_on: Names
    has_contract: bool


def answer_list(args: Arguments) -> Answer:
    """Give one list."""
    kind, name, *_ = [*args.positionals, "", ""]
    if kind not in _KINDS:
        raise EngineError(f"unknown list '{kind}'; choose one of {', '.join(_KINDS)}")
    config = load_config(args.config)
    folder = args.get("models") or config.models_dir()
    if kind in _NEIGHBOURS:
        project = load_project(folder)
        depends_on, consumers = project.find(name).depends_on, project.consumers(name)
        related = depends_on if kind == "deps" else consumers
        found = {"command": f"list_{kind}", _NEIGHBOURS[kind]: related, "model": name, "version": __version__}
        return Answer("", found)
    return Answer(f"list_{kind}", {kind: _listed(config, folder, kind)})


def _listed(config: Config, folder: str, kind: str) -> Sequence[Entry]:
    if kind == "models":
        return [
            _ListedModel(name, model.target, model.kind, model.depends_on, model.contract is not None)
            for name, model in sorted(load_project(folder).by_name().items())
        ]
    if kind == "adapters":
        return [_ListedAdapter(name, entry.type) for name, entry in sorted(config.adapter.items())]
    pipelines = [config.pipeline[name] for name in sorted(config.pipeline)]
    if kind == "pipelines":
        return [_pipeline(pipeline) for pipeline in pipelines]
    return [_source(pipeline) for pipeline in pipelines if pipeline.type == "replication"]


def _pipeline(pipeline: Pipeline) -> _ListedPipeline:
    execution = pipeline.execution
    return _ListedPipeline(
        name=pipeline.name,
        pipeline_type=pipeline.type,
        target_adapter=pipeline.adapter,
        source_adapter=pipeline.source_adapter if pipeline.type == "replication" else None,
        depends_on=pipeline.depends_on,
        concurrency="adaptive" if execution.adaptive else str(execution.concurrency),
    )


def _source(pipeline: Pipeline) -> _ListedSource:
    return _ListedSource(
        pipeline=pipeline.name,
        adapter=pipeline.source_adapter,
        schema_prefix=pipeline.pattern.prefix,
        discovery_adapter=pipeline.source.discovery.adapter or None,
        components=pipeline.pattern.components,
    )


def answer_dag(args: Arguments) -> Answer:
    """Give nodes, edges and layers."""
    config = load_config(args.config)
    graph = build_graph(config, models_dir=args.get("models"), seeds_dir=args.get("seeds"))
    layers, kinds = graph.layers(), Counter(sorted(node.kind for node in graph.nodes))
    result: dict[str, Any] = {
        **{"version": __version__, "schema_version": "1", "command": "dag"},
        "nodes": [node.changed(depends_on=graph.upstream(node.id) or None) for node in graph.nodes],
        "edges": graph.edges,
        "execution_layers": layers,
        "summary": {
            "total_nodes": len(graph.nodes),
            "total_edges": len(graph.edges),
            "execution_layers": len(layers),
            "counts_by_kind": kinds,
        },
    }
    directory = args.get("models") or config.models_dir()
    if args.has("column-lineage") and models_below(directory):
        compiled = compile_project(directory, contracts_dir=args.get("contracts"))
        edges = [edge for model in compiled.order for edge in compiled.column_edges(model)]
        result |= {"column_lineage": edges} if edges else {}
    return Answer("", result)
