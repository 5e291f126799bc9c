"""What loading and planning cost, as ratios to a floor in the same process; `make bench` measures them at full size."""

import gc
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_rocky import RockyComponent
from dagster_rocky.graph.universe import Universe
from dagster_rocky.planning.plan import Unit, plan_units
from dagster_rocky.project.snapshot import ProjectSnapshot

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark_module():
    """A module of the benchmarks, by name."""
    sys.path.insert(0, str(BENCHMARKS))
    yield import_module
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def generated(benchmark_module):
    return benchmark_module("generated")


@pytest.fixture
def sides(generated, tmp_path: Path, request: pytest.FixtureRequest):
    """A project of a size as definitions: by the component from its state, and by hand."""
    tables, models = request.param
    state = tmp_path / "state"
    generated.snapshot(tmp_path, tables, models).write(state)

    def component() -> dg.Definitions:
        made = RockyComponent(config_path=str(tmp_path / "rocky.toml"), binary_path="not-needed")
        return made.build_defs_from_snapshot(ProjectSnapshot.read(state))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield component, lambda: generated.bare_definitions(tmp_path, tables, models), state.stat().st_size


def finish(make: Callable[[], dg.Definitions]) -> Any:
    defs = make()
    return defs, defs.resolve_asset_graph(), defs.resolve_implicit_global_asset_job_def()


def best_ratio(ours: Callable[[], object], floor: Callable[[], object], rounds: int = 3) -> float:
    """The least of processor time of ours, in terms of the least of the floor's; they take turns."""
    spent: dict[Callable[[], object], list[float]] = {floor: [], ours: []}
    for _ in range(rounds):
        for action, seconds in spent.items():
            gc.collect()
            began = time.process_time()
            action()
            seconds.append(time.process_time() - began)
    return min(spent[ours]) / min(spent[floor])


@pytest.mark.parametrize("sides", [(700, 0), (0, 200)], indirect=True, ids=["tables", "models"])
def test_both_sides_of_the_comparison_are_the_same_assets_checks_and_steps(sides):
    component, bare, _ = sides
    ours, floor = component().assets or [], bare().assets or []
    assert {spec.key: spec for a in ours for spec in a.specs} == {
        spec.key: spec for a in floor for spec in a.specs
    }
    checks = [{spec.key: spec for a in side for spec in a.check_specs} for side in (ours, floor)]
    assert checks[0] == checks[1]
    assert {frozenset(a.keys) for a in ours} == {frozenset(a.keys) for a in floor}


@pytest.mark.parametrize("sides", [(200, 0), (0, 100)], indirect=True, ids=["tables", "models"])
def test_loading_costs_what_dagster_costs(sides):
    component, bare, _ = sides
    finish(component)
    assert best_ratio(lambda: finish(component), lambda: finish(bare)) < 3


@pytest.mark.parametrize("sides", [(200, 0), (0, 100)], indirect=True, ids=["tables", "models"])
def test_what_is_loaded_needs_the_memory_that_dagster_needs(sides):
    component, bare, _ = sides
    held = []
    for make in (component, bare):
        finish(make)
        gc.collect()
        tracemalloc.start()
        kept = finish(make)
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        del kept
    assert held[0] < 1.5 * held[1]


@pytest.mark.parametrize("sides", [(1_000, 0)], indirect=True)
def test_the_state_is_small(sides):
    assert sides[2] < 100 * 1_000


@pytest.mark.parametrize("sides", [(3_000, 0)], indirect=True)
def test_planning_costs_a_few_passes_over_the_tables(sides, tmp_path):
    made = RockyComponent(config_path=str(tmp_path / "rocky.toml"), binary_path="not-needed")
    made.build_defs_from_snapshot(ProjectSnapshot.read(tmp_path / "state"))
    tables = list(made.graph.universe)
    units = [Unit(table) for table in tables if table.components["region"] == "r1"]
    ratio = best_ratio(
        lambda: plan_units(units, Universe(tables)), lambda: {table.engine_key: table for table in tables * 5}
    )
    assert ratio < 20


def test_importing_costs_little_and_brings_nothing_heavy(benchmark_module):
    code = benchmark_module("scale").IMPORTS
    told = subprocess.check_output([sys.executable, "-c", code]).split()
    dagster, package, component, heavy = map(float, told)
    assert package < 0.2 * dagster
    assert component < 1.5 * dagster
    assert not heavy, "duckdb, sqlglot or jinja2 is imported"


def test_making_events_costs_little_of_what_dagster_takes_to_store_them(benchmark_module, tmp_path):
    steps, checks = benchmark_module("scale_steps"), ("row_count", "column_match")
    stored = steps.stored_events(tmp_path, 3, checks)
    made = steps.made_events(tmp_path, 200, checks) / 600
    assert made < 0.05 * stored


def test_log_lines_hold_the_engine_up_no_more_than_a_pipe_does(benchmark_module, tmp_path):
    execution = benchmark_module("execution")
    with dg.DagsterInstance.ephemeral() as instance:
        found = [execution.flooded(tmp_path, instance, 20_000) for _ in range(2)]
    assert all(in_order for *_, in_order in found)
    assert min(spent for spent, *_ in found) < 3 * max(floor for _, floor, *_ in found)


def test_launching_one_asset_costs_what_dagster_costs(generated, benchmark_module, tmp_path):
    child, tables = benchmark_module("scale_child"), 100
    generated.snapshot(tmp_path, tables, 0).write(tmp_path / "state")
    benchmark_module("scale").write_engine(tmp_path)

    def launched(load: Callable[[], dg.Definitions]) -> float:
        """Processor seconds of this process until the engine starts."""
        gc.collect()
        began = time.process_time()
        defs = load()
        job = defs.resolve_implicit_global_asset_job_def()
        first = min(defs.resolve_asset_graph().materializable_asset_keys, key=lambda key: key.path)
        (tmp_path / "started").unlink(missing_ok=True)
        assert job.execute_in_process(asset_selection=[first]).success
        return child.started(tmp_path)[0] - began

    spent: dict[str, list[float]] = {"bare": [], "component": []}
    for _ in range(2):
        spent["bare"].append(launched(lambda: child.load_bare(tmp_path, tables, 0, {})))
        spent["component"].append(launched(lambda: child.load_component(tmp_path, {})))
    assert min(spent["component"]) < 3 * min(spent["bare"])
