"""Only configured checks are declared, each as the component wants it."""

import dagster as dg

from dagster_rocky.graph.declared_checks import contract_result, declare
from dagster_rocky.project.snapshot import ConfiguredCheck
from dagster_rocky.results import Diagnostic
from dagster_rocky.vocabulary import CheckDeclaration
from dagster_rocky.yaml.options import CheckOverride, ChecksOptions

CHECKS = [
    ConfiguredCheck(name="row_count", kind="row_count"),
    ConfiguredCheck(name="null_rate:email", kind="null_rate", severity="warning"),
    ConfiguredCheck(name="row_count_range:-", kind="assertion"),
]


def test_names_are_written_as_dagster_allows():
    assert {name: check.name for name, check in declare(CHECKS, ChecksOptions()).items()} == {
        "row_count": "row_count",
        "null_rate:email": "null_rate_email",
        "row_count_range:-": "row_count_range__",
    }


def test_two_engine_names_that_dagster_writes_alike_are_one_check():
    twins = [ConfiguredCheck(name="a:b", kind="assertion"), ConfiguredCheck(name="a_b", kind="custom")]
    assert list(declare(twins, ChecksOptions())) == ["a:b"]


def test_the_first_pattern_that_matches_counts():
    options = ChecksOptions(
        overrides={
            "row_count": CheckOverride(enabled=False),
            "null_rate:*": CheckOverride(severity="ERROR", blocking=True),
            "*": CheckOverride(severity="WARN"),
        }
    )
    declared = declare(CHECKS, options)
    assert set(declared) == {"null_rate:email", "row_count_range:-"}
    assert (declared["null_rate:email"].severity, declared["null_rate:email"].blocking) == ("ERROR", True)
    assert declared["row_count_range:-"].severity == "WARN"


def test_blocking_means_checks_that_the_project_calls_errors():
    declared = declare(CHECKS, ChecksOptions(blocking=True))
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
            "no_negative_fares",
            "null_rate_contact_email",
            "booking_ref_present",
            "unique_booking_ref",
            "accepted_values_cabin",
        )
    }
    assert "duckdb/lagoon/fleet/vessels:in_range_capacity" in checks
    assert "duckdb/lagoon/fleet/vessels:unique_booking_ref" not in checks


def test_a_project_without_checks_declares_none(load):
    assert load("marts").checks() == set()
    assert load("broken/copy_partial").checks() == set()


def test_an_override_changes_severity_at_run_time(load):
    options = {"overrides": {"column_match": {"severity": "WARN"}}}
    ran = load("tenants", checks=options).run('key:"duckdb/lagoon/fleet/*"')
    assert ran.checks["duckdb/lagoon/fleet/vessels:column_match"] is False
    assert ran.severities["duckdb/lagoon/fleet/vessels:column_match"] == "WARN"
    assert ran.severities["duckdb/lagoon/fleet/vessels:row_count"] == "ERROR"


def finding(code: str, severity: str) -> Diagnostic:
    return Diagnostic(code=code, severity=severity, message="m", model="x", suggestion="do this")


def test_contracts_are_kept_broken_or_merely_doubted():
    key, check = dg.AssetKey("x"), CheckDeclaration(engine_name="contract", name="contract")
    assert contract_result(key, check, []).passed
    assert contract_result(key, check, [finding("I002", "Info"), finding("E028", "Error")]).passed
    broken = contract_result(key, check, [finding("E010", "Error")])
    assert not broken.passed
    assert broken.severity == dg.AssetCheckSeverity.ERROR
    assert broken.description == "do this"
    doubted = contract_result(key, check, [finding("W010", "Warning")])
    assert not doubted.passed
    assert doubted.severity == dg.AssetCheckSeverity.WARN
