"""Only configured checks are declared, each as the component wants it."""

import json
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_rocky.graph.declared_checks import checks_of_table, declare
from dagster_rocky.graph.nodes import Products
from dagster_rocky.graph.ownership import Ownership
from dagster_rocky.project.snapshot import ConfiguredCheck, Pipeline, ProjectSnapshot, Source
from dagster_rocky.yaml.options import CheckOverride, ChecksOptions
from support.examples import examples
from support.projects import PROJECTS

CHECKS = [
    ConfiguredCheck(name="row_count", kind="row_count"),
    ConfiguredCheck(name="null_rate:email", kind="null_rate", severity="warning"),
    ConfiguredCheck(name="row_count_range:-", kind="assertion"),
]


def by_engine_name(declared):
    return {check.engine_name: check for check in declared}


def test_names_are_written_as_dagster_allows():
    assert {check.engine_name: check.name for check in declare(CHECKS, ChecksOptions())} == {
        "row_count": "row_count",
        "null_rate:email": "null_rate_email",
        "row_count_range:-": "row_count_range__",
    }


def named(*names: str) -> list[ConfiguredCheck]:
    return [ConfiguredCheck(name=name, kind="assertion") for name in names]


@pytest.mark.parametrize(
    ("engine_names", "expected"),
    [
        (["a:b", "a_b"], [("a_b", 0), ("a_b_2", 0)]),
        (["expression:-", "expression:-"], [("expression__", 0), ("expression___2", 1)]),
        (["a", "a", "a_2", "a"], [("a", 0), ("a_3", 1), ("a_2", 0), ("a_4", 2)]),
        (["größe", "gr_e", ""], [("gr__e", 0), ("gr_e", 0), ("check", 0)]),
    ],
)
def test_checks_of_one_name_or_one_spelling_are_told_apart(engine_names, expected):
    declared = declare(named(*engine_names), ChecksOptions())
    assert [check.engine_name for check in declared] == engine_names
    assert [(check.name, check.occurrence) for check in declared] == expected


@settings(max_examples=examples(100))
@given(
    st.lists(st.text("ab_:-é2", max_size=4), max_size=12), st.sets(st.text("ab_2", min_size=1, max_size=3))
)
def test_every_assertion_is_declared_once_under_a_name_of_its_own(engine_names, taken):
    declared = declare(named(*engine_names), ChecksOptions(), taken=taken, prefix="au-dit")
    assert [check.engine_name for check in declared] == engine_names
    names = [check.name for check in declared]
    assert len({*names, *taken}) == len(names) + len(taken)
    assert all(re.fullmatch("[A-Za-z0-9_]+", name) for name in names)
    counts = Counter()
    for check in declared:
        assert check.occurrence == counts[check.engine_name]
        counts[check.engine_name] += 1


def test_a_name_does_not_depend_on_what_is_switched_off():
    checks = named("a:b", "a_b", "a-b")
    options = ChecksOptions(overrides={"a:b": CheckOverride(enabled=False)})
    assert [check.name for check in declare(checks, options)] == ["a_b_2", "a_b_3"]


def test_a_check_may_bring_its_own_description():
    (check,) = declare([ConfiguredCheck(name="x", kind="assertion", description="id > 0")], ChecksOptions())
    assert check.description == "id > 0"


def test_the_first_pattern_that_matches_counts():
    options = ChecksOptions(
        overrides={
            "row_count": CheckOverride(enabled=False),
            "null_rate:*": CheckOverride(severity="ERROR", blocking=True),
            "*": CheckOverride(severity="WARN"),
        }
    )
    declared = by_engine_name(declare(CHECKS, options))
    assert set(declared) == {"null_rate:email", "row_count_range:-"}
    assert (declared["null_rate:email"].severity, declared["null_rate:email"].blocking) == ("ERROR", True)
    assert declared["row_count_range:-"].severity == "WARN"


