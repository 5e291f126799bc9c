"""Specs worth looking at: what the project says is what Dagster shows."""

from datetime import timedelta

import pytest

from dagster_rocky.graph.sources import source_key, source_specs
from dagster_rocky.project.snapshot import Pipeline, ProjectSnapshot, Source
from dagster_rocky.translator import DagsterRockyTranslator, RockyAssetProps
from dagster_rocky.yaml.automation import SourcesOptions


@pytest.fixture
def marts(load):
    return load("marts").specs()


def test_a_model_shows_its_intent_and_its_sql(marts):
    text = marts["bakery/staging/stg_deliveries"].description
    assert text.startswith("One row per delivery as it left the oven hall.\n\n```sql\nSELECT delivery_id")
    assert text.endswith("FROM pantry.deliveries\n```")


def test_governance_tags_come_with_those_of_the_group(marts):
    spec = marts["bakery/mart_north/scorecard"]
    assert (spec.tags["domain"], spec.tags["tier"]) == ("retail", "silver")


def test_kinds_tell_engine_warehouse_and_shape(marts, load):
    assert marts["bakery/staging/stg_deliveries"].kinds == {"rocky", "duckdb", "view"}
    assert marts["bakery/marts/dim_shop"].kinds == {"rocky", "duckdb", "table"}
    assert load("tenants").specs()["duckdb/lagoon/fleet/vessels"].kinds == {"rocky", "duckdb", "table"}


def test_owners_come_from_the_owner_tag(marts):
    assert marts["bakery/staging/stg_shops"].owners == ["team:ovens"]
    assert marts["bakery/marts/dim_shop"].owners == []


def test_metadata_names_table_strategy_retention_and_classification(marts):
    metadata = marts["bakery/staging/stg_shops"].metadata
    assert metadata["dagster/table_name"] == "bakery.staging.stg_shops"
    assert metadata["rocky/strategy"] == "full_refresh"
    assert metadata["rocky/retention"] == "90d"
    assert metadata["rocky/classification"] == {"manager_email": "pii"}


def test_columns_are_those_of_the_sql_with_their_descriptions(marts):
    schema = marts["bakery/staging/stg_shops"].metadata["dagster/column_schema"]
    assert [column.name for column in schema.columns] == [
        "shop_id",
        "shop_name",
        "region",
        "manager_email",
        "changed_at",
    ]
    columns = {column.name: column for column in schema.columns}
    assert columns["shop_name"].description == "Name painted over the door."
    assert columns["manager_email"].tags == {"classification": "pii"}


def test_column_lineage_points_at_assets(marts):
    lineage = marts["bakery/mart_north/scorecard"].metadata["dagster/column_lineage"]
    assert {dep.asset_key.to_user_string() for dep in lineage.deps_by_column["shop_name"]} == {
        "bakery/marts/dim_shop"
    }


def test_code_references_and_version_follow_the_files(load):
    loaded = load("marts")
    spec = loaded.specs()["bakery/marts/dim_shop"]
    paths = [ref.file_path for ref in spec.metadata["dagster/code_references"].code_references]
    assert paths == [str(loaded.folder / "models" / f"dim_shop.{suffix}") for suffix in ("sql", "toml")]
    versions = [found.code_version for found in loaded.specs().values()]
    assert len(set(versions)) == len(versions)


def test_a_copied_table_refers_to_the_lines_of_its_pipeline(load):
    loaded = load("tenants")
    metadata = loaded.specs()["duckdb/lagoon/fleet/vessels"].metadata
    (reference,) = metadata["dagster/code_references"].code_references
    assert reference.file_path == str(loaded.folder / "rocky.toml")
    line = (loaded.folder / "rocky.toml").read_text().splitlines()[reference.line_number - 1]
    assert line.startswith("[pipeline.landing")
    assert metadata["dagster/storage_kind"] == "duckdb"
    bare = load("tenants", metadata=["column_schema"]).specs()["duckdb/lagoon/fleet/vessels"].metadata
    assert "dagster/code_references" not in bare


def test_a_column_says_where_it_comes_from_unless_it_is_described(marts):
    schema = marts["bakery/mart_north/scorecard"].metadata["dagster/column_schema"]
    columns = {column.name: column for column in schema.columns}
    assert columns["shop_name"].description == "from marts.dim_shop.shop_name"


def test_a_source_table_shows_what_discovery_says_of_it():
    source = Source(
        id="c1", source_type="fivetran", row_counts={"kegs": 12}, facts={"fivetran.service": "pg"}
    )
    snapshot = ProjectSnapshot(
        pipelines=[
            Pipeline(name="p", type="replication", sources=[source.model_copy(update={"tables": ["kegs"]})])
        ]
    )
    options = SourcesOptions(as_assets=True)
    key = source_key(options, source, "kegs")
    (spec,) = source_specs(snapshot, {("p", "c1"): [key]}, options)
    assert spec.metadata["dagster/row_count"] == 12
    assert spec.metadata["rocky/source"] == {"fivetran.service": "pg"}
    copied = RockyAssetProps(
        kind="table", name="kegs", pipeline="p", engine_key=("c1", "kegs"), source=source
    )
    assert DagsterRockyTranslator().get_metadata(copied)["rocky/source"] == {"fivetran.service": "pg"}


def test_extras_can_be_left_out(load):
    metadata = load("marts", metadata=["column_schema"]).specs()["bakery/mart_north/scorecard"].metadata
    assert "dagster/column_schema" in metadata
    assert "dagster/column_lineage" not in metadata
    assert "dagster/code_references" not in metadata


def test_freshness_is_the_models_or_the_projects(marts):
    def window(name):
        return marts[name].freshness_policy.fail_window.to_timedelta()

    assert window("bakery/marts/delivery_log") == timedelta(seconds=86_400)
    assert window("bakery/marts/dim_shop") == timedelta(seconds=172_800)


def test_a_freshness_below_a_minute_is_a_minute():
    props = RockyAssetProps(
        kind="table", name="t", pipeline="p", engine_key=("duckdb", "t"), freshness_seconds=5
    )
    policy = DagsterRockyTranslator().get_asset_spec(props).freshness_policy
    assert policy.fail_window.to_timedelta() == timedelta(seconds=60)


def test_a_freshness_check_that_only_warns_makes_no_policy(load):
    assert load("tenants").specs()["duckdb/lagoon/fleet/vessels"].freshness_policy is None


def test_a_replicated_table_has_its_components_as_tags(load):
    spec = load("chained").specs()["duckdb/atlantic/north/iceland/waves/readings"]
    assert {name: spec.tags[name] for name in ("fleet", "zones", "probe")} == {
        "fleet": "atlantic",
        "zones": "north__iceland",
        "probe": "waves",
    }
    target = "buoys.copy__atlantic__north__iceland__waves.readings"
    assert spec.metadata["dagster/table_name"] == target
    assert spec.group_name == "intake"


def test_what_dagster_refuses_in_tags_and_groups_is_written_otherwise():
    props = RockyAssetProps(
        kind="table",
        name="t",
        pipeline="land ing/1",
        engine_key=("duckdb", "t"),
        components={"shop name": "Łódź & co", "empty": ""},
    )
    spec = DagsterRockyTranslator().get_asset_spec(props)
    assert spec.group_name == "land_ing_1"
    assert spec.tags["shop_name"] == "d_co"
    assert spec.tags["empty"] == ""
