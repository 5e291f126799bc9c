"""The engine's history and Dagster's find each other."""

import dagster as dg
import pytest


@pytest.mark.parametrize("mode", ["buffered", "streaming", "pipes"])
def test_one_run_is_found_in_both_histories(load, mode: str) -> None:
    loaded = load("tenants", mode=mode)
    first, second = loaded.run(), loaded.run()
    runs = [record.dagster_run.run_id for record in loaded.instance.get_run_records(ascending=True)]
    assert len(runs) == 2

    for dagster_run, ran in zip(runs, (first, second), strict=True):
        past = loaded.component.resource.history(dagster_run_id=dagster_run)
        told = {facts["rocky/run_id"] for facts in ran.metadata.values()}
        assert {run.run_id for run in past.runs} == told
        assert past.count == len(told) == 1
        assert {run.trigger for run in past.runs} == {"Manual"}
    assert loaded.component.resource.history(dagster_run_id="another").runs == []


@pytest.mark.parametrize(
    ("tags", "trigger"),
    [({"dagster/schedule_name": "nightly"}, "Schedule"), ({"dagster/sensor_name": "syncs"}, "Sensor")],
)
def test_the_engine_knows_what_started_the_run(load, tags: dict[str, str], trigger: str) -> None:
    loaded = load("tenants")
    job = dg.define_asset_job("tagged", "*", tags=tags)
    merged = dg.Definitions.merge(loaded.defs, dg.Definitions(jobs=[job]))
    result = merged.resolve_job_def("tagged").execute_in_process(instance=loaded.instance)
    (run,) = loaded.component.resource.history(dagster_run_id=result.run_id).runs
    assert run.trigger == trigger
