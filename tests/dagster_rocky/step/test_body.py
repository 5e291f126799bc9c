"""What is selected is what the engine is asked for, and nothing else."""

import dagster as dg
import pytest

from dagster_rocky.yaml.options import ModelsOptions
from support.recorded import Loaded


def test_everything_is_one_run_a_pipeline(load):
    loaded = load("chained")
    ran = loaded.run("*")
    assert ran.success
    assert loaded.calls() == ["run --pipeline intake", "run --pipeline shape", "run --pipeline audit"]
    assert len(ran.materialized) == 6
    assert ran.checks == {
        "buoys/shaped/wave_summary:row_count": True,
        "buoys/shaped/wave_summary:heights_positive": True,
    }


def test_one_source_is_one_filter(load):
    loaded = load("tenants")
    ran = loaded.run('key:"duckdb/lagoon/*"')
    assert loaded.calls() == ["run --pipeline landing --filter operator=lagoon"]
    assert ran.success
    assert {key for key, _ in ran.materialized} == {
        "duckdb/lagoon/fleet/sailings",
        "duckdb/lagoon/fleet/vessels",
        "duckdb/lagoon/ticketing/bookings",
        "duckdb/lagoon/ticketing/passengers",
    }


def test_a_table_that_comes_along_is_reported_as_what_it_is(load):
    loaded = load("tenants")
    ran = loaded.run('key:"duckdb/lagoon/fleet/vessels"')
    assert loaded.calls() == ["run --pipeline landing --filter id=in__lagoon__fleet"]
    assert ran.metadata["duckdb/lagoon/fleet/sailings", None]["rocky/selected"] is False
    assert "rocky/selected" not in ran.metadata["duckdb/lagoon/fleet/vessels", None]
    assert not any(name.startswith("duckdb/lagoon/fleet/sailings:") for name in ran.checks)


def test_a_component_with_filters_never_runs_without_one(load):
    loaded = load("tenants", filters=["operator=lagoon"])
    assert loaded.run("*").success
    assert loaded.calls() == ["run --pipeline landing --filter operator=lagoon"]


def test_some_models_are_one_run_where_the_pipeline_has_partitions(load):
    loaded = load("marts")
    ran = loaded.run('key:"bakery/staging/stg_shops" or key:"bakery/marts/dim_shop"')
    assert ran.success, ran.failures
    assert loaded.calls() == ["run --pipeline marts"]
    assert ran.materialized == [("bakery/marts/dim_shop", None), ("bakery/staging/stg_shops", None)]
    tables = loaded.sql("select table_name from duckdb_tables() where schema_name = 'marts'")
    assert tables == [("dim_shop",)]


def test_models_that_cannot_be_copied_in_part_run_one_by_one(load):
    loaded = load("marts")
    group = loaded.folder / "models" / "groups" / "region_marts.toml"
    group.write_text("enforce = true\n" + group.read_text())
    ran = loaded.run('key:"bakery/staging/stg_shops" or key:"bakery/marts/dim_shop"')
    assert ran.success, ran.failures
    assert loaded.calls() == [
        "run --pipeline marts --model stg_shops",
        "run --pipeline marts --model dim_shop",
    ]


def test_a_range_of_hours_is_one_run_with_a_materialization_each(load):
    loaded = load("marts", pipelines=["marts"])
    loaded.run('key:"bakery/staging/stg_deliveries"')
    ran = loaded.run(
        'key:"bakery/marts/fct_hourly_oven"', partition_range=("2026-05-01-07:00", "2026-05-01-09:00")
    )
    assert ran.success, ran.failures
    expected = (
        "run --pipeline marts --model fct_hourly_oven --from 2026-05-01T07 --to 2026-05-01T09 --lookback 0"
    )
    assert loaded.calls()[-1] == expected
    assert ran.materialized == [
        ("bakery/marts/fct_hourly_oven", f"2026-05-01-0{hour}:00") for hour in (7, 8, 9)
    ]


