"""The project's checks: all of them, in its order, as severe as the engine takes them, and in words."""

import json
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from dagster_rocky.project.configured_checks import (
    checks_by_table,
    checks_of_all_tables,
    in_words,
    quality_checks,
)
from dagster_rocky.project.snapshot import CheckedTable
from dagster_rocky.results import DiscoveredChecks, DiscoverResult
from support.recorded import PROJECTS, RECORDINGS


def evaluated(case: Path) -> dict[tuple[str, ...], list[tuple[str, str]]]:
    """Name and severity of each check result of a recorded run, by engine key."""
    results = json.loads((case / "stdout").read_text())["check_results"]
    return {
        tuple(row["asset_key"]): [(check["name"], check["severity"]) for check in row["checks"]]
        for row in results
    }


def body_of(project: str, pipeline: str, case: str | None = None) -> dict:
    text = (PROJECTS / project / "rocky.toml").read_text()
    if case:
        before = json.loads((RECORDINGS / project / case / "argv.json").read_text())["before"]
        text = next((step["text"] for step in before if "text" in step), text)
    return tomllib.loads(text)["pipeline"][pipeline]


def discovered(project: str):
    return DiscoverResult.model_validate_json(
        (RECORDINGS / project / "discover" / "stdout").read_text()
    ).checks


@pytest.mark.parametrize(
    ("project", "pipeline", "case"),
    [
        ("brewery", "taps", "run_taps_two_checks_of_one_name"),
        ("brewery", "taps", "run_taps_checks_not_enabled"),
        ("tenants", "landing", "run_env"),
    ],
)
def test_what_a_replication_evaluates_is_known_before_and_its_assertions_in_their_order(
    project, pipeline, case
):
    folder = RECORDINGS / project / case
    body = body_of(project, pipeline, case)
    of_all = checks_of_all_tables(body)
    by_table = checks_by_table(body, discovered(project), of_all)
    seen = evaluated(folder)
    assert seen
    for key, results in seen.items():
        known = [*of_all, *by_table.get(key[-1], [])]
        told = Counter((check.name, check.severity) for check in known)
        assert Counter(results) <= told, (key, results)
        assertions = [check.name for check in known if check.kind == "assertion"]
        assert [name for name, _ in results if name in assertions] == assertions


def test_an_assertion_that_shares_its_name_is_there_as_often_as_it_is_written():
    by_table = checks_by_table(body_of("brewery", "taps"), discovered("brewery"))
    assert [(check.name, check.description) for check in by_table["kegs"]] == [
        ("expression:-", "litres > 0"),
        ("expression:-", "litres > 40"),
    ]


@pytest.mark.parametrize(
    "case",
    ["run_tasting_custom_fails", "run_tasting_row_count_off", "run_tasting_custom_cannot_run"],
)
def test_what_a_quality_pipeline_evaluates_is_known_before(case):
    folder = RECORDINGS / "brewery" / case
    tables, of_all, by_table = quality_checks(body_of("brewery", "tasting", case))
    assert tables == [CheckedTable(catalog="brewery", schema_name="lake__north", table="kegs")]
    (results,) = evaluated(folder).values()
    assert [(check.name, check.severity) for check in [*of_all, *by_table.get("kegs", [])]] == results


def test_a_quality_pipeline_that_is_not_enabled_checks_nothing():
    body = body_of("brewery", "tasting", "run_tasting_checks_not_enabled")
    assert evaluated(RECORDINGS / "brewery" / "run_tasting_checks_not_enabled") == {}
    assert quality_checks(body)[1:] == ([], {})
    tables, of_all, by_table = quality_checks({"checks": {"row_count": True, "enabled": False}})
    assert (tables, of_all, by_table) == ([], [], {})


def test_siblings_are_compared_on_every_table_that_discover_names():
    by_table = checks_by_table(body_of("copies", "mail"), discovered("copies"))
    assert {
        table: [(c.name, c.kind, c.severity, c.candidate) for c in checks]
        for table, checks in by_table.items()
    } == {
        table: [(f"cross_source_overlap:duckdb.{table}", "cross_source_overlap", "warning", True)]
        for table in ("letters", "parcels")
    }


