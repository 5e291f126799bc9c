"""`rocky dag`: the whole project as one graph of steps."""

from typing import Any

from rocky_local import __version__
from rocky_local.args import Arguments
from rocky_local.output import Answer, filled
from rocky_local.project.compiler import compile_project, models_below
from rocky_local.project.config import load_config
from rocky_local.project.graph import Node, build_graph


def answer_dag(args: Arguments) -> Answer:
    """Give nodes, edges and layers."""
    config = load_config(args.config)
    graph = build_graph(config, models_dir=args.get("models"), seeds_dir=args.get("seeds"))
    layers = graph.layers()
    kinds = [node.kind for node in graph.nodes]
    result: dict[str, Any] = {
        **{"version": __version__, "schema_version": "1", "command": "dag"},
        "nodes": [_shown(node, graph.upstream(node.id)) for node in graph.nodes],
        "edges": [{"from": edge.origin, "to": edge.to, "edge_type": edge.type} for edge in graph.edges],
        "execution_layers": layers,
        "summary": {
            "total_nodes": len(graph.nodes),
            "total_edges": len(graph.edges),
            "execution_layers": len(layers),
            "counts_by_kind": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        },
    }
    directory = args.get("models") or config.models_dir()
    if args.has("column-lineage") and models_below(directory):
        compiled = compile_project(directory, contracts_dir=args.get("contracts"))
        edges = [edge for model in compiled.order for edge in compiled.column_edges(model)]
        result |= {"column_lineage": edges} if edges else {}
    return Answer(result)


def _shown(node: Node, upstream: list[str]) -> dict[str, Any]:
    named = {"id": node.id, "kind": node.kind, "label": node.label}
    return named | filled(pipeline=node.pipeline, **node.extra, depends_on=upstream)
