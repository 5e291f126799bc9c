"""The graph that the engine sees: names, edges, kinds, partitions; and no two nodes with one key."""

import dagster as dg
import pytest

from dagster_rocky import RockyComponent
from dagster_rocky.graph.edges import DuplicateAssetKey
from dagster_rocky.graph.ownership import SelectionError
from dagster_rocky.yaml.options import ModelsOptions


def test_models_and_the_tables_that_they_read_are_connected(load):
    edges = load("chained").edges()
    assert edges["buoys/shaped/wave_all"] == [
        "duckdb/atlantic/north/iceland/waves/readings",
        "duckdb/atlantic/south/waves/readings",
    ]
    assert edges["buoys/shaped/wave_summary"] == ["buoys/shaped/wave_all"]
    assert edges["duckdb/pacific/west/wind/gusts"] == []


def test_tables_that_nobody_builds_are_external(load):
    loaded = load("marts")
    assert loaded.edges()["bakery/staging/stg_deliveries"] == ["bakery/pantry/deliveries"]
    assert not loaded.graph.get(dg.AssetKey(["bakery", "pantry", "deliveries"])).is_materializable


def test_a_rocky_model_has_its_edges_though_it_has_no_sql(load):
    assert load("marts").edges()["bakery/marts/busy_shops"] == ["bakery/staging/stg_deliveries"]


def test_keys_follow_the_target_not_the_model_name(load):
    loaded = load("marts")
    assert "bakery/mart_north/scorecard" in loaded.specs()
    assert loaded.edges()["bakery/mart_north/scorecard"] == [
        "bakery/marts/dim_shop",
        "bakery/staging/stg_deliveries",
    ]


def test_tables_that_are_switched_off_are_not_in_the_graph(load):
    specs = load("tenants").specs()
    assert "duckdb/fjordline/ticketing/passengers" in specs
    assert not any("scratch" in name for name in specs)


def test_every_kind_of_pipeline_is_there(load):
    loaded = load("kinds")
    assert set(loaded.specs()) == {
        "museum/main/exhibits",
        "museum/main/tickets",
        "museum/reference/countries",
        "museum/history/visitors_scd",
    }
    assert loaded.edges()["museum/history/visitors_scd"] == ["museum/desk/visitors"]
    assert "museum/desk/visitors:visitor_has_email" in loaded.checks()


def test_quality_checks_sit_on_the_asset_that_writes_the_table(load):
    assert load("chained").checks() == {
        "buoys/shaped/wave_summary:row_count",
        "buoys/shaped/wave_summary:heights_positive",
    }


def test_each_partitioned_model_has_its_own_grain_and_start(load):
    specs = load("marts").specs()
    starts = {
        name: specs[f"bakery/marts/{name}"].partitions_def.get_first_partition_key()
        for name in ("fct_daily_loaves", "fct_monthly_sales", "fct_hourly_oven")
    }
    assert starts == {
        "fct_daily_loaves": "2026-05-01",
        "fct_monthly_sales": "2026-04-01",
        "fct_hourly_oven": "2026-04-01-00:00",
    }


def test_the_start_of_a_model_that_names_none_can_be_set(load):
    specs = load("marts", partitions={"start": "2026-06-01"}).specs()
    assert (
        specs["bakery/marts/fct_hourly_oven"].partitions_def.get_first_partition_key() == "2026-06-01-00:00"
    )
    assert specs["bakery/marts/fct_daily_loaves"].partitions_def.get_first_partition_key() == "2026-05-01"


def test_a_component_owns_pipelines_and_names_the_rest_by_their_tables(load):
    loaded = load("chained", pipelines=["shape"])
    assert set(loaded.specs()) == {"buoys/shaped/wave_all", "buoys/shaped/wave_summary"}
    deps = {dep.asset_key.to_user_string(): dep for dep in loaded.specs()["buoys/shaped/wave_all"].deps}
    north = deps["duckdb/atlantic/north/iceland/waves/readings"]
    assert north.metadata["dagster/table_name"] == "buoys.copy__atlantic__north__iceland__waves.readings"


class Prefixed(RockyComponent):
    """Puts `raw` before every key."""

    def get_asset_spec(self, props):
        spec = super().get_asset_spec(props)
        return spec.replace_attributes(key=spec.key.with_prefix("raw"))


def test_two_components_of_one_project_make_one_graph_whatever_their_keys(load):
    landing = load("chained", pipelines=["intake"], component=Prefixed)
    shape = load("chained", pipelines=["shape", "audit"])
    graph = dg.Definitions.merge(landing.defs, shape.defs).resolve_asset_graph()
    parents = graph.get(dg.AssetKey(["buoys", "shaped", "wave_all"])).parent_keys
    assert {key.to_user_string() for key in parents} == {
        "raw/duckdb/atlantic/north/iceland/waves/readings",
        "raw/duckdb/atlantic/south/waves/readings",
    }


def test_keys_may_be_those_of_the_warehouse_across_components(load):
    landing = load("chained", pipelines=["intake"], key_style="warehouse")
    shape = load("chained", pipelines=["shape"], key_style="warehouse")
    keys = set(landing.specs())
    assert "buoys/copy__atlantic__north__iceland__waves/readings" in keys
    assert all(
        spec.metadata["dagster/table_name"] == key.replace("/", ".") for key, spec in landing.specs().items()
    )
    graph = dg.Definitions.merge(landing.defs, shape.defs).resolve_asset_graph()
    parents = {
        key.to_user_string() for key in graph.get(dg.AssetKey(["buoys", "shaped", "wave_all"])).parent_keys
    }
    assert parents < keys
    by_component = load("tenants", key_style="warehouse", partitions={"by": "operator"})
    assert "duckdb/fleet/vessels" in by_component.specs()


