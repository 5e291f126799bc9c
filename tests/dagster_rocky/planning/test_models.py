"""Models are built in the fewest runs that keep their order, and a failed one takes nothing else with it."""

from itertools import pairwise

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_rocky.engine.options import RunOptions
from dagster_rocky.partitions import to_engine_key
from dagster_rocky.planning.plan import PlannedRun, Unit, plan_one_by_one, plan_rest, plan_units
from dagster_rocky.planning.requests import Requests
from dagster_rocky.vocabulary import EngineAsset
from support.examples import examples


def model(name: str, reads=(), granularity=None, path: str | None = "models/{}.sql") -> EngineAsset:
    key = ("wh", "marts", name)
    return EngineAsset(
        engine_key=key,
        asset_key=dg.AssetKey(list(key)),
        kind="model",
        name=name,
        pipeline="marts",
        target=".".join(key),
        granularity=granularity,
        path=path.format(name) if path else None,
        reads=tuple(f"wh.marts.{other}" for other in reads),
    )


@st.composite
def graphs(draw):
    """Models in dependency order, some partitioned, and a selection of them as units."""
    count = draw(st.integers(1, 9))
    models = []
    for index in range(count):
        reads = draw(st.sets(st.integers(0, index - 1))) if index else set()
        granularity = draw(st.sampled_from([None, None, "day"]))
        models.append(model(f"m{index}", [f"m{other}" for other in sorted(reads)], granularity))
    chosen = draw(st.lists(st.sampled_from(models), min_size=1, unique_by=lambda asset: asset.name))
    units = []
    for asset in chosen:
        if asset.granularity:
            days = draw(st.sets(st.integers(1, 9), min_size=1))
            keys = [f"2026-05-0{day}" for day in sorted(days)]
            units += [Unit(asset, key, to_engine_key("day", key)) for key in keys]
        else:
            units.append(Unit(asset))
    return models, units


def builds(run: PlannedRun, models) -> list[str]:
    """What the engine builds for a request, from the contract's sections 5 and 15, in its order."""
    request = run.request
    if request.model:
        return [request.model]
    if not request.models:
        return [asset.name for asset in models]
    open_models = {chosen.name: set(chosen.after) for chosen in request.models}
    assert all(after <= open_models.keys() for after in open_models.values()), "unknown dependency"
    order = []
    while open_models:
        ready = sorted(name for name, after in open_models.items() if not after & open_models.keys())
        assert ready, "a cycle"
        order.append(ready[0])
        del open_models[ready[0]]
    return order


def ancestors(models) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for asset in models:
        direct = {name.rsplit(".", 1)[-1] for name in asset.reads}
        found[asset.name] = direct.union(*(found[name] for name in direct))
    return found


def fewest_stages(models, chosen) -> int:
    """By dynamic programming over the order: how few unpartitioned runs keep it."""
    above = ancestors(models)
    by_name = {asset.name: asset for asset in models}
    waits: dict[str, int] = {}
    for asset in models:
        if asset.name in chosen:
            before = above[asset.name] & chosen
            partitioned = asset.granularity is not None
            waits[asset.name] = max(
                (waits[n] + ((by_name[n].granularity is not None) != partitioned) for n in before),
                default=int(partitioned),
            )
    return len({stage for name, stage in waits.items() if by_name[name].granularity is None})


@settings(max_examples=examples(100))
@given(graphs(), st.integers(1, 4))
def test_the_runs_build_exactly_the_selection_in_order_and_in_the_fewest_runs(graph, per_run):
    models, units = graph
    plan = plan_units(units, models, Requests(per_run=per_run))
    chosen = {unit.asset.name for unit in units}
    above = ancestors(models)
    built: list[str] = []
    for run in plan:
        names = builds(run, models)
        assert set(names) == {asset.name for asset in run.assets}
        assert run.extras == ()
        for name in names:
            assert not (above[name] & chosen) - set(built) - {name}, f"{name} before what it reads"
            built.append(name)
    owed = [unit for run in plan for unit in run.units]
    assert len(owed) == len(set(owed))
    assert set(owed) == set(units)
    together = [run for run in plan if run.assets[0].granularity is None]
    assert len(together) == fewest_stages(models, chosen)
    for run in plan:
        assert run.assets[0].granularity is None or len(run.units) <= per_run


