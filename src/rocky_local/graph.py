"""The steps of a project and what each of them waits for: sources, copies, models, tests, checks, seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rocky_local.errors import EngineError
from rocky_local.models import Model, load_project
from rocky_local.seeds import read_seeds

if TYPE_CHECKING:
    from rocky_local.config import Config, Pipeline

_GRAINS = {"hour": "hourly", "day": "daily", "month": "monthly", "year": "yearly"}


@dataclass(frozen=True)
class Node:
    """One step.

    Attributes:
        extra: What only some kinds show: `target`, `strategy`, `freshness`, `partition_shape`.
    """

    id: str
    kind: str
    label: str
    pipeline: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The id without its kind."""
        return self.id.split(":", 1)[1]

    def as_json(self, upstream: list[str]) -> dict[str, Any]:
        """Return the node as results print it."""
        shown: dict[str, Any] = {"id": self.id, "kind": self.kind, "label": self.label}
        shown |= {"pipeline": self.pipeline} if self.pipeline else {}
        shown |= self.extra
        return shown | ({"depends_on": upstream} if upstream else {})


@dataclass(frozen=True)
class Edge:
    """`to` waits for `origin`; the type is `data`, or `check` for a test of a model."""

    origin: str
    to: str
    type: str = "data"


@dataclass
class Graph:
    """All steps in listing order."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)

    def connect(self, origin: str, to: str, kind: str = "data") -> None:
        """Add an edge unless it is there already."""
        edge = Edge(origin, to, kind)
        if edge not in self.edges:
            self.edges.append(edge)

    def upstream(self, node: str) -> list[str]:
        """Return what a step waits for."""
        return [edge.origin for edge in self.edges if edge.to == node]

    def of_pipeline(self, name: str) -> list[Node]:
        """Return the steps of a pipeline without its tests."""
        return [node for node in self.nodes if node.pipeline == name and node.kind != "test"]

    def counts(self) -> dict[str, int]:
        """Return how many nodes there are of each kind, by kind."""
        kinds = [node.kind for node in self.nodes]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}

    def layers(self) -> list[list[str]]:
        """Return the ids in layers, sorted; a layer waits only for earlier ones.

        Raises:
            EngineError: There is a cycle.
        """
        waiting: dict[str, set[str]] = {node.id: set() for node in self.nodes}
        for edge in self.edges:
            waiting[edge.to].add(edge.origin)
        layers = []
        while waiting:
            layer = sorted(node for node, needs in waiting.items() if not needs)
            if not layer:
                raise EngineError(f"cycle detected in DAG involving: {', '.join(sorted(waiting))}")
            layers.append(layer)
            done = set(layer)
            waiting = {node: needs - done for node, needs in waiting.items() if node not in done}
        return layers


def build_graph(config: Config, *, models_dir: str | None = None, seeds_dir: str | None = None) -> Graph:
    """Build the graph of a project. The SQL of the models is not looked at.

    Args:
        config: The project's configuration.
        models_dir: The models folder; by default the one that the pipelines name.
        seeds_dir: The folder of seed files, `seeds` by default.

    Raises:
        EngineError: There is nothing in the project, or a dependency is unknown.
    """
    graph = Graph()
    for seed in read_seeds(seeds_dir or str(config.directory / "seeds")):
        target = {"catalog": seed.catalog, "schema": seed.schema, "table": seed.table}
        graph.nodes.append(Node(f"seed:{seed.name}", "seed", seed.name, None, {"target": target}))
    pipelines = [config.pipelines[name] for name in sorted(config.pipelines)]
    missing = []
    for pipeline in pipelines:
        if pipeline.type == "transformation":
            folder = models_dir or config.models_dir(pipeline)
            if Path(folder).is_dir():
                _add_models(graph, pipeline, folder)
            else:
                missing.append(f"{folder} ('{pipeline.name}')")
        else:
            _add_pipeline(graph, pipeline)
    if not graph.nodes:
        raise EngineError(_nothing(missing))
    for edge in [edge for edge in graph.edges if edge.type == "check"]:
        graph.edges.remove(edge)
        graph.edges.append(edge)
    for pipeline in pipelines:
        _connect_pipelines(graph, pipeline, config)
    return graph


def _nothing(missing: list[str]) -> str:
    if not missing:
        return "the DAG has zero nodes: no pipelines are defined in the config"
    return (
        f"the DAG has zero nodes, and the models root {', '.join(missing)} does not exist. "
        "Create the directory, fix the `models = ...` glob in rocky.toml, "
        "or fix the --models override if one was passed"
    )


def _add_pipeline(graph: Graph, pipeline: Pipeline) -> None:
    name = pipeline.name
    if pipeline.type == "replication":
        graph.nodes.append(Node(f"source:{name}", "source", f"{name} (source)", name))
        graph.nodes.append(Node(f"load:{name}", "load", f"{name} (load)", name))
        graph.connect(f"source:{name}", f"load:{name}")
    else:
        graph.nodes.append(Node(f"{pipeline.type}:{name}", pipeline.type, name, name))


def _add_models(graph: Graph, pipeline: Pipeline, folder: str) -> None:
    project = load_project(folder)
    project.layers()
    for model in sorted(project.models, key=lambda model: model.name):
        node = f"transformation:{model.name}"
        graph.nodes.append(Node(node, "transformation", model.name, pipeline.name, _shape(model)))
        for upstream in model.depends_on:
            graph.connect(f"transformation:{upstream}", node)
        for index, test in enumerate(model.tests):
            label = f"{model.name}::{test_name(test, index)}"
            graph.nodes.append(Node(f"test:{label}", "test", label, pipeline.name))
            graph.connect(node, f"test:{label}", "check")


def test_name(test: dict[str, Any], index: int) -> str:
    """Return the name of a declared test: its type with its column, or with its place in the list.

    Example:
        >>> test_name({"type": "unique", "column": "id"}, 0), test_name({"type": "expression"}, 1)
        ('unique_id', 'expression_1')
    """
    return f"{test.get('type', 'test')}_{test.get('column', index)}"


def _shape(model: Model) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "target": {"catalog": model.catalog, "schema": model.schema, "table": model.table},
        "strategy": model.strategy,
    }
    if model.freshness:
        shown["freshness"] = model.freshness
    if model.kind == "time_interval":
        grain = str(model.strategy["granularity"])
        shown["partition_shape"] = {"granularity": _GRAINS.get(grain, grain)}
        if model.strategy["first_partition"]:
            shown["partition_shape"]["first_partition"] = model.strategy["first_partition"]
    return shown


def _connect_pipelines(graph: Graph, pipeline: Pipeline, config: Config) -> None:
    """Let the first steps of a pipeline wait for the last steps of those it depends on."""
    own = graph.of_pipeline(pipeline.name)
    inside = {node.id for node in own}
    first = [node.id for node in own if not inside.intersection(graph.upstream(node.id))]
    for name in pipeline.depends_on:
        if name not in config.pipelines:
            raise EngineError(f"pipeline '{pipeline.name}' depends on unknown pipeline '{name}'")
        before = graph.of_pipeline(name)
        ids = {node.id for node in before}
        followed = {edge.origin for edge in graph.edges if edge.to in ids}
        for origin in (node.id for node in before if node.id not in followed):
            for to in first:
                graph.connect(origin, to)
