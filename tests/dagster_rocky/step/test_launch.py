"""What a person changes for a single launch is asked of the engine, recorded, and gone with the next run."""

import dagster as dg
import pytest

from dagster_rocky.yaml.launch import LaunchOptions
from support.recorded import Loaded
from support.stand_in import run_step, table_asset

BUOYS = 'key:"duckdb/pacific/*"'


def test_a_launch_is_over_the_yaml_and_recorded(load):
    loaded: Loaded = load("chained", parallelism=2, run={"vars": {"region": "south", "kept": "yes"}})
    launch = {"force_rebuild": True, "no_prune": True, "vars": {"region": "north"}, "parallelism": 3}
    ran = loaded.run(BUOYS, launch=launch)
    assert ran.success, ran.failures
    (call,) = loaded.calls()
    assert "--parallel 3" in call
    assert "--force-rebuild --no-prune --var region=north --var kept=yes" in call
    for metadata in ran.metadata.values():
        assert metadata["rocky/launch_options"] == {
            "force_rebuild": True,
            "no_prune": True,
            "vars": ["region"],
            "parallelism": 3,
        }
    again = loaded.run(BUOYS)
    assert "--force-rebuild" not in loaded.calls()[-1]
    assert all("rocky/launch_options" not in metadata for metadata in again.metadata.values())


@pytest.mark.parametrize(
    ("launch", "said"),
    [
        ({"parallelism": 0}, "parallelism: Input should be greater than or equal to 1"),
        ({"timeout_seconds": 0}, "timeout_seconds: Input should be greater than 0"),
        ({"live_after_seconds": -1}, "live_after_seconds: Input should be greater than or equal to 0"),
        ({"shadow": "pr 9"}, "'pr 9' is no suffix"),
        ({"shadow": "branch_deployment"}, "a launch takes a suffix"),
        ({"idempotency_key": "{date}"}, "{date} stands for nothing"),
        ({"idempotency_key": ""}, "'' is no key"),
    ],
)
def test_a_value_out_of_bounds_runs_nothing(load, launch, said):
    loaded = load("chained")
    ran = loaded.run(BUOYS, launch=launch)
    assert not ran.success
    assert said in ran.failures[0]
    assert loaded.calls() == []


@pytest.mark.parametrize("launch", [{"force_rebild": True}, {"force_rebuild": "perhaps"}, {"vars": {"a": 1}}])
def test_dagster_refuses_what_it_does_not_know(load, launch):
    with pytest.raises(dg.DagsterInvalidConfigError):
        load("chained").run(BUOYS, launch=launch)


def test_the_launchpad_shows_described_fields_without_defaults(load):
    defs = load("chained").defs
    definitions = [*defs.assets, *defs.asset_checks]
    assert len(definitions) > 2
    for definition in definitions:
        fields = definition.op.config_schema.as_field().config_type.fields
        assert set(fields) == set(LaunchOptions.model_fields)
        assert all(field.description for field in fields.values())
        assert not any(field.default_provided or field.is_required for field in fields.values())


def test_a_deadline_of_one_launch(make_engine, mode):
    resource = make_engine("time.sleep(30)")
    options = LaunchOptions(timeout_seconds=0.5).over(resource.options())
    ran = run_step(resource, mode, [table_asset("orders")], options=options)
    assert "0.5" in ran.failure.description
