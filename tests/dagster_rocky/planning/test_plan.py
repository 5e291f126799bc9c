"""Selections become the fewest engine runs, and those touch what was selected."""

from dataclasses import replace
from itertools import combinations, product

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_rocky.partitions import to_engine_key
from dagster_rocky.planning.plan import PlannedRun, Unit, plan_units
from dagster_rocky.planning.requests import Requests
from dagster_rocky.vocabulary import EngineAsset
from support.examples import examples


def plan_runs(selected, universe, *, partition_keys=(), **requests) -> list[PlannedRun]:
    """Plans assets, partitioned models in the given partitions."""
    units = []
    for asset in selected:
        if asset.granularity and partition_keys:
            units += [Unit(asset, key, to_engine_key(asset.granularity, key)) for key in partition_keys]
        else:
            units.append(Unit(asset))
    return plan_units(units, universe, Requests(**requests))


def partitions(run: PlannedRun) -> tuple[str | None, ...]:
    return tuple(unit.partition for unit in run.units)


def table(source: str, name: str, pipeline: str = "landing", **components) -> EngineAsset:
    key = (source, name)
    return EngineAsset(
        engine_key=key,
        asset_key=dg.AssetKey(list(key)),
        kind="table",
        name=name,
        pipeline=pipeline,
        source_id=source,
        components=components,
    )


def model(name: str, granularity=None, pipeline: str = "marts") -> EngineAsset:
    key = ("nyc", "marts", name)
    return EngineAsset(
        engine_key=key,
        asset_key=dg.AssetKey(list(key)),
        kind="model",
        name=name,
        pipeline=pipeline,
        granularity=granularity,
    )


FLIGHTS = [
    table(f"raw__{airport}__{system}", name, airport=airport, system=system)
    for airport in ("ewr", "jfk", "lga")
    for system, name in (("ops", "flights"), ("wx", "weather"))
]


def select(**wanted) -> list[EngineAsset]:
    return [
        asset
        for asset in FLIGHTS
        if all({**asset.components, "table": asset.name}[key] in values for key, values in wanted.items())
    ]


def filters(plan) -> list[str | None]:
    return [run.request.filter for run in plan]


def test_everything_is_one_run_without_a_filter():
    plan = plan_runs(FLIGHTS, FLIGHTS)
    assert filters(plan) == [None]
    assert plan[0].request.pipeline == "landing"
    assert plan[0].assets == tuple(FLIGHTS)


def test_every_source_of_one_airport():
    assert filters(plan_runs(select(airport=["jfk"]), FLIGHTS)) == ["airport=jfk"]


def test_two_sources_that_share_nothing_else_are_both_copied():
    assert filters(plan_runs(select(airport=["ewr", "jfk"]), FLIGHTS)) == ["airport=ewr", "airport=jfk"]


def test_one_table_of_every_source_by_the_plainest_filter():
    assert filters(plan_runs(select(table=["weather"]), FLIGHTS)) == ["system=wx"]


def test_one_table_of_every_source_where_no_component_names_it():
    tables = [table(f"s{i}", name, shop=str(i)) for i in range(3) for name in ("orders", "customers")]
    plan = plan_runs([asset for asset in tables if asset.name == "orders"], tables)
    assert filters(plan) == ["table=orders"]
    assert plan[0].extras == ()


def test_a_lone_source():
    plan = plan_runs(select(airport=["jfk"], system=["wx"]), FLIGHTS)
    assert filters(plan) == ["id=raw__jfk__wx"]


def test_a_lone_table_of_a_source_names_what_comes_with_it():
    tables = [table(f"s{i}", name, shop=str(i)) for i in range(3) for name in ("orders", "customers")]
    plan = plan_runs([tables[0]], tables)
    assert filters(plan) == ["id=s0"]
    assert plan[0].assets == (tables[0],)
    assert plan[0].extras == (tables[1],)