def test_blocking_means_checks_that_the_project_calls_errors():
    declared = by_engine_name(declare(CHECKS, ChecksOptions(blocking=True)))
    assert {name: check.blocking for name, check in declared.items()} == {
        "row_count": True,
        "null_rate:email": False,
        "row_count_range:-": True,
    }


def test_none_are_declared_when_they_are_switched_off(load):
    assert load("tenants", checks=ChecksOptions(enabled=False)).checks() == set()


def test_declared_are_those_of_the_project_on_the_right_tables(load):
    checks = load("tenants").checks()
    assert {name for name in checks if name.startswith("duckdb/lagoon/ticketing/bookings:")} == {
        f"duckdb/lagoon/ticketing/bookings:{name}"
        for name in (
            "row_count",
            "column_match",
            "freshness",
            "anomaly",
            "no_negative_fares",
            "null_rate_contact_email",
            "booking_ref_present",
            "unique_booking_ref",
            "accepted_values_cabin",
        )
    }
    assert "duckdb/lagoon/fleet/vessels:in_range_capacity" in checks
    assert "duckdb/lagoon/fleet/vessels:unique_booking_ref" not in checks


def test_a_project_without_checks_declares_the_tests_of_its_models(load):
    assert {name.rpartition(":")[2] for name in load("marts").checks()} == {
        "test_expression",
        "test_row_count_range",
        "test_unique_shop_id",
        "test_not_null_manager_email",
        "unit_test_adds_up_loaves",
    }
    assert load("broken/copy_partial").checks() == set()


def test_a_table_and_its_siblings_declare_one_shared_check():
    recorded = json.loads((PROJECTS.parent / "copies" / "discover" / "stdout").read_text())
    pipeline = Pipeline(
        name="copies",
        type="replication",
        sources=[
            Source(
                id=source["id"],
                source_type=source["source_type"],
                components=source["components"],
                tables=[table["name"] for table in source["tables"]],
            )
            for source in recorded["sources"]
        ],
        checks_by_table={
            table: [ConfiguredCheck(name=check["name"], kind=check["kind"]) for check in checks]
            for table, checks in recorded["checks"]["configured_checks"].items()
        },
    )
    products = Products(snapshot=ProjectSnapshot(pipelines=[pipeline]), ownership=Ownership()).all()
    declared = {
        "/".join(product.props.engine_key): [(check.engine_name, check.shared) for check in product.checks]
        for product in products
    }
    assert declared == {
        "duckdb/harbour/letters": [("cross_source_overlap:duckdb.letters", True)],
        "duckdb/hill/letters": [("cross_source_overlap:duckdb.letters", True)],
        "duckdb/harbour/parcels": [("cross_source_overlap:duckdb.parcels", True)],
        "duckdb/hill/parcels": [("cross_source_overlap:duckdb.parcels", True)],
        "duckdb/harbour/stamps": [],
    }


def test_siblings_are_compared_within_one_source_type():
    overlap = ConfiguredCheck(name="cross_source_overlap:shopify.orders", kind="cross_source_overlap")
    pipeline = Pipeline(name="p", type="replication", checks_by_table={"orders": [overlap, *named("a")]})
    assert [check.name for check in checks_of_table(pipeline, "orders", "shopify")] == [overlap.name, "a"]
    assert [check.name for check in checks_of_table(pipeline, "orders", "stripe")] == ["a"]


def test_an_override_changes_severity_at_run_time(load):
    options = {"overrides": {"column_match": {"severity": "WARN"}}}
    ran = load("tenants", checks=options).run('key:"duckdb/lagoon/fleet/*"')
    assert ran.checks["duckdb/lagoon/fleet/vessels:column_match"] is False
    assert ran.severities["duckdb/lagoon/fleet/vessels:column_match"] == "WARN"
    assert ran.severities["duckdb/lagoon/fleet/vessels:row_count"] == "ERROR"
