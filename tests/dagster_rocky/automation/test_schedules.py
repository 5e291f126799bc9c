"""What does a schedule run, and which schedules are refused at load?"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import ValidationError

from dagster_rocky.automation.schedules import UnusableSchedule
from dagster_rocky.yaml.automation import ScheduleOptions, SourcesOptions


def schedule(loaded, name: str) -> dg.ScheduleDefinition:
    (found,) = [one for one in loaded.defs.schedules if one.name == name]
    return found


def tick(loaded, name: str) -> Any:
    context = dg.build_schedule_context(
        instance=loaded.instance, scheduled_execution_time=datetime(2026, 6, 1, 3, tzinfo=UTC)
    )
    return schedule(loaded, name)(context)


def test_a_schedule_runs_its_selection_and_is_off_until_it_is_switched_on(load) -> None:
    loaded = load(
        "tenants",
        schedules=[
            {"name": "nightly", "cron": "0 3 * * *", "timezone": "Europe/Lisbon", "tags": {"team": "data"}}
        ],
    )
    made = schedule(loaded, "nightly")
    assert (made.cron_schedule, made.execution_timezone) == ("0 3 * * *", "Europe/Lisbon")
    assert made.default_status is dg.DefaultScheduleStatus.STOPPED
    (request,) = tick(loaded, "nightly")
    assert request.tags == {"rocky/schedule": "nightly"}
    job = loaded.defs.resolve_job_def("nightly")
    assert job.tags["team"] == "data"
    assert set(job.asset_layer.executable_asset_keys) == set(loaded.graph.materializable_asset_keys)


def test_the_latest_partition_or_the_missing_ones(load, tmp_path: Path) -> None:
    selection = "key:*daily*"
    instance = dg.DagsterInstance.local_temp(str(tmp_path))
    loaded = load(
        "marts",
        partitions={"end": "2026-07-01"},
        schedules=[
            {"name": "latest", "cron": "@daily", "selection": selection},
            {
                "name": "missing",
                "cron": "@daily",
                "selection": selection,
                "partitions": "missing",
                "look_back": 4,
            },
        ],
    )
    loaded.instance = instance
    (request,) = tick(loaded, "latest")
    assert request.partition_key == "2026-05-31"
    (whole,) = tick(loaded, "missing")
    assert whole.tags["dagster/asset_partition_range_start"] == "2026-05-28"
    for key in loaded.defs.resolve_job_def("missing").asset_layer.executable_asset_keys:
        for day in ("2026-05-28", "2026-05-30"):
            loaded.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=day))
    first, last = tick(loaded, "missing")
    assert (first.partition_key, last.partition_key) == ("2026-05-29", "2026-05-31")


@pytest.mark.parametrize(
    ("project", "options", "reason"),
    [
        ("tenants", {"selection": "group:nothing"}, "selects none of the component's assets; its groups are"),
        ("tenants", {"selection": "group:("}, "cannot be read"),
        ("marts", {"selection": "*"}, "different partitions, which one run cannot have"),
    ],
)
def test_a_schedule_that_cannot_work_is_refused_at_load(
    load, project: str, options: dict, reason: str
) -> None:
    with pytest.raises(UnusableSchedule, match=r"schedule 'x'.*" + reason.replace("(", r"\(")):
        load(project, schedules=[{"name": "x", "cron": "0 3 * * *", **options}])


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"cron": "every day"}, "no cron expression"),
        ({"timezone": "Moon/Base"}, "no time zone"),
        ({"look_back": 0}, "look_back"),
        ({"partitions": "all"}, "partitions"),
    ],
)
def test_a_wrong_value_names_its_field(options: dict, field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        ScheduleOptions(**{"name": "x", "cron": "0 3 * * *", **options})


@pytest.mark.parametrize("key", ["raw", "{schema}/{table}", "raw//{table}", "{table", ""])
def test_a_key_that_names_no_table_is_refused(key: str) -> None:
    with pytest.raises(ValidationError, match=r"is no template|must be made of"):
        SourcesOptions(key=key)


def test_two_schedules_of_one_name_are_refused(load) -> None:
    one = {"name": "x", "cron": "0 3 * * *"}
    with pytest.raises(ValidationError, match=r"two are called 'x'"):
        load("tenants", schedules=[one, one])