def test_multi_valued_components_match_by_membership():
    tables = [
        table("a", "t", zones=("north", "iceland")),
        table("b", "t", zones=("north",)),
        table("c", "t", zones=("south",)),
    ]
    assert filters(plan_runs(tables[:2], tables)) == ["zones=north"]
    assert filters(plan_runs(tables[:1], tables)) == ["zones=iceland"]
    assert filters(plan_runs(tables[1:2], tables)) == ["id=b"]


def test_components_named_like_the_engines_own_keys_are_no_filters():
    tables = [table("s1", "orders", id="x", table="y"), table("s2", "orders", id="x", table="z")]
    assert filters(plan_runs(tables[:1], tables)) == ["id=s1"]


def test_empty_values_are_no_filters():
    tables = [table("s1", "a", shop=""), table("s2", "a", shop=""), table("s3", "b", shop="3")]
    assert filters(plan_runs(tables[:2], tables)) == ["table=a"]


def test_models_without_partitions_are_one_run():
    models = [model("stg"), model("fct")]
    plan = plan_runs(models, models)
    assert [(run.request.pipeline, run.request.model) for run in plan] == [("marts", None)]


def test_some_models_run_one_by_one_in_dependency_order():
    models = [model("stg"), model("fct"), model("mart")]
    plan = plan_runs([models[2], models[0]], models)
    assert [run.request.model for run in plan] == ["stg", "mart"]


def test_unpartitioned_models_beside_a_partitioned_one_never_run_the_pipeline():
    models = [model("stg"), model("daily", "day")]
    assert [run.request.model for run in plan_runs(models[:1], models)] == ["stg"]


def test_a_range_is_one_run_and_a_gap_begins_another():
    models = [model("daily", "day")]
    keys = ["2013-07-04", "2013-07-02", "2013-07-03", "2013-07-09"]
    first, second = plan_runs(models, models, partition_keys=keys)
    assert (first.request.partition_from, first.request.partition_to) == ("2013-07-02", "2013-07-04")
    assert partitions(first) == ("2013-07-02", "2013-07-03", "2013-07-04")
    assert second.request.partition == "2013-07-09"
    assert {first.request.lookback, second.request.lookback} == {0}


def test_keys_reach_the_engine_in_its_own_format():
    models = [model("hourly", "hour")]
    (run,) = plan_runs(
        models, models, partition_keys=["2026-05-02-23:00", "2026-05-03-00:00"], lookback="model"
    )
    assert (run.request.partition_from, run.request.partition_to) == ("2026-05-02T23", "2026-05-03T00")
    assert tuple(unit.engine_partition for unit in run.units) == ("2026-05-02T23", "2026-05-03T00")
    assert run.request.lookback is None


def test_a_key_of_another_grain_is_refused_with_the_format():
    models = [model("monthly", "month")]
    with pytest.raises(ValueError, match=r"'2026-05'.*'2026-05-01'"):
        plan_runs(models, models, partition_keys=["2026-05"])


def test_pipelines_run_in_the_order_of_the_universe():
    stg, *_ = models = [model("stg"), model("fct")]
    plan = plan_runs([*models, *FLIGHTS], [*FLIGHTS, *models])
    assert [run.request.pipeline for run in plan] == ["landing", "marts"]
    assert plan[1].assets[0] is stg


@st.composite
def projects(draw):
    """A small project and a selection: sources with components, some multi-valued, and shared tables."""
    sources = draw(st.integers(1, 4))
    tables = []
    for index in range(sources):
        components = {
            "shop": draw(st.sampled_from("xyz")),
            "zones": tuple(draw(st.lists(st.sampled_from("nsw"), min_size=1, max_size=2, unique=True))),
        }
        for name in draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)):
            tables.append(table(f"s{index}", name, **components))
    chosen = draw(st.lists(st.sampled_from(tables), min_size=1, unique_by=lambda asset: asset.engine_key))
    return tables, chosen


