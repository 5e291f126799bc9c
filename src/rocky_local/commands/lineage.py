"""`rocky lineage`: where the columns of a model come from, and where they go."""

from typing import Any

from rocky_local.args import Arguments
from rocky_local.errors import EngineError, Unsupported
from rocky_local.output import Answer, head
from rocky_local.project.compiler import Compiled, compile_project
from rocky_local.project.models import Model


def run(args: Arguments) -> Answer:
    """Give the lineage of a model, or the trace of one of its columns."""
    if args.get("format") not in (None, "json"):
        raise Unsupported(f"lineage --format {args.get('format')}")
    name, _, dotted = args.positionals[0].partition(".")
    column = args.get("column") or dotted
    compiled = compile_project(args.models)
    model = compiled.project.by_name().get(name)
    if model is None:
        raise EngineError(f"model '{name}' not found")
    found = (
        _of_column(compiled, name, column, args.has("downstream")) if column else _of_model(compiled, model)
    )
    return Answer({**head("lineage"), "model": name, **found})


def column_edges(compiled: Compiled, model: Model) -> list[dict[str, Any]]:
    """Return the edges into a model's columns as results print them; of computed ones the engine says nothing."""
    return [
        {
            "source": {"model": edge.source, "column": edge.source_column},
            "target": {"model": model.name, "column": edge.column},
            "transform": edge.transform,
        }
        for edge in compiled.lineage[model.name].edges
        if edge.transform != "expression"
    ]


def _of_model(compiled: Compiled, model: Model) -> dict[str, Any]:
    edges = column_edges(compiled, model)
    known = compiled.project.by_name()
    names = dict.fromkeys([model.name, *(edge["source"]["model"] for edge in edges)])
    return {
        "columns": [{"name": name} for name in compiled.lineage[model.name].columns],
        "upstream": list(model.depends_on),
        "downstream": compiled.project.dependents()[model.name],
        "edges": edges,
        "nodes": [
            {
                "model": name,
                **({"target_schema": known[name].schema} if name in known else {"source_id": name}),
            }
            for name in names
        ],
    }


def _of_column(compiled: Compiled, model: str, column: str, downstream: bool) -> dict[str, Any]:
    here, there = ("source", "target") if downstream else ("target", "source")
    edges: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for edge in (edge for each in compiled.order for edge in column_edges(compiled, each)):
        known = edges.setdefault(tuple(edge[here].values()), [])
        known += [edge] if edge not in known else []
    waiting: list[tuple[str, ...]] = [(model, column)]
    trace: list[dict[str, Any]] = []
    for end in waiting:
        # An end that is met again gives nothing new.
        for edge in edges.pop(end, []):
            trace.append(edge)
            waiting.append(tuple(edge[there].values()))
    return {"column": column, "direction": "downstream" if downstream else "upstream", "trace": trace}
