"""What only `rocky.toml` says, read as the engine reads it."""

import json
import tomllib

import pytest

from dagster_rocky.engine.config_file import normalised
from dagster_rocky.project import rocky_toml
from support.recorded import RECORDINGS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[adapter]\ntype = "duckdb"', "duckdb"),
        ('[adapter.lake]\ntype = "databricks"', "databricks"),
        ('[adapters.lake]\ntype = "databricks"', "databricks"),
        ('[adapter.default]\ntype = "snowflake"\n[adapter.other]\ntype = "fivetran"', "snowflake"),
        ('[adapter.a]\ntype = "snowflake"\n[adapter.b]\ntype = "fivetran"', ""),
    ],
)
def test_the_warehouse_is_the_target_adapters_type(text, expected):
    adapters = rocky_toml.adapter_types(normalised(tomllib.loads(text)))
    assert rocky_toml.warehouse_of({}, adapters) == expected


def test_the_named_target_adapter_wins():
    adapters = {"a": "snowflake", "b": "bigquery"}
    assert rocky_toml.warehouse_of({"target": {"adapter": "b"}}, adapters) == "bigquery"


OVERRIDES = [
    "override_brackets_are_literal",
    "override_connector_off_table_on",
    "override_first_of_equals",
    "override_specific_on_beats_general_off",
]


@pytest.mark.parametrize("case", OVERRIDES)
def test_tables_are_switched_off_as_the_engine_did(case):
    recorded = RECORDINGS / "brewery"
    text = json.loads((recorded / f"{case}_discover" / "argv.json").read_text())["before"][0]["text"]
    body = normalised(tomllib.loads(text))["pipeline"]["taps"]
    discovered = json.loads((recorded / f"{case}_discover" / "stdout").read_text())["sources"]
    copied = json.loads((recorded / f"{case}_run" / "stdout").read_text())["materializations"]
    kept = {
        (source["components"]["site"], table["name"])
        for source in discovered
        for table in source["tables"]
        if not rocky_toml.is_excluded(body, {source["id"]}, table["name"])
    }
    assert kept == {tuple(done["asset_key"][1:]) for done in copied}


def rule(enabled: bool | None = None, **match_and_fields) -> dict:
    match = {key: match_and_fields.pop(key) for key in ("connector", "table") if key in match_and_fields}
    return {"match": match, **match_and_fields, **({} if enabled is None else {"enabled": enabled})}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([rule(False, table="k*")], True),
        ([rule(False, table="keg?")], True),
        ([rule(False, table="ke?")], False),
        ([rule(False, table="[kp]egs")], False),
        ([rule(False, table="[kp]eg*")], False),
        ([rule(False, connector="raw__s*")], False),
        ([rule(False, connector="raw__south")], True),
        ([rule(False, connector="south_schema")], True),
        ([rule(False, connector="raw__north", table="kegs")], False),
        ([rule(table="kegs", strategy="merge")], False),
        ([rule(False, table="kegs"), rule(True, connector="raw__south", table="k*")], False),
        ([rule(False, connector="raw__south"), rule(True, connector="raw__south", table="k*")], False),
        (
            [
                rule(True, connector="raw__south", table="k*"),
                rule(False, connector="raw__south", table="kegs"),
            ],
            True,
        ),
        ([rule(True, table="kegs"), rule(False, connector="raw__south")], True),
        ([rule(True, table="kegs"), rule(False, table="kegs")], False),
        ([rule(True, table="k*"), rule(False, table="kegs")], False),
        ([rule(connector="raw__south", table="kegs", strategy="view"), rule(False, table="kegs")], True),
    ],
)
def test_the_most_specific_rule_that_sets_a_field_counts(rules, expected):
    body = {"table_overrides": rules}
    assert rocky_toml.is_excluded(body, {"raw__south", "south_schema"}, "kegs") is expected


def test_each_field_is_resolved_by_itself():
    rules = [rule(False, table="kegs", strategy="view"), rule(True, connector="raw__south", table="kegs")]
    body = {"table_overrides": rules}
    assert rocky_toml.override_of(body, {"raw__south"}, "kegs", "enabled") is True
    assert rocky_toml.override_of(body, {"raw__south"}, "kegs", "strategy") == "view"
    assert rocky_toml.override_of(body, {"raw__south"}, "kegs", "merge_keys") is None


def test_multi_valued_components_lose_their_dots():
    body = {"source": {"schema_pattern": {"components": ["a", "b...", "c"], "separator": "_"}}}
    assert rocky_toml.pattern_of(body) == (["a", "b", "c"], "_")
