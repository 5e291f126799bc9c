"""`rocky lineage`: where the columns of a model come from, and where they go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rocky_local import output
from rocky_local.compiler import Compiled, compile_project
from rocky_local.errors import EngineError, Unsupported

if TYPE_CHECKING:
    from rocky_local.args import Arguments
    from rocky_local.models import Model

Edge = dict[str, Any]


def run(args: Arguments) -> int:
    """Print the lineage of a model, or the trace of one of its columns."""
    if not args.positionals:
        raise EngineError("name the model: rocky lineage <MODEL>[.<COLUMN>]")
    if args.get("format") not in (None, "json"):
        raise Unsupported(f"lineage --format {args.get('format')}")
    name, _, dotted = args.positionals[0].partition(".")
    column = args.get("column") or dotted or None
    compiled = compile_project(args.get("models") or "models")
    model = compiled.project.by_name().get(name)
    if model is None:
        raise EngineError(f"model '{name}' not found")
    if column is None:
        result = _of_model(compiled, model)
    else:
        result = _of_column(compiled, model, column, downstream=args.has("downstream"))
    output.print_json(result)
    return 0


def column_edges(compiled: Compiled, model: Model) -> list[Edge]:
    """Return the edges into a model's columns as results print them."""
    return [
        {
            "source": {"model": edge.source, "column": edge.source_column},
            "target": {"model": model.name, "column": edge.column},
            "transform": edge.transform,
        }
        for edge in compiled.lineage[model.name].edges
    ]


def _of_model(compiled: Compiled, model: Model) -> dict[str, Any]:
    edges = column_edges(compiled, model)
    known = compiled.project.by_name()
    nodes = [{"model": model.name, "target_schema": model.schema}]
    for source in dict.fromkeys(edge["source"]["model"] for edge in edges):
        if source in known:
            nodes.append({"model": source, "target_schema": known[source].schema})
        else:
            nodes.append({"model": source, "source_id": source})
    return {
        **output.head("lineage"),
        "model": model.name,
        "columns": [{"name": name} for name in compiled.lineage[model.name].columns],
        "upstream": list(model.depends_on),
        "downstream": compiled.project.dependents()[model.name],
        "edges": edges,
        "nodes": nodes,
    }


def _of_column(compiled: Compiled, model: Model, column: str, *, downstream: bool) -> dict[str, Any]:
    edges = [edge for each in compiled.order for edge in column_edges(compiled, each)]
    here, there = ("source", "target") if downstream else ("target", "source")
    waiting, trace = [(model.name, column)], []
    for name, wanted in waiting:
        for edge in edges:
            if (edge[here]["model"], edge[here]["column"]) == (name, wanted) and edge not in trace:
                trace.append(edge)
                waiting.append((edge[there]["model"], edge[there]["column"]))
    return {
        **output.head("lineage"),
        "model": model.name,
        "column": column,
        "direction": "downstream" if downstream else "upstream",
        "trace": trace,
    }