@pytest.mark.parametrize(
    ("lookback", "flags", "built"),
    [
        (None, "--lookback 0", ["2026-05-01"]),
        ("model", "", ["2026-04-01", "2026-05-01"]),
        (1, "--lookback 1", ["2026-04-01", "2026-05-01"]),
    ],
)
def test_lookback_is_the_components_choice(load, lookback, flags, built):
    loaded = load("marts", partitions={"lookback": lookback})
    loaded.run('key:"bakery/staging/stg_deliveries"')
    ran = loaded.run('key:"bakery/marts/fct_monthly_sales"', partition="2026-05-01")
    assert ran.success, ran.failures
    assert (
        loaded.calls()[-1]
        == f"run --pipeline marts --model fct_monthly_sales --partition 2026-05 {flags}".strip()
    )
    assert [partition for _, partition in ran.materialized] == built


def test_a_component_value_is_a_partition(load):
    loaded = load("tenants", partitions={"by": "operator"})
    ran = loaded.run('key:"duckdb/fleet/*"', partition="lagoon")
    assert ran.success, ran.failures
    assert loaded.calls() == ["run --pipeline landing --filter id=in__lagoon__fleet"]
    assert ran.materialized == [("duckdb/fleet/sailings", "lagoon"), ("duckdb/fleet/vessels", "lagoon")]
    everyone = loaded.run('key:"duckdb/fleet/*"', partition_range=("fjordline", "northsea"))
    assert loaded.calls()[-1] == "run --pipeline landing --filter system=fleet"
    assert len(everyone.materialized) == 6


def test_a_component_value_and_a_day_are_a_partition(load):
    loaded = load("tenants", partitions={"by": "operator", "every": "day", "start": "2026-11-01"})
    ran = loaded.run('key:"duckdb/fleet/vessels"', partition="lagoon|2026-11-03")
    assert ran.success, ran.failures
    assert ran.materialized == [
        ("duckdb/fleet/sailings", "lagoon|2026-11-03"),
        ("duckdb/fleet/vessels", "lagoon|2026-11-03"),
    ]


def test_dynamic_partitions_are_kept_in_step_with_discovery(load):
    loaded = load("tenants", partitions={"by": "operator", "dynamic": True})
    (sensor,) = loaded.defs.sensors
    instance = loaded.instance
    instance.add_dynamic_partitions("rocky_landing_operator", ["gone"])
    context = dg.build_sensor_context(instance=instance)
    for request in sensor(context).dynamic_partitions_requests:
        keys = request.partition_keys
        if type(request).__name__.startswith("Add"):
            instance.add_dynamic_partitions(request.partitions_def_name, keys)
        else:
            for key in keys:
                instance.delete_dynamic_partition(request.partitions_def_name, key)
    assert sorted(instance.get_dynamic_partitions("rocky_landing_operator")) == [
        "fjordline",
        "lagoon",
        "northsea",
    ]
    assert isinstance(sensor(context), dg.SkipReason)
    ran = loaded.run('key:"duckdb/fleet/*"', partition="lagoon")
    assert ran.materialized == [("duckdb/fleet/sailings", "lagoon"), ("duckdb/fleet/vessels", "lagoon")]


def test_seeds_and_loads_run_what_they_stand_for(load):
    loaded = load("kinds")
    ran = loaded.run('kind:rocky and not key:"museum/history/*"')
    assert ran.success, ran.failures
    assert {key for key, _ in ran.materialized} == {
        "museum/main/exhibits",
        "museum/main/tickets",
        "museum/reference/countries",
    }
    assert ran.metadata["museum/reference/countries", None]["dagster/row_count"] == 3


def test_a_quality_check_alone_runs_its_pipeline_and_nothing_is_built(load):
    loaded = load("kinds")
    ran = loaded.run_checks(
        "museum/desk/visitors:visitor_has_email", "museum/desk/visitors:unique_visitor_id"
    )
    assert ran.success
    assert loaded.calls() == ["run --pipeline gallery_checks"]
    assert ran.checks == {
        "museum/desk/visitors:visitor_has_email": False,
        "museum/desk/visitors:unique_visitor_id": True,
    }
    assert ran.severities["museum/desk/visitors:unique_visitor_id"] == "WARN"
    assert any("quarantined" in text for _, text in ran.observed)


def test_a_check_that_needs_its_asset_builds_it(load, mode):
    loaded = load("tenants", mode=mode)
    check = "duckdb/lagoon/fleet/vessels:row_count"
    ran = loaded.run_checks(check)
    assert ran.success, ran.failures
    assert ran.checks == {check: True}
    assert loaded.calls() == ["run --pipeline landing --filter id=in__lagoon__fleet"]
    assert [key for key, _ in ran.materialized] == [
        "duckdb/lagoon/fleet/sailings",
        "duckdb/lagoon/fleet/vessels",
    ]
    assert all(facts["rocky/selected"] is False for facts in ran.metadata.values())


