"""Which assets share a multi-asset: those that one engine run can build, with no cycle between groups."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import dagster as dg

from dagster_rocky.graph.edges import Node, RockyGraph

MOST_OUTPUTS = 1_000
"""Dagster's cost of one multi-asset grows with the square of its outputs, assets and checks together."""


@dataclass(frozen=True, kw_only=True)
class AssetGroup:
    """What becomes one multi-asset.

    Attributes:
        name: Unique within the component, and stable while the project's shape is.
        nodes: Its assets.
        partitions_def: The same for all of them.
    """

    name: str
    nodes: tuple[Node, ...]
    partitions_def: dg.PartitionsDefinition | None = None


def group_nodes(graph: RockyGraph) -> list[AssetGroup]:
    """Groups the executable assets of a graph.

    Assets of one pipeline with the same partitions are a group, cut into stages where a path between two of them
    leads through another group, and into parts where there are too many.

    Args:
        graph: The graph.

    Returns:
        Groups upstream first.

    Raises:
        ValueError: When the dependencies of assets form a cycle.
    """
    nodes = graph.nodes
    stages = _stages(nodes)
    members: dict[tuple[str, dg.PartitionsDefinition | None, int], list[Node]] = defaultdict(list)
    for key, node in nodes.items():
        members[node.pipeline, node.spec.partitions_def, stages[key]].append(node)
    labels: Counter[str] = Counter()
    groups: list[AssetGroup] = []
    for (pipeline, partitions_def, _), found in sorted(members.items(), key=lambda item: item[0][2]):
        for part in _parts(found):
            label = f"{pipeline}{_partition_label(partitions_def)}"
            labels[label] += 1
            name = label if labels[label] == 1 else f"{label}_{labels[label]}"
            groups.append(AssetGroup(name=name, nodes=tuple(part), partitions_def=partitions_def))
    return groups


def _stages(known: Mapping[dg.AssetKey, Node]) -> dict[dg.AssetKey, int]:
    """The number of times that the longest path to an asset changes groups: groups by stage have no cycle."""
    upstream = {
        key: [dep.asset_key for dep in node.spec.deps if dep.asset_key in known and dep.asset_key != key]
        for key, node in known.items()
    }
    try:
        order = list(TopologicalSorter(upstream).static_order())
    except CycleError as error:
        path = " → ".join(key.to_user_string() for key in error.args[1])
        raise ValueError(
            f"The dependencies of these assets form a cycle: {path}. Correct the models' SQL, or the `deps` that "
            "`translation` adds."
        ) from error
    stages: dict[dg.AssetKey, int] = {}
    for key in order:
        stages[key] = max(
            (stages[other] + (_home(known[other]) != _home(known[key])) for other in upstream[key]), default=0
        )
    return stages


def _home(node: Node) -> tuple[str, dg.PartitionsDefinition | None]:
    return node.pipeline, node.spec.partitions_def


def _partition_label(partitions_def: dg.PartitionsDefinition | None) -> str:
    if partitions_def is None:
        return ""
    if isinstance(partitions_def, dg.TimeWindowPartitionsDefinition):
        kind = str(partitions_def.schedule_type.value).lower() if partitions_def.schedule_type else "yearly"
        return f"_{kind}"
    return "_partitioned"


def _parts(nodes: Sequence[Node]) -> list[list[Node]]:
    """Cuts many replicated tables at the borders of sources, so that a part can be filtered for.

    Models stay together: a pipeline that is selected whole is one engine run, and cut up it would be one per model.
    """
    if sum(map(_outputs, nodes)) <= MOST_OUTPUTS or nodes[0].assets[0].kind != "table":
        return [list(nodes)]
    by_value: dict[object, list[Node]] = defaultdict(list)
    for node in nodes:
        components = node.assets[0].components
        by_value[next(iter(components.values()), None)].append(node)
    parts: list[list[Node]] = [[]]
    for found in by_value.values():
        pieces = [found] if sum(map(_outputs, found)) <= MOST_OUTPUTS else _by_source(found)
        for piece in pieces:
            if parts[-1] and sum(map(_outputs, (*parts[-1], *piece))) > MOST_OUTPUTS:
                parts.append([])
            parts[-1] += piece
    return parts


def _by_source(nodes: Sequence[Node]) -> list[list[Node]]:
    sources: dict[str | None, list[Node]] = defaultdict(list)
    for node in nodes:
        sources[node.assets[0].source_id].append(node)
    return list(sources.values())


def _outputs(node: Node) -> int:
    return 1 + len(node.checks)