def touched_by(name: str | None, tables) -> frozenset:
    """What the engine copies with a filter, from the contract: equality, or membership."""
    if name is None:
        return frozenset(asset.engine_key for asset in tables)
    key, value = name.split("=", 1)

    def matches(asset: EngineAsset) -> bool:
        held = {"id": asset.source_id, "table": asset.name}.get(key, asset.components.get(key))
        return value in held if isinstance(held, tuple) else value == held

    return frozenset(asset.engine_key for asset in tables if matches(asset))


def cheapest(tables, chosen) -> tuple[int, int]:
    """By trying every set of filters: the fewest extras, then the fewest runs."""
    wanted = {asset.engine_key for asset in chosen}
    asked = {asset.source_id for asset in chosen}
    allowed = {asset.engine_key for asset in tables if asset.source_id in asked}
    names = {
        None,
        *(f"id={asset.source_id}" for asset in tables),
        *(f"table={asset.name}" for asset in tables),
    }
    for value, key in product("xyznsw", ("shop", "zones")):
        names.add(f"{key}={value}")
    sets = {
        touched for name in names if (touched := touched_by(name, tables)) & wanted and touched <= allowed
    }
    best = (1 << 30, 1 << 30)
    for count in range(1, len(wanted) + 1):
        for some in combinations(sets, count):
            union = frozenset().union(*some)
            if len(union) == sum(map(len, some)) and wanted <= union:
                best = min(best, (len(union - wanted), count))
    return best


@settings(max_examples=examples(100))
@given(projects())
def test_no_plan_is_cheaper_and_the_plan_touches_what_it_says(project):
    tables, chosen = project
    plan = plan_runs(chosen, tables)
    copied = []
    for run in plan:
        touched = touched_by(run.request.filter, tables)
        assert touched == {asset.engine_key for asset in (*run.assets, *run.extras)}
        copied += touched
    wanted = {asset.engine_key for asset in chosen}
    assert len(copied) == len(set(copied)), "a table is copied twice"
    owed = [asset.engine_key for run in plan for asset in run.assets]
    assert sorted(owed) == sorted(wanted)
    extras = set(copied) - wanted
    asked = {asset.source_id for asset in chosen}
    assert {asset.source_id for asset in tables if asset.engine_key in extras} <= asked
    assert (len(extras), len(plan)) == cheapest(tables, chosen)


def test_fifty_thousand_tables_are_planned_in_a_moment():
    tables = [
        table(f"shop{i}", f"t{j}", shop=f"s{i}", region=f"r{i % 40}") for i in range(1_000) for j in range(50)
    ]
    selected = [asset for asset in tables if asset.components["region"] in {"r1", "r2", "r3"}]
    selected += [asset for asset in tables if asset.source_id == "shop4"][:10]
    plan = plan_runs(selected, tables)
    assert len(plan) == 4
    assert sum(len(run.extras) for run in plan) == 40


@settings(max_examples=examples(80))
@given(projects(), st.sets(st.sampled_from(["s0", "s1", "s2", "s3"])))
def test_a_source_that_the_engine_refuses_takes_nothing_else_with_it(project, refused):
    """The engine ends a run that touches such a schema before it copies anything (contract, section 18)."""
    plain, chosen = project
    tables = {
        asset.engine_key: replace(
            asset,
            target=f"wh.lake__{asset.source_id}{' corp' if asset.source_id in refused else ''}.{asset.name}",
        )
        for asset in plain
    }
    owed = []
    for run in plan_runs([tables[asset.engine_key] for asset in chosen], list(tables.values())):
        touched = {tables[key].source_id for key in touched_by(run.request.filter, list(tables.values()))}
        assert len(touched) == 1 or not touched & refused
        owed += [asset.engine_key for asset in run.assets]
    assert sorted(owed) == sorted(asset.engine_key for asset in chosen)
