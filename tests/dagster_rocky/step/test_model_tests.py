"""The tests of models are checks: one process for each kind, results as the engine gives them, in all modes."""

import re
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
import yaml

from dagster_rocky import RockyComponent
from dagster_rocky.project.refresh import refresh
from dagster_rocky.project.snapshot import ProjectSnapshot
from dagster_rocky.resource import RockyResource
from support.recorded import ENGINE, Loaded, Ran, logging_engine
from support.seeding import opened

CONFIG = """
[adapter.here]
type = "duckdb"
path = "honey.duckdb"

[pipeline.yard]
type = "transformation"
models = "models/**"
target = { adapter = "here", governance = { auto_create_schemas = true } }

[pipeline.other]
type = "quality"
target = { adapter = "here" }
tables = [{ catalog = "honey", schema = "log", table = "days" }]
checks = { enabled = true, row_count = true }
"""
DEFAULTS = '[target]\ncatalog = "honey"\nschema = "yard"\n'
HIVES = """
[[tests]]
type = "unique"
column = "id"

[[tests]]
name = "has_keeper"
type = "not_null"
column = "keeper"
severity = "warning"

[[tests]]
type = "expression"
expression = "nonsense > 0"

[[use_test]]
name = "positive"

[[test]]
name = "three"
expect = { rows = [{ id = 1 }, { id = 2 }, { id = 3 }] }

[[test]]
name = "only_one"
expect = { rows = [{ id = 1 }] }
"""
DAYS = """
[strategy]
type = "time_interval"
time_column = "day"
granularity = "day"
first_partition = "2026-05-01"

[[tests]]
type = "row_count_range"
min = 1

[[test]]
name = "needs_a_table"
expect = { rows = [{ n = 1 }] }
"""
EXPECTED = {
    "honey/yard/hives:test_unique_id": (True, "ERROR"),
    "honey/yard/hives:test_has_keeper": (False, "WARN"),
    "honey/yard/hives:test_expression": (False, "ERROR"),
    "honey/yard/hives:test_positive": (False, "ERROR"),
    "honey/yard/hives:unit_test_three": (True, "ERROR"),
    "honey/yard/hives:unit_test_only_one": (False, "ERROR"),
}


def write_project(folder: Path) -> Path:
    models = folder / "models"
    models.mkdir(parents=True)
    (folder / "rocky.toml").write_text(CONFIG)
    (models / "_defaults.toml").write_text(DEFAULTS)
    (models / "test_definitions.toml").write_text(
        '[positive]\ntype = "expression"\nexpression = "id > 1"\ncolumn = "id"\n'
    )
    (models / "hives.sql").write_text(
        "SELECT id, keeper FROM (VALUES (1, 'a'), (2, NULL), (3, 'b')) AS v(id, keeper)"
    )
    (models / "hives.toml").write_text(HIVES)
    (models / "days.sql").write_text(
        "SELECT day, n FROM log.days WHERE day >= @start_date AND day < @end_date"
    )
    (models / "days.toml").write_text(DAYS)
    with opened(folder / "honey.duckdb") as database:
        database.execute(
            "CREATE SCHEMA log; CREATE TABLE log.days AS SELECT DATE '2026-05-01' AS day, 1 AS n"
        )
    return folder


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> ProjectSnapshot:
    folder = write_project(tmp_path_factory.mktemp("snapshot") / "honey")
    return refresh(RockyResource(config_path=str(folder / "rocky.toml"), binary_path=str(ENGINE)))


@pytest.fixture
def honey(snapshot: ProjectSnapshot, tmp_path: Path) -> Callable[..., Loaded]:
    def load(**attributes: object) -> Loaded:
        folder = write_project(tmp_path / "honey")
        component = RockyComponent(
            config_path=str(folder / "rocky.toml"), binary_path=str(logging_engine(folder)), **attributes
        )
        return Loaded(component, snapshot, folder)

    return load


def commands(loaded: Loaded) -> list[str]:
    """What the engine was asked since the last look, but for versions."""
    path = loaded.folder / "calls"
    lines = [re.sub(r"\s+-o json|-c \S+ ", "", line) for line in path.read_text().splitlines()]
    path.unlink()
    return [line for line in lines if line != "--version"]


def told(ran: Ran) -> dict[str, tuple[bool, str]]:
    return {name: (passed, ran.severities[name]) for name, passed in ran.checks.items()}


def test_the_tests_of_a_model_are_evaluated_once_it_is_built(honey, mode):
    loaded = honey(mode=mode)
    ran = loaded.run('key:"honey/yard/hives"')
    assert ran.success, ran.failures
    assert told(ran) == EXPECTED
    asked = commands(loaded)
    assert asked[0].startswith("run --pipeline yard")
    assert asked[1:] == ["test --declarative --pipeline yard --model hives", "test --model hives"]
    assert not ran.observed


def test_tests_can_be_launched_alone(honey):
    loaded = honey()
    assert loaded.run('key:"honey/yard/hives"').success
    commands(loaded)
    alone = loaded.run_checks("honey/yard/hives:test_unique_id", "honey/yard/hives:unit_test_three")
    assert alone.success, alone.failures
    assert alone.checks == {"honey/yard/hives:test_unique_id": True, "honey/yard/hives:unit_test_three": True}
    assert commands(loaded) == ["test --declarative --pipeline yard --model hives", "test --model hives"]


