"""A replication is planned, and exactly that plan is applied and recorded; read the warehouse afterwards."""

import dagster as dg
import pytest

from dagster_rocky.engine.request import RunRequest
from dagster_rocky.resource import RockyResource
from support.stand_in import run_step, table_asset

LAGOON = 'key:"duckdb/lagoon/fleet/*"'


@pytest.mark.parametrize("mode", ["buffered", "streaming", "pipes"])
def test_a_plan_is_applied_and_recorded(load, mode):
    loaded = load("tenants", mode=mode, run={"plan": True, "shadow": "_try"})
    ran = loaded.run(LAGOON)
    assert ran.success, ran.failures
    lines = (loaded.folder / "calls").read_text().splitlines()
    planned, applied = (
        line.partition("rocky.toml ")[2] for line in lines if " plan " in line or " apply " in line
    )
    assert planned.startswith(
        "plan --pipeline landing --filter id=in__lagoon__fleet --shadow --shadow-suffix _try"
    )
    assert loaded.calls() == []
    for (key, _), metadata in ran.metadata.items():
        assert f"apply {metadata['rocky/plan_id']}" in applied
        (statement,) = metadata["rocky/plan_statements"]
        assert statement.startswith("-- full_refresh_copy\n") or statement.startswith("-- incremental_copy\n")
        assert key.rsplit("/", 1)[1] in statement
        assert metadata["dagster/table_name"].endswith("_try")
        assert loaded.sql(f"select count(*) from {metadata['dagster/table_name']}")[0][0] > 0


def test_what_the_engine_does_not_plan_runs_as_ever(load):
    loaded = load("marts", run={"plan": True})
    ran = loaded.run('key:"bakery/staging/stg_shops"')
    assert ran.success, ran.failures
    assert len(loaded.calls()) == 1
    assert "rocky/plan_id" not in ran.metadata["bakery/staging/stg_shops", None]


def test_one_launch_can_ask_for_it(load):
    loaded = load("tenants")
    ran = loaded.run(LAGOON, launch={"plan": True})
    assert all(len(metadata["rocky/plan_id"]) == 64 for metadata in ran.metadata.values())


def test_the_resource_plans_and_applies(load):
    loaded = load("tenants")
    resource: RockyResource = loaded.component.resource
    plan = resource.plan("id=in__lagoon__fleet", pipeline="landing")
    assert {statement.purpose for statement in plan.statements} >= {"create_schema"}
    assert resource.state().watermarks == []
    assert resource.apply(plan.plan_id).tables_copied == 2
    with pytest.raises(dg.Failure, match="failed to read plan"):
        resource.apply("0" * 64)


def test_a_plan_that_fails_is_the_step_s_failure(make_engine, mode):
    resource = make_engine('sys.stderr.write("Error: no plans today\\n"); sys.exit(1)')
    options = resource.options().model_copy(update={"plan": True})
    ran = run_step(resource, mode, [table_asset("orders")], options=options)
    assert not ran.success
    assert "no plans today" in ran.failure.description


def test_a_plan_id_goes_with_apply_alone():
    with pytest.raises(ValueError, match="apply needs a plan_id"):
        RunRequest(command="apply")
    with pytest.raises(ValueError, match="no other command takes one"):
        RunRequest(plan_id="abc")
