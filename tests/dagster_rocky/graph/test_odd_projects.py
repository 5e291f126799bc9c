"""Projects with odd but legal names, sidecars and SQL always load; what Dagster refuses costs only itself."""

import dagster as dg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_rocky import RockyComponent
from dagster_rocky.project.snapshot import (
    CheckedTable,
    Column,
    ColumnSource,
    ConfiguredCheck,
    Model,
    Pipeline,
    ProjectSnapshot,
    Source,
)

NAMES = [
    "Monthly Sales",
    "größe",
    "a=b",
    "o'brien",
    "a-b",
    "a_b",
    "type",
    "Sales Report (1)",
    "crm__t",
    "A_B",
    "1",
]
TEXTS = st.sampled_from(["", "team:", "team:a b", "é", "x" * 200, "a/b", "me@x.org", "ok", "...", "|"])


@st.composite
def snapshots(draw):
    """A replication, models that read it and each other in any spelling, and a quality pipeline over both."""
    tables = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=4))
    checks = [
        ConfiguredCheck(name=name, kind="assertion")
        for name in draw(st.lists(st.sampled_from(["a:b", "a_b", "a-b", "expression:-"]), max_size=5))
    ]
    shops = draw(
        st.lists(st.sampled_from(["acme corp", "acme_corp", "a...b", "x|y"]), unique=True, min_size=1)
    )
    sources = [
        Source(id=f"raw__{s}", source_type="duckdb", components={"shop": s}, tables=tables) for s in shops
    ]
    landing = draw(st.sampled_from(["landing", "lan-ding", "größe", "a b"]))
    physical = [f"lake.{shop}.{table}" for shop in shops for table in tables]
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4))
    physical += [f"lake.marts.{name}" for name in names]
    read = st.sampled_from([*physical, *map(str.upper, physical), "lake.other.t", "range", ""])
    models = [
        Model(
            name=name,
            pipeline="marts",
            target=f"lake.marts.{name}",
            strategy="view",
            granularity=draw(st.sampled_from([None, "day", "month"])),
            first_partition=draw(st.sampled_from([None, "2026-05-01", "2026-13", "soon"])),
            reads=draw(st.lists(read, max_size=4)),
            tags=draw(st.dictionaries(st.sampled_from(["owner", "é", "tier", ""]), TEXTS)),
            freshness_seconds=draw(st.sampled_from([None, 1, 10**18])),
            columns=[Column(name=draw(TEXTS), type=None)],
            classification={"ok": draw(TEXTS)},
            lineage=[
                ColumnSource(column="n", table=table, source_column="n")
                for table in draw(st.lists(read, max_size=5))
            ],
            path=f"models/{name}.sql",
        )
        for name in names
    ]
    pipelines = [
        Pipeline(
            name=landing,
            type="replication",
            warehouse="duckdb",
            catalog_template="lake",
            schema_template="{shop}",
            sources=sources,
            checks_by_table={tables[0]: checks},
        ),
        Pipeline(name="marts", type="transformation", warehouse="duckdb"),
        Pipeline(
            name="lan_ding",
            type="quality",
            checked=[
                CheckedTable(catalog="lake", schema_name=shops[0]),
                CheckedTable(catalog="lake", schema_name="marts"),
            ],
            checks_of_all=checks,
        ),
    ]
    return ProjectSnapshot(pipelines=pipelines, models=models)


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(
    snapshots(), st.sampled_from([{}, {"by": "shop"}, {"by": "shop", "every": "day", "start": "2026-05-01"}])
)
def test_odd_but_legal_projects_load(tmp_path_factory, snapshot, partitions):
    config = tmp_path_factory.getbasetemp() / "rocky.toml"
    config.write_text("")
    component = RockyComponent(config_path=str(config), binary_path="/not/needed", partitions=partitions)
    defs = component.build_defs_from_snapshot(snapshot)
    dg.Definitions.validate_loadable(defs)
    graph = defs.resolve_asset_graph()
    assert {asset.asset_key for asset in component._graph.universe} <= set(graph.get_all_asset_keys())


@pytest.mark.parametrize("self_read", ["lake.marts.orders", "LAKE.marts.Orders"])
def test_a_model_that_reads_itself_loads_without_an_edge_to_itself(tmp_path, self_read):
    (tmp_path / "rocky.toml").write_text("")
    lineage = [ColumnSource(column="n", table=self_read, source_column="n")] * 2
    model = Model(
        name="orders", target="lake.marts.orders", strategy="view", reads=[self_read], lineage=lineage
    )
    component = RockyComponent(config_path=str(tmp_path / "rocky.toml"), binary_path="/not/needed")
    component.build_defs_from_snapshot(ProjectSnapshot(models=[model]))
    (node,) = component._graph.nodes.values()
    assert list(node.spec.deps) == []
    (source,) = node.spec.metadata["dagster/column_lineage"].deps_by_column["n"]
    assert source.asset_key == node.spec.key
