"""What one launch changes, over the YAML: typed, said, and refused where it cannot work."""

import dagster as dg
import pytest

from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.yaml.launch import LaunchOptions

YAML = RunOptions(timeout_seconds=60, vars={"region": "north", "year": "2013"}, shadow_suffix="__yaml")


@pytest.mark.parametrize(
    ("launch", "changed"),
    [
        ({}, {}),
        ({"force_rebuild": True}, {"force_rebuild": True}),
        ({"no_prune": True, "timeout_seconds": 5.0}, {"no_prune": True, "timeout_seconds": 5.0}),
        ({"vars": {"region": "south"}}, {"vars": {"region": "south", "year": "2013"}}),
        ({"shadow": "off"}, {"shadow_suffix": None}),
        ({"shadow": "__mine"}, {"shadow_suffix": "__mine"}),
        ({"live_after_seconds": 0.0}, {"live_after_seconds": 0.0}),
    ],
)
def test_a_launch_changes_what_it_names_and_nothing_else(launch: dict, changed: dict) -> None:
    assert LaunchOptions(**launch).over(YAML) == YAML.model_copy(update=changed)


def test_the_log_names_variables_and_not_their_values() -> None:
    assert LaunchOptions(vars={"token": "s3cret"}, parallelism=2).changes() == {
        "vars": ["token"],
        "parallelism": 2,
    }


def test_flags_reach_the_engine() -> None:
    options = LaunchOptions(force_rebuild=True, no_prune=True).over(RunOptions())
    assert RunRequest(pipeline="p", options=options).to_args() == [
        "run", "--pipeline", "p", "--force-rebuild", "--no-prune",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("launch", "field"),
    [({"paralelism": 2}, "paralelism"), ({"parallelism": "many"}, "parallelism"), ({"vars": [1]}, "vars")],
)
def test_dagster_refuses_what_is_no_option_before_the_run(load, launch: dict, field: str) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match=field):
        load("tenants").run(launch=launch)


@pytest.mark.parametrize("shadow", ["", "with space", "x" * 41, "semi;colon"])
def test_a_suffix_that_makes_no_name_is_refused(shadow: str) -> None:
    with pytest.raises(ValueError, match="suffix"):
        LaunchOptions(shadow=shadow)