def test_what_could_not_be_evaluated_says_so_and_is_no_failure_of_data(honey):
    loaded = honey()
    loaded.run('key:"honey/yard/hives"')
    evaluations = {}
    job = dg.define_asset_job("tested", dg.AssetSelection.checks_for_assets(["honey", "yard", "hives"]))
    merged = dg.Definitions.merge(loaded.defs, dg.Definitions(jobs=[job])).resolve_job_def("tested")
    for one in merged.execute_in_process(instance=loaded.instance).get_asset_check_evaluations():
        evaluations[one.check_name] = one
    errored = evaluations["test_expression"]
    assert errored.metadata["rocky/evaluated"].value is False
    assert "nonsense" in (errored.description or "")
    assert (errored.description or "").startswith("Not evaluated: ")
    failed = evaluations["test_positive"]
    assert "rocky/evaluated" not in failed.metadata
    assert failed.metadata["rocky/sql"].value == "SELECT COUNT(*) FROM honey.yard.hives WHERE NOT (id > 1)"
    wrong = evaluations["unit_test_only_one"]
    assert "rocky/evaluated" not in wrong.metadata
    assert wrong.description == "2 row(s) differ from what is expected."


def test_a_test_after_a_partition_looks_at_the_table_and_names_the_partition(honey):
    loaded = honey()
    ran = loaded.run('key:"honey/yard/days"', partition="2026-05-01")
    assert ran.success, ran.failures
    assert told(ran) == {
        "honey/yard/days:test_row_count_range": (True, "ERROR"),
        "honey/yard/days:unit_test_needs_a_table": (False, "ERROR"),
    }
    records = loaded.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey.from_user_string("honey/yard/days:test_row_count_range"), limit=1
    )
    evaluation = records[0].event.dagster_event.asset_check_evaluation_data
    assert evaluation.metadata["rocky/partitions_built"].value == "2026-05-01"
    assert evaluation.partition is None


def test_a_model_that_is_not_built_is_not_tested_on_the_warehouse(honey):
    loaded = honey()
    (loaded.folder / "models" / "hives.sql").write_text("SELECT id, keeper FROM log.nowhere")
    ran = loaded.run('key:"honey/yard/hives"')
    assert not ran.success
    assert ran.checks == {}
    assert all(asked.startswith("run") for asked in commands(loaded))


def test_a_shadow_run_does_not_test_the_real_table(honey):
    loaded = honey(run={"shadow_suffix": "_s"}, checks={"overrides": {"unit_test:*": {"enabled": False}}})
    ran = loaded.run('key:"honey/yard/hives"')
    assert ran.success, ran.failures
    assert set(ran.checks.values()) == {False}
    assert not [asked for asked in commands(loaded) if asked.startswith("test")]


def test_severity_and_blocking_are_the_components_choice(honey):
    loaded = honey(
        checks={
            "blocking": True,
            "overrides": {
                "test:unique:*": {"blocking": True},
                "test:has_keeper": {"severity": "ERROR"},
                "test:expression:*": {"enabled": False},
                "unit_test:only_one": {"severity": "WARN"},
            },
        }
    )
    graph = loaded.graph
    blocking = {key.name for key in graph.asset_check_keys if graph.get(key).blocking}
    assert blocking == {
        "test_unique_id",
        "unit_test_three",
        "unit_test_only_one",
        "unit_test_needs_a_table",
        "row_count",
    }
    ran = loaded.run('key:"honey/yard/hives"')
    assert told(ran) == {
        "honey/yard/hives:test_unique_id": (True, "ERROR"),
        "honey/yard/hives:test_has_keeper": (False, "ERROR"),
        "honey/yard/hives:unit_test_three": (True, "ERROR"),
        "honey/yard/hives:unit_test_only_one": (False, "WARN"),
    }


def test_the_yaml_of_the_page_says_what_blocks(honey):
    page = (Path(__file__).parents[3] / "docs" / "checks_and_tests.md").read_text()
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    attributes = yaml.safe_load(block)["attributes"]
    del attributes["checks"]["overrides"][
        "anomaly"
    ]  # a check of replications, which this project has none of
    loaded = honey(checks=attributes["checks"])
    graph = loaded.graph
    assert {key.name for key in graph.asset_check_keys if graph.get(key).blocking} == {"test_unique_id"}
    assert not [key for key in graph.asset_check_keys if key.name.startswith("unit_test")]


OLD_ENGINE = """#!/bin/sh
case " $* " in *" test "*)
  echo "error: unexpected argument '--declarative' found" >&2; exit 2;;
esac
exec '{engine}' "$@"
"""


def test_an_engine_without_the_command_is_named(honey):
    loaded = honey(checks={"overrides": {"unit_test:*": {"enabled": False}}})
    Path(loaded.component.binary_path).write_text(OLD_ENGINE.format(engine=ENGINE))
    ran = loaded.run('key:"honey/yard/hives"')
    assert ran.success, ran.failures
    expected = {name: (False, EXPECTED[name][1]) for name in EXPECTED if ":test_" in name}
    assert told(ran) == expected
    alone = loaded.run_checks("honey/yard/hives:test_unique_id")
    assert not alone.success
    assert "does not take `rocky test --declarative`" in alone.failures[0]
    assert '"test:*": {enabled: false}' in alone.failures[0]
    assert told(alone) == {"honey/yard/hives:test_unique_id": (False, "ERROR")}
