"""In a branch deployment production is not written: the warehouse is read afterwards."""

from dataclasses import replace

import dagster as dg
import pytest
from pydantic import ValidationError

from dagster_rocky.deployment.branch import IS_BRANCH, NAME, PULL_REQUEST, branch_suffix
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.planning.plan import Unit, plan_units
from dagster_rocky.planning.requests import Requests
from dagster_rocky.step.shadow import require_shadowable
from dagster_rocky.yaml.options import RunSection
from support.recorded import Loaded

BRANCH = {IS_BRANCH: "1", NAME: "a1b2c3", PULL_REQUEST: "57"}
SUFFIX = branch_suffix(BRANCH)
TABLES = "select table_catalog || '.' || table_schema || '.' || table_name, table_name from information_schema.tables"
LAGOON = 'key:"duckdb/lagoon/fleet/*"'


@pytest.fixture
def branch(monkeypatch):
    for name, value in BRANCH.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["buffered", "streaming", "pipes"])
def mode(request):
    return request.param


def tables(loaded: Loaded) -> set[str]:
    return {name for name, _ in loaded.sql(TABLES)}


def test_models_of_a_branch_are_shadows(load, branch):
    loaded = load("marts", run={"shadow": "branch_deployment"})
    before = tables(loaded)
    ran = loaded.run('key:"bakery/staging/stg_shops"')
    assert ran.success, ran.failures
    written = tables(loaded) - before
    assert written == {ran.metadata["bakery/staging/stg_shops", None]["dagster/table_name"]}
    assert next(iter(written)).endswith(f"stg_shops{SUFFIX}")


def test_a_quality_pipeline_is_refused(load, branch):
    loaded = load("chained", run={"shadow": "branch_deployment"})
    ran = loaded.run_checks("buoys/shaped/wave_summary:row_count")
    assert not ran.success
    assert "a quality pipeline checks the real table" in ran.failures[0]
    assert loaded.calls() == []


def test_no_launch_of_a_branch_writes_the_real_tables(load, branch):
    loaded = load("tenants", run={"shadow": "branch_deployment"})
    ran = loaded.run(LAGOON, launch={"shadow": "off"})
    assert "a launch cannot say `shadow: off`" in ran.failures[0]
    assert loaded.calls() == []


def test_a_shadow_over_a_real_table_is_refused(load):
    loaded = load("tenants")
    universe = loaded.component.graph.universe
    table = universe[0]
    other = replace(table, engine_key=("duckdb", "other"), target=f"{table.target}_try")
    runs = plan_units([Unit(table)], [table, other], Requests(options=RunOptions(shadow_suffix="_try")))
    with pytest.raises(dg.Failure, match="it would be written over the real table"):
        require_shadowable(runs, [table, other])
    require_shadowable(runs, [table])


@pytest.mark.parametrize("shadow", ["branch_deploymnt", "try", "_a-b", "_" * 41, "_ä", "", True, "_a\n"])
def test_what_is_no_suffix_is_refused_at_load(shadow):
    with pytest.raises(ValidationError, match="shadow"):
        RunSection(shadow=shadow)


def test_off_may_be_yaml_s_false():
    assert RunSection(shadow=False).shadow == "off"
    assert RunSection.model().model_validate({"shadow": False}).shadow in (False, "off")


def test_the_place_is_said_once():
    with pytest.raises(ValidationError, match="leave one of them out"):
        RunSection(shadow="_a", shadow_suffix="_b")
