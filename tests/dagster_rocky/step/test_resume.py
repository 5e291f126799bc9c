"""A retry goes on with the engine run that failed, where that is cheaper, and only where it is right."""

from types import SimpleNamespace

import dagster as dg
import pytest

from dagster_rocky.engine.options import RunOptions
from dagster_rocky.graph.universe import Universe
from dagster_rocky.planning.done import BuiltBy
from dagster_rocky.planning.plan import Unit, plan_units
from dagster_rocky.planning.requests import Requests
from dagster_rocky.planning.resume import resumed
from dagster_rocky.planning.selection import StepPlan, StepSelection
from dagster_rocky.vocabulary import EngineAsset
from support.reconstructed import reconstructable
from support.recorded import Loaded, Ran, collect
from support.seeding import opened

BROKEN = {"lagoon": "vessels", "northsea": "sailings"}


def break_targets(loaded: Loaded) -> None:
    """Views where the engine wants tables, in two sources: no filter touches just these two."""
    with opened(next(loaded.folder.glob("*.duckdb"))) as connection:
        for operator, table in BROKEN.items():
            connection.execute(f"CREATE SCHEMA lake__{operator}__fleet")
            connection.execute(f"CREATE VIEW lake__{operator}__fleet.{table} AS SELECT 1 AS x")


def mend_targets(loaded: Loaded) -> None:
    with opened(next(loaded.folder.glob("*.duckdb"))) as connection:
        for operator, table in BROKEN.items():
            connection.execute(f"DROP VIEW lake__{operator}__fleet.{table}")


def tried_twice(loaded: Loaded) -> tuple[Ran, Ran]:
    job, instance = reconstructable(loaded), loaded.instance
    first = dg.execute_job(job, instance)
    mend_targets(loaded)
    again = dg.ReexecutionOptions.from_failure(first.run_id, instance)
    return collect(first), collect(dg.execute_job(job, instance, reexecution_options=again))


@pytest.mark.parametrize("mode", ["buffered", "streaming", "pipes"])
def test_a_retry_goes_on_with_the_run_that_failed(load, mode):
    loaded = load("tenants", mode=mode, run={"resume": True})
    break_targets(loaded)
    first, second = tried_twice(loaded)

    assert not first.success and second.success, second.failures
    ran, went_on = loaded.calls()
    assert ran == "run --pipeline landing"
    engine_run = first.metadata["duckdb/northsea/fleet/vessels", None]["rocky/run_id"]
    assert went_on == f"{ran} --resume {engine_run}"
    missing = [(f"duckdb/{operator}/fleet/{table}", None) for operator, table in BROKEN.items()]
    assert second.materialized == [("downstream", None), *missing]
    left_out = [name for name, text in second.observed if "Built earlier" in text]
    assert sorted(left_out) == [name for name, _ in first.materialized]


def test_nothing_is_resumed_unless_it_is_asked_for(load):
    loaded = load("tenants")
    break_targets(loaded)
    _, second = tried_twice(loaded)
    assert second.success
    assert len(loaded.calls()) > 2 and not any("--resume" in call for call in loaded.calls())


def test_a_run_that_the_engine_did_not_record_is_not_resumed(load):
    """As one that was killed: its id would mean a copy of everything."""
    loaded = load("tenants", run={"resume": True})
    break_targets(loaded)
    engine = loaded.folder / "engine"
    forgets = 'case "$*" in *history*) echo \'{"command": "history", "runs": []}\'; exit 0;; esac\nexec '
    engine.write_text(engine.read_text().replace("exec ", forgets))
    _, second = tried_twice(loaded)
    assert second.success
    assert not any("--resume" in call for call in loaded.calls())


def unit(name: str, source: str) -> Unit:
    key = ("wh", source, name)
    return Unit(
        EngineAsset(
            engine_key=key,
            asset_key=dg.AssetKey(key),
            kind="table",
            name=name,
            pipeline="p",
            source_id=source,
        )
    )


UNITS = [unit(name, source) for source in ("north", "south") for name in ("a", "b", "c")]


def planned(done: dict[int, str | None], *, built=(), **options: bool | str) -> list[str | None]:
    """Which engine run each planned one goes on with, when these of the units are done by these engine runs."""
    nodes = tuple(
        SimpleNamespace(spec=dg.AssetSpec(one.asset.asset_key), assets=(one.asset,)) for one in UNITS
    )
    known = {(UNITS[number].asset.asset_key, None): BuiltBy("run", by) for number, by in done.items()}
    selection = StepSelection(nodes=nodes, done=known)
    universe = Universe([one.asset for one in UNITS])
    requests = Requests(options=RunOptions(resume=True, **options))
    plan = StepPlan(
        runs=tuple(plan_units(selection.units(), universe, requests)), universe=universe, requests=requests
    )
    cheaper = resumed(plan, selection, lambda run: run == "X", lambda one, run: UNITS.index(one) in built)
    assert {one for run in cheaper.runs for one in run.units} == set(selection.units())
    return [run.request.resume for run in cheaper.runs]


SCATTERED = {0: "X", 1: "X", 4: "X", 5: "X"}
"""Missing are `c` of one source and `a` of the other."""


@pytest.mark.parametrize(
    ("done", "more", "resumes"),
    [
        (SCATTERED, {}, True),
        ({0: "X", 1: "X", 2: "X"}, {}, False),  # One source is missing, which a filter copies in one run.
        ({**SCATTERED, 5: "Y"}, {}, False),
        ({**SCATTERED, 5: None}, {}, False),
        (dict.fromkeys(SCATTERED, "Y"), {}, False),  # The engine does not know it.
        (SCATTERED, {"built": (2,)}, False),  # It copied what a check found wrong.
        (SCATTERED, {"shadow_suffix": "_try"}, False),
        (SCATTERED, {"plan": True}, False),
    ],
)
def test_when_it_is_right_and_cheaper(done, more, resumes):
    found = planned(done, **more)
    assert (found == ["X"]) if resumes else (set(found) == {None})