@pytest.mark.parametrize(
    ("row_count", "is_on", "in_quality"),
    [
        (True, True, "error"),
        (False, False, None),
        ({"enabled": False, "severity": "warning"}, False, None),
        ({"enabled": True, "severity": "warning"}, True, "warning"),
        ({"severity": "warning"}, True, "warning"),
    ],
)
def test_row_counts_are_on_or_off_and_severe_where_that_is_heeded(row_count, is_on, in_quality):
    checks = {"enabled": True, "row_count": row_count}
    copied = checks_of_all_tables({"checks": checks})
    assert [(check.name, check.severity) for check in copied] == ([("row_count", "error")] if is_on else [])
    _, of_all, _ = quality_checks({"checks": checks})
    assert [check.severity for check in of_all] == ([in_quality] if in_quality else [])


def test_custom_checks_are_of_all_tables_and_not_repeated_for_each():
    of_all = checks_of_all_tables(body_of("tenants", "landing"))
    names = ["row_count", "column_match", "freshness", "anomaly", "no_negative_fares"]
    assert [check.name for check in of_all] == names
    assert of_all[-1].severity == "warning"
    assert "no_negative_fares" not in {
        check.name
        for checks in checks_by_table(body_of("tenants", "landing"), discovered("tenants"), of_all).values()
        for check in checks
    }


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"type": "not_null", "column": "carrier"}, "carrier is never null"),
        ({"type": "unique", "column": "id"}, "id is unique"),
        ({"type": "accepted_values", "column": "cabin", "values": ["deck", 1]}, "cabin is one of deck, 1"),
        ({"type": "relationships", "column": "a", "to_table": "s.t", "to_column": "b"}, "a is in s.t.b"),
        ({"type": "expression", "expression": "id > 0"}, "id > 0"),
        ({"type": "row_count_range", "min": 1, "max": 9}, "the number of rows is between 1 and 9"),
        ({"type": "row_count_range", "min": 1}, "the number of rows is at least 1"),
        ({"type": "in_range", "column": "x", "max": "5"}, "x is at most 5"),
        ({"type": "regex_match", "column": "x", "pattern": "^a"}, "x matches ^a"),
        ({"type": "aggregate", "column": "x", "op": "sum", "cmp": "gt", "value": "3"}, "sum(x) > 3"),
        ({"type": "aggregate", "op": "count", "cmp": ">=", "value": "3"}, "count(*) >= 3"),
        ({"type": "composite", "kind": "unique", "columns": ["a", "b"]}, "a, b are unique together"),
        ({"type": "unique_expr", "key_expr": "lower(a)"}, "lower(a) is unique"),
        ({"type": "not_in_future", "column": "x"}, "x is not in the future"),
        ({"type": "older_than_n_days", "column": "x", "days": 3}, "x is at least 3 days old"),
        ({"type": "what_comes_next"}, None),
        ({}, None),
        ({"type": "accepted_values", "values": 3}, "* is one of "),
    ],
)
def test_assertions_are_told_in_words(rule, words):
    assert in_words(rule) == words


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"threshold_seconds": 3600}, "the newest row is at most 1 hour old"),
        ({"threshold_seconds": 172800}, "the newest row is at most 2 days old"),
        ({"threshold_seconds": 90}, "the newest row is at most 90 seconds old"),
        ({"severity": "warning"}, None),
    ],
)
def test_freshness_is_described_in_words(rule, words):
    (check,) = checks_of_all_tables({"checks": {"freshness": rule}})
    assert check.description == words


@pytest.mark.parametrize(
    ("threshold", "words"),
    [(0.1, "at most 10 % of contact_email is null"), (0, "contact_email is never null"), (None, None)],
)
def test_a_null_rate_is_described_in_words(threshold, words):
    listed = {"configured_checks": {"t": [{"name": "null_rate:contact_email", "kind": "null_rate"}]}}
    rule = {"columns": ["contact_email"], "threshold": threshold}
    found = checks_by_table({"checks": {"null_rate": rule}}, DiscoveredChecks.model_validate(listed))
    assert found["t"][0].description == words
