"""One step has one partition mapping for each upstream asset, whatever its assets need."""

import logging

import dagster as dg
import pytest

from dagster_rocky.graph.one_mapping import with_one_mapping

UP = dg.AssetKey("up")
ALL = dg.AllPartitionMapping()
TIME = dg.TimeWindowPartitionMapping()


def only(*keys: str) -> dg.PartitionMapping:
    return dg.SpecificPartitionsPartitionMapping(list(keys))


def spec(name: str, mapping: dg.PartitionMapping | None) -> dg.AssetSpec:
    return dg.AssetSpec(name, deps=[dg.AssetDep(UP, partition_mapping=mapping, metadata={"seen": name})])


@pytest.mark.parametrize(
    ("mappings", "shared", "warns"),
    [
        ([only("a"), only("a")], only("a"), False),
        ([only("a"), only("b", "a")], only("a", "b"), False),
        ([only("a"), ALL], ALL, True),
        ([TIME, ALL], ALL, True),
        ([None, only("a")], ALL, True),
        ([None, None], None, False),
    ],
)
def test_what_any_of_them_needs(
    mappings: list, shared: dg.PartitionMapping | None, warns: bool, caplog
) -> None:
    specs = [spec(f"s{number}", mapping) for number, mapping in enumerate(mappings)]
    with caplog.at_level(logging.WARNING):
        made = with_one_mapping([*specs, dg.AssetSpec("apart")])
    assert [dep.partition_mapping for one in made for dep in one.deps] == [shared] * len(mappings)
    assert [dep.metadata for one in made for dep in one.deps] == [{"seen": one.key.path[0]} for one in specs]
    assert bool(caplog.records) is warns
    assert made[-1].deps == []