@settings(max_examples=examples(80))
@given(graphs(), st.data())
def test_after_failures_all_that_does_not_depend_on_them_is_built(graph, data):
    models, _ = graph
    models = [model(asset.name, [n.rsplit(".", 1)[-1] for n in asset.reads]) for asset in models]
    chosen = data.draw(st.lists(st.sampled_from(models), min_size=1, unique_by=lambda asset: asset.name))
    broken = {asset.name for asset in data.draw(st.lists(st.sampled_from(chosen)))}
    queue = plan_units([Unit(asset) for asset in chosen], models)
    built, runs = set(), 0
    while queue:
        run, runs = queue.pop(0), runs + 1
        units = {unit.asset.name: unit for unit in run.units}
        done = []
        for name in builds(run, models):
            if name in broken:
                left = [unit for other, unit in units.items() if other not in {*done, name}]
                queue = plan_rest(run, {units[name]}, left, models) + queue
                break
            assert name not in built, "built twice"
            done.append(name)
            built.add(name)
    above = ancestors(models)
    names = {asset.name for asset in chosen}
    assert built == {name for name in names if name not in broken and not above[name] & broken}
    assert runs <= len(broken) + 1


def test_no_rest_is_planned_where_nothing_is_known_to_have_failed():
    models = [model("a"), model("b")]
    (run,) = plan_units([Unit(asset) for asset in models], models)
    assert plan_rest(run, set(), run.units, models) == []


def test_the_order_goes_through_models_that_are_not_chosen():
    models = [model("a"), model("x", ["a"]), model("b", ["x"]), model("other")]
    (run,) = plan_units([Unit(models[0]), Unit(models[2])], models)
    assert [(chosen.name, chosen.after) for chosen in run.request.models] == [("a", ()), ("b", ("a",))]
    assert [chosen.path for chosen in run.request.models] == ["models/a.sql", "models/b.sql"]


def test_models_without_known_files_run_one_by_one():
    models = [model("a", path=None), model("b"), model("c")]
    plan = plan_units([Unit(asset) for asset in models[:2]], models)
    assert [run.request.model for run in plan] == ["a", "b"]


def test_one_by_one_asks_for_the_same_units():
    models = [model("a"), model("b"), model("c")]
    (run,) = plan_units([Unit(asset) for asset in models[:2]], models, Requests(parallel=2))
    single = plan_one_by_one(run, Requests(parallel=2))
    assert [(one.request.model, one.request.parallel) for one in single] == [("a", 2), ("b", 2)]
    assert [unit for one in single for unit in one.units] == list(run.units)


@pytest.mark.parametrize(("days", "per_run", "sizes"), [(7, 50, [7]), (7, 3, [3, 3, 1]), (100, 50, [50, 50])])
def test_a_range_is_cut_into_pieces_that_follow_each_other(days, per_run, sizes):
    definition = dg.DailyPartitionsDefinition("2026-01-01")
    keys = definition.get_partition_keys()[:days]
    daily = model("daily", granularity="day")
    units = [Unit(daily, key, key) for key in keys]
    plan = plan_units(units, [daily], Requests(per_run=per_run, lookback="model"))
    assert [len(run.units) for run in plan] == sizes
    assert [unit.partition for run in plan for unit in run.units] == keys
    assert [run.request.lookback for run in plan] == [None, *[0] * (len(sizes) - 1)]
    for earlier, later in pairwise(plan):
        assert earlier.units[-1].partition < later.units[0].partition


def test_every_request_of_a_plan_is_finished_with_a_key_of_its_own():
    models = [model("a"), model("b"), model("c"), model("daily", granularity="day")]
    options = RunOptions(idempotency_key="nightly-{run_id}", vars={"region": "north"})
    requests = Requests(options=options, key_parts={"run_id": "4b0c"}, parallel=3)

    def keys(names: str) -> list[str | None]:
        units = [Unit(asset) for asset in models if asset.name in names.split()]
        plan = plan_units(units, models, requests)
        assert all(run.request.options is options and run.request.parallel == 3 for run in plan)
        return [run.request.idempotency_key for run in plan]

    found = [key for names in ("a", "a b", "a c", "b c", "a b c", "a daily") for key in keys(names)]
    assert all(key is not None and key.startswith("nightly-4b0c-") for key in found)
    assert len(set(found)) == len(found) - 1  # `a` alone is the same request wherever it is asked.
    assert keys("a b") == keys("a b")
    again = Requests(options=options, key_parts={"run_id": "4b0c"}, parallel=3, attempt=1)
    (retried,) = plan_units([Unit(models[0])], models, again)
    assert retried.request.idempotency_key not in keys("a"), (
        "the first try's engine may have left its key claimed"
    )


def test_a_run_of_no_partitions_is_refused():
    with pytest.raises(ValueError, match="per_run"):
        Requests(per_run=0)