def test_filters_are_a_union_and_exclusions_take_away(load):
    loaded = load(
        "tenants", filters=["operator=lagoon", "id=in__northsea__fleet"], exclude_filters=["table=sailings"]
    )
    assert set(loaded.specs()) == {
        "duckdb/lagoon/fleet/vessels",
        "duckdb/lagoon/ticketing/bookings",
        "duckdb/lagoon/ticketing/passengers",
        "duckdb/northsea/fleet/vessels",
    }


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (ModelsOptions(select=["fct_*"]), {"fct_daily_loaves", "fct_hourly_oven", "fct_monthly_sales"}),
        (ModelsOptions(select=["tag:tier=gold"]), {"fct_daily_loaves"}),
        (ModelsOptions(select=["tag:domain"], exclude=["stg_shops"]), {"fct_daily_loaves", "scorecard"}),
    ],
)
def test_models_are_chosen_by_name_and_tag(load, models, expected):
    assert {name.rsplit("/", 1)[-1] for name in load("marts", models=models).specs()} == expected


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"pipelines": ["landin"]}, r"pipelines\[0\]: .*'landin'.*`landing`"),
        ({"filters": ["operater=lagoon"]}, r"filters\[0\]: .*'operater'.*`operator`"),
        ({"exclude_filters": ["tabel=x"]}, r"exclude_filters\[0\]: .*'tabel'"),
        ({"models": ModelsOptions(select=["no_such"])}, r"models\.select\[0\]: .*'no_such'"),
        ({"partitions": {"by": "tenant"}}, r"partitions\.by: .*'tenant'.*operator, system"),
    ],
)
def test_what_the_project_does_not_have_is_refused_by_field(load, attributes, said):
    with pytest.raises(SelectionError, match=said):
        load("tenants", **attributes)


def test_a_component_with_several_values_is_no_partition(load):
    with pytest.raises(SelectionError, match=r"partitions\.by: is 'zones'.*several values"):
        load("chained", partitions={"by": "zones"})


class OneKey(RockyComponent):
    """Gives everything the same key."""

    def get_asset_spec(self, props):
        return super().get_asset_spec(props).replace_attributes(key=dg.AssetKey("same"))


def test_two_nodes_with_one_key_are_refused_by_name_with_the_way_out(load):
    with pytest.raises(DuplicateAssetKey, match=r"(?s)'same'.*intake.*translation\.key"):
        load("chained", component=OneKey)


def test_a_component_value_as_partition_joins_the_sources(load):
    specs = load("tenants", partitions={"by": "operator"}).specs()
    assert set(specs) == {
        "duckdb/fleet/sailings",
        "duckdb/fleet/vessels",
        "duckdb/ticketing/bookings",
        "duckdb/ticketing/passengers",
        "duckdb/ticketing/refunds",
    }
    assert specs["duckdb/fleet/vessels"].partitions_def.get_partition_keys() == [
        "fjordline",
        "lagoon",
        "northsea",
    ]
    assert specs["duckdb/ticketing/refunds"].partitions_def.get_partition_keys() == ["northsea"]


def test_a_model_needs_only_the_partitions_that_it_reads(load):
    loaded = load("chained", partitions={"by": "fleet"})
    (dep, *_) = [
        dep for dep in loaded.specs()["buoys/shaped/wave_all"].deps if dep.asset_key.path[-1] == "readings"
    ]
    assert dep.partition_mapping == dg.SpecificPartitionsPartitionMapping(["atlantic"])


def test_daily_models_of_different_starts_and_chains_between_grains_load(load):
    loaded = load("marts")
    snapshot = loaded.snapshot.model_copy(deep=True)
    models = {model.name: model for model in snapshot.models}
    models["fct_monthly_sales"].granularity = "day"
    models["fct_monthly_sales"].first_partition = "2026-03-01"
    models["fct_monthly_sales"].depends_on.append("fct_daily_loaves")
    models["delivery_log"].depends_on.append("fct_daily_loaves")
    models["fct_hourly_oven"].granularity = "day"
    models["fct_hourly_oven"].depends_on.append("delivery_log")
    defs = loaded.component.build_defs_from_snapshot(snapshot)
    graph = defs.resolve_asset_graph()
    assert graph.get(dg.AssetKey(["bakery", "marts", "fct_hourly_oven"])).parent_keys == {
        dg.AssetKey(["bakery", "marts", "delivery_log"]),
        dg.AssetKey(["bakery", "staging", "stg_deliveries"]),
    }
    assert defs.resolve_implicit_global_asset_job_def() is not None


def test_a_cycle_of_dependencies_is_refused_with_its_path(load):
    loaded = load("chained")
    snapshot = loaded.snapshot.model_copy(deep=True)
    next(model for model in snapshot.models if model.name == "wave_all").depends_on.append("wave_summary")
    with pytest.raises(ValueError, match=r"cycle: .*wave_all"):
        loaded.component.build_defs_from_snapshot(snapshot)
