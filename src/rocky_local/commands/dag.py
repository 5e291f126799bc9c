"""`rocky dag`: the whole project as one graph of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rocky_local import output
from rocky_local.commands.lineage import column_edges
from rocky_local.compiler import compile_project, models_below
from rocky_local.config import load_config
from rocky_local.graph import build_graph

if TYPE_CHECKING:
    from rocky_local.args import Arguments
    from rocky_local.config import Config


def run(args: Arguments) -> int:
    """Print nodes, edges and layers."""
    config = load_config(args.config)
    graph = build_graph(config, models_dir=args.get("models"), seeds_dir=args.get("seeds"))
    layers = graph.layers()
    result: dict[str, Any] = {
        "version": output.head("dag")["version"],
        "schema_version": "1",
        "command": "dag",
        "nodes": [node.as_json(graph.upstream(node.id)) for node in graph.nodes],
        "edges": [{"from": edge.origin, "to": edge.to, "edge_type": edge.type} for edge in graph.edges],
        "execution_layers": layers,
        "summary": {
            "total_nodes": len(graph.nodes),
            "total_edges": len(graph.edges),
            "execution_layers": len(layers),
            "counts_by_kind": graph.counts(),
        },
    }
    if args.has("column-lineage"):
        edges = _column_lineage(args, config)
        result |= {"column_lineage": edges} if edges else {}
    if args.json:
        output.print_json(result)
    else:
        output.print_text("\n".join(f"{n}: {', '.join(layer)}" for n, layer in enumerate(layers)))
    return 0


def _column_lineage(args: Arguments, config: Config) -> list[dict[str, Any]]:
    directory = args.get("models") or config.models_dir()
    if not models_below(directory):
        return []
    compiled = compile_project(directory, contracts_dir=args.get("contracts"))
    return [edge for model in compiled.project.models for edge in column_edges(compiled, model)]
