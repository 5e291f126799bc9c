"""The steps of a project and what each of them waits for: sources, copies, models, tests, checks, seeds."""

from pathlib import Path
from typing import Any

from rocky_local.errors import EngineError
from rocky_local.output import Entry
from rocky_local.project.config import Config
from rocky_local.project.models import in_layers, load_project
from rocky_local.project.pipeline import Pipeline
from rocky_local.project.sidecar import read_seeds
from rocky_local.project.tables import Place

_GRAINS = {"hour": "hourly", "day": "daily", "month": "monthly", "year": "yearly"}


class Node(Entry):
    """One step; its id is kind and name with a colon between."""

    id: str
    kind: str
    label: str
    pipeline: str | None = None
    target: Place | None = None
    strategy: dict[str, Any] | None = None
    freshness: dict[str, Any] | None = None
    partition_shape: dict[str, str] | None = None
    depends_on: list[str] | None = None


class Graph:
    """All steps in listing order, and the edges between them in theirs, as results print them."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.edges: list[dict[str, str]] = []
        self._upstream: dict[str, list[str]] = {}

    def add(self, id_: str, label: str, pipeline: str | None = None, **shape: Any) -> None:
        """Add a step, with what only some kinds show."""
        self.nodes.append(Node(id_, id_.partition(":")[0], label, pipeline, **shape))

    def connect(self, origin: str, to: str, kind: str = "data") -> None:
        """Let a step wait for another unless it does already; the kind is `check` for a test of a model."""
        if origin not in self.upstream(to):
            self.edges.append({"from": origin, "to": to, "edge_type": kind})
            self._upstream.setdefault(to, []).append(origin)

    def upstream(self, node: str) -> list[str]:
        """Return what a step waits for."""
        return self._upstream.get(node, [])

    def layers(self) -> list[list[str]]:
        """Return the ids in layers, sorted; a layer waits only for earlier ones."""
        layers, blocked = in_layers({node.id: self.upstream(node.id) for node in self.nodes})
        if blocked:
            raise EngineError(f"cycle detected in DAG involving: {', '.join(blocked)}")
        return layers


def build_graph(config: Config, *, models_dir: str | None = None, seeds_dir: str | None = None) -> Graph:
    """Build the graph of a project, from other folders than its own if they are given. No SQL is looked at."""
    graph, missing = Graph(), []
    for seed in read_seeds(seeds_dir or str(Path(config.path).with_name("seeds"))):
        graph.add(f"seed:{seed.name}", seed.name, target=seed.place)
    pipelines = [config.pipeline[name] for name in sorted(config.pipeline)]
    for pipeline in pipelines:
        name, folder = pipeline.name, models_dir or config.models_dir(pipeline)
        if pipeline.type == "replication":
            graph.add(f"source:{name}", f"{name} (source)", name)
            graph.add(f"load:{name}", f"{name} (load)", name)
            graph.connect(f"source:{name}", f"load:{name}")
        elif pipeline.type != "transformation":
            graph.add(f"{pipeline.type}:{name}", name, name)
        elif Path(folder).is_dir():
            _add_models(graph, name, folder)
        else:
            missing.append(f"{folder} ('{name}')")
    if missing and not graph.nodes:
        raise EngineError(
            f"the DAG has zero nodes, and the models root {', '.join(missing)} does not exist. Create the directory, "
            "fix the `models = ...` glob in rocky.toml, or fix the --models override if one was passed"
        )
    ends = [node for node in graph.nodes if node.kind != "test"]
    steps = {each.name: [node.id for node in ends if node.pipeline == each.name] for each in pipelines}
    for pipeline in pipelines:
        _connect(graph, pipeline, steps)
    return graph


def _add_models(graph: Graph, pipeline: str, folder: str) -> None:
    project = load_project(folder)
    project.layers()
    for model in sorted(project.models, key=lambda model: model.name):
        node, strategy = f"transformation:{model.name}", model.strategy
        told: dict[str, Any] = {"strategy": strategy.shown(), "freshness": model.freshness}
        if model.kind == "time_interval":
            first = {"first_partition": strategy.first_partition} if strategy.first_partition else {}
            told["partition_shape"] = {"granularity": _GRAINS[strategy.granularity], **first}
        graph.add(node, model.name, pipeline, target=model.place, **told)
        for upstream in model.depends_on:
            graph.connect(f"transformation:{upstream}", node)
        for index, test in enumerate(model.tests):
            label = f"{model.name}::{test.type}_{test.column or index}"
            graph.add(f"test:{label}", label, pipeline)
            graph.connect(node, f"test:{label}", "check")


def _connect(graph: Graph, pipeline: Pipeline, steps: dict[str, list[str]]) -> None:
    """Let the first steps of a pipeline wait for the last steps of those it depends on."""
    own = set(steps[pipeline.name])
    first = [node for node in steps[pipeline.name] if own.isdisjoint(graph.upstream(node))]
    for name in pipeline.depends_on:
        if name not in steps:
            raise EngineError(f"pipeline '{pipeline.name}' depends on unknown pipeline '{name}'")
        followed = {origin for node in steps[name] for origin in graph.upstream(node)}
        for origin in (node for node in steps[name] if node not in followed):
            for to in first:
                graph.connect(origin, to)
