"""What only `rocky.toml` says, read as the engine reads it."""

import tomllib

import pytest

from dagster_rocky.project import rocky_toml
from dagster_rocky.project.snapshot import CheckedTable


def test_variables_are_substituted_as_the_engine_does(tmp_path, monkeypatch):
    monkeypatch.setenv("DB", "x.duckdb")
    monkeypatch.delenv("NOT_SET", raising=False)
    path = tmp_path / "rocky.toml"
    path.write_text('a = "${DB}"\nb = "${NOT_SET:-y}"\nc = "${NOT_SET}"\nd = "${DB:-z}"\n')
    assert rocky_toml.read_toml(path) == {"a": "x.duckdb", "b": "y", "c": "${NOT_SET}", "d": "x.duckdb"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[adapter]\ntype = "duckdb"', "duckdb"),
        ('[adapter.lake]\ntype = "databricks"', "databricks"),
        ('[adapter.default]\ntype = "snowflake"\n[adapter.other]\ntype = "fivetran"', "snowflake"),
        ('[adapter.a]\ntype = "snowflake"\n[adapter.b]\ntype = "fivetran"', ""),
    ],
)
def test_the_warehouse_is_the_target_adapters_type(text, expected):
    adapters = rocky_toml.adapter_types(tomllib.loads(text))
    assert rocky_toml.warehouse_of({}, adapters) == expected


def test_the_named_target_adapter_wins():
    adapters = {"a": "snowflake", "b": "bigquery"}
    assert rocky_toml.warehouse_of({"target": {"adapter": "b"}}, adapters) == "bigquery"


@pytest.mark.parametrize(
    ("rule", "source", "table", "expected"),
    [
        ({"match": {"table": "scratch_*"}, "enabled": False}, "s", "scratch_x", True),
        ({"match": {"table": "scratch_?"}, "enabled": False}, "s", "scratch_xy", False),
        ({"match": {"connector": "s"}, "enabled": False}, "s", "t", True),
        ({"match": {"connector": "other", "table": "t"}, "enabled": False}, "s", "t", False),
        ({"match": {"table": "t"}, "strategy": "merge"}, "s", "t", False),
    ],
)
def test_overrides_switch_tables_off(rule, source, table, expected):
    assert rocky_toml.is_excluded({"table_overrides": [rule]}, source, table) is expected


def test_multi_valued_components_lose_their_dots():
    body = {"source": {"schema_pattern": {"components": ["a", "b...", "c"], "separator": "_"}}}
    assert rocky_toml.pattern_of(body) == (["a", "b", "c"], "_")


def test_checks_that_are_off_are_none():
    body = {
        "checks": {"enabled": False, "row_count": True, "assertions": [{"type": "unique", "column": "a"}]}
    }
    assert rocky_toml.checks_of_all_tables(body) == []
    assert rocky_toml.check_severities(body) == {}


def test_severities_by_the_engines_names():
    body = {
        "checks": {
            "freshness": {"threshold_seconds": 5, "severity": "warning"},
            "null_rate": {"columns": ["a", "b"], "severity": "warning"},
            "custom": [{"name": "mine", "sql": "SELECT 0"}],
            "assertions": [
                {"type": "row_count_range"},
                {"type": "unique", "column": "c", "severity": "warning"},
            ],
        }
    }
    (freshness,) = rocky_toml.checks_of_all_tables(body)
    assert (freshness.name, freshness.severity) == ("freshness", "warning")
    assert rocky_toml.check_severities(body) == {
        "mine": "error",
        "row_count_range:-": "error",
        "unique:c": "warning",
        "null_rate:a": "warning",
        "null_rate:b": "warning",
    }


def test_quality_pipelines_name_tables_and_schemas():
    body = {
        "tables": [{"catalog": "c", "schema": "s", "table": "t"}, {"catalog": "c", "schema": "u"}],
        "checks": {"row_count": True, "assertions": [{"table": "t", "type": "not_null", "column": "x"}]},
    }
    tables, of_all, by_table = rocky_toml.quality_checks(body)
    assert tables == [
        CheckedTable(catalog="c", schema_name="s", table="t"),
        CheckedTable(catalog="c", schema_name="u"),
    ]
    assert [check.name for check in of_all] == ["row_count"]
    assert [check.name for check in by_table["t"]] == ["not_null:x"]