def test_a_check_that_needs_a_partition_of_its_asset_says_so(load):
    loaded = load("tenants", partitions={"by": "operator"})
    (check,) = [name for name in loaded.checks() if name.endswith("vessels:row_count")]
    ran = loaded.run_checks(check)
    assert not ran.success
    assert not ran.materialized
    assert "Materialize a partition of the assets" in ran.failures[0]


def test_a_check_beside_other_assets_than_its_own_is_told_to_be_unevaluated(load):
    key = dg.AssetCheckKey.from_user_string("duckdb/lagoon/fleet/vessels:row_count")
    selection = dg.AssetSelection.checks(key) | dg.AssetSelection.assets("duckdb/northsea/ticketing/refunds")
    ran = load("tenants").run(selection)
    assert ran.success, ran.failures
    assert "duckdb/lagoon/fleet/vessels:row_count" not in ran.checks
    assert any(
        asset == "duckdb/lagoon/fleet/vessels" and "select it too" in text for asset, text in ran.observed
    )


def test_a_contract_is_a_check_of_its_model(load):
    loaded = load("broken/contract_in_models")
    assert loaded.checks() == {"atlas/drawn/heights:contract"}
    ran = loaded.run("*")
    assert not ran.success
    assert ran.checks == {"atlas/drawn/heights:contract": False}
    alone = loaded.run_checks("atlas/drawn/heights:contract")
    assert alone.success
    assert alone.checks == {"atlas/drawn/heights:contract": False}


def test_partitioned_assets_without_a_partition_say_how_to_launch_them(load):
    ran = load("marts").run('key:"bakery/marts/fct_daily_loaves"')
    assert not ran.success
    assert "--partition" in ran.failures[0]


def test_run_options_reach_the_engine(load):
    loaded = load(
        "chained", pipelines=["shape"], parallelism=3, run={"vars": {"region": "north"}, "env": "prod"}
    )
    loaded.run("*")
    assert loaded.calls() == ["run --pipeline shape --parallel 3 --env prod --var region=north"]


def test_a_failing_model_fails_the_step_and_keeps_its_siblings(load):
    loaded = load("broken/runtime_contained")
    ran = loaded.run("*")
    assert not ran.success
    assert ("atlas/drawn/a_names", None) in ran.materialized
    assert ("atlas/drawn/b_dates", None) not in ran.materialized
    assert "atlas/drawn/b_dates" in ran.failures[0]


def test_a_retry_asks_the_engine_only_for_what_is_missing(load):
    loaded = load("broken/runtime_contained", retry={"max_retries": 1})
    engine = loaded.folder / "engine"
    model = loaded.folder / "models" / "b_dates.sql"
    # From the second engine run on the failing model is right.
    engine.write_text(
        engine.read_text().replace(
            "exec ",
            f"[ $(grep -c ' run ' '{loaded.folder / 'calls'}') -ge 2 ]"
            f" && sed -i 's/CAST(seen AS DATE)/seen/' '{model}'\nexec ",
        )
    )
    ran = loaded.run("*")
    assert ran.success, ran.failures
    assert loaded.calls() == [
        "run --pipeline maps",
        "run --pipeline maps",
    ]
    assert [key for key, _ in ran.materialized].count("atlas/drawn/a_names") == 1
    assert ("atlas/drawn/a_names", True) in {(key, "Built earlier" in text) for key, text in ran.observed}
    assert ran.metadata["atlas/drawn/b_dates", None]["rocky/outcome"] == "materialized"


def test_contracts_apart_from_the_models_are_checks_too(load, snapshots):
    loaded = load("broken/contract")
    snapshot = snapshots("broken/contract", contracts_dir="contracts")
    component = loaded.component.model_copy(update={"models": ModelsOptions(contracts_dir="contracts")})
    apart = Loaded(component, snapshot, loaded.folder)
    assert apart.checks() == {"atlas/drawn/heights:contract"}
    ran = apart.run("*")
    assert ran.success, ran.failures
    assert ran.checks == {"atlas/drawn/heights:contract": False}
