"""Groups share a pipeline and partitions, form no cycle, and stay small where they can."""

from graphlib import TopologicalSorter

import dagster as dg
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_rocky.graph.edges import Node, RockyGraph
from dagster_rocky.graph.grouping import MOST_OUTPUTS, group_nodes
from dagster_rocky.graph.universe import Universe
from dagster_rocky.vocabulary import EngineAsset
from support.examples import examples

PARTITIONS = [None, dg.DailyPartitionsDefinition("2026-01-01"), dg.StaticPartitionsDefinition(["a", "b"])]


def node(name, pipeline="marts", deps=(), partitions_def=None, kind="model", **components) -> Node:
    key = dg.AssetKey(name)
    asset = EngineAsset(
        engine_key=(name,),
        asset_key=key,
        kind=kind,
        name=name,
        pipeline=pipeline,
        source_id="__".join(components.values()) or None,
        components=components,
    )
    spec = dg.AssetSpec(key, deps=[dg.AssetKey(dep) for dep in deps], partitions_def=partitions_def)
    return Node(spec=spec, assets=(asset,))


def graph_of(nodes) -> RockyGraph:
    return RockyGraph(
        nodes={node.spec.key: node for node in nodes},
        universe=Universe(asset for node in nodes for asset in node.assets),
        keys={},
    )


def names(group) -> list[str]:
    return [node.spec.key.to_user_string() for node in group.nodes]


def test_a_pipeline_without_partitions_is_one_group():
    (group,) = group_nodes(graph_of([node("a"), node("b", deps=["a"]), node("c", deps=["b"])]))
    assert names(group) == ["a", "b", "c"]
    assert group.name == "marts"


def test_a_path_through_another_group_cuts_a_pipeline_into_stages():
    daily = PARTITIONS[1]
    nodes = [
        node("a"),
        node("b", deps=["a"], partitions_def=daily),
        node("c", deps=["b"]),
        node("aside", deps=["a"]),
    ]
    groups = group_nodes(graph_of(nodes))
    assert [(group.name, names(group)) for group in groups] == [
        ("marts", ["a", "aside"]),
        ("marts_daily", ["b"]),
        ("marts_2", ["c"]),
    ]


def test_many_tables_are_cut_at_the_borders_of_components():
    nodes = [
        node(f"{region}-{shop}-{number}", "landing", kind="table", region=f"r{region}", shop=f"s{shop}")
        for region in range(6)
        for shop in range(8)
        for number in range(10)
    ]
    nodes += [
        node(f"x-{region}-{number}", "landing", kind="table", region=f"r{region}", shop="other")
        for region in range(6)
        for number in range(250)
    ]
    groups = group_nodes(graph_of(nodes))
    assert sum(len(group.nodes) for group in groups) == len(nodes)
    assert all(len(group.nodes) <= MOST_OUTPUTS for group in groups)
    regions = [{node.assets[0].components["region"] for node in group.nodes} for group in groups]
    assert len(groups) > 1
    assert sum(len(found) for found in regions) == 6, "a region is in one group"


def test_a_component_that_is_too_large_is_cut_between_its_sources():
    nodes = [
        node(f"{shop}-{number}", "landing", kind="table", region="all", shop=f"s{shop}")
        for shop in range(30)
        for number in range(50)
    ]
    groups = group_nodes(graph_of(nodes))
    assert len(groups) == 2
    sources = [{node.assets[0].source_id for node in group.nodes} for group in groups]
    assert not sources[0] & sources[1]


@st.composite
def graphs(draw):
    """Assets that depend on earlier ones, in random pipelines with random partitions."""
    count = draw(st.integers(1, 9))
    nodes = []
    for index in range(count):
        deps = [str(other) for other in range(index) if draw(st.booleans())]
        pipeline = draw(st.sampled_from(["p", "q"]))
        nodes.append(node(str(index), pipeline, deps, draw(st.sampled_from(PARTITIONS))))
    return draw(st.permutations(nodes))


@settings(max_examples=examples(100))
@given(graphs())
def test_groups_never_form_a_cycle(nodes):
    groups = group_nodes(graph_of(nodes))
    home = {}
    for group in groups:
        assert {node.pipeline for node in group.nodes} == {group.nodes[0].pipeline}
        assert {node.spec.partitions_def for node in group.nodes} == {group.partitions_def}
        for name in names(group):
            assert name not in home
            home[name] = group.name
    assert set(home) == {node.spec.key.to_user_string() for node in nodes}
    assert len({group.name for group in groups}) == len(groups)
    edges = {group.name: set() for group in groups}
    for asset in nodes:
        for dep in asset.spec.deps:
            upstream, own = home[dep.asset_key.to_user_string()], home[asset.spec.key.to_user_string()]
            if upstream != own:
                edges[own].add(upstream)
    TopologicalSorter(edges).prepare()
