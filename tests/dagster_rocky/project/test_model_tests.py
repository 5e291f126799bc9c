"""The tests of a sidecar get the names under which the engine reports them, in its order."""

import json
import tomllib

import pytest

from dagster_rocky.project.model_tests import declarative_name, declarative_tests, unit_test_name, unit_tests
from dagster_rocky.results import TestResult
from support.recorded import PROJECTS, RECORDINGS

RECORDED = [
    ("apiary", "hives"),
    ("apiary", "hive_yield"),
    ("marts", "scorecard_north"),
    ("marts", "stg_shops"),
]


def sidecar(project: str, model: str) -> dict[str, object]:
    return tomllib.loads((PROJECTS / project / "models" / f"{model}.toml").read_text())


def recorded(project: str, case: str) -> TestResult:
    return TestResult.model_validate(json.loads((RECORDINGS / project / case / "stdout").read_text()))


@pytest.mark.parametrize(("project", "model"), RECORDED)
def test_names_order_and_severity_are_those_of_the_real_engines_results(project, model):
    definitions = PROJECTS / project / "models" / "test_definitions.toml"
    defined = tomllib.loads(definitions.read_text()) if definitions.exists() else {}
    declarative = recorded(project, "test_declarative").declarative
    assert declarative is not None
    told = [
        (declarative_name(one.test_type, one.column), one.severity)
        for one in declarative.results
        if one.model == model
    ]
    assert told
    assert [(one.name, one.severity) for one in declarative_tests(sidecar(project, model), defined)] == told


def test_unit_tests_are_named_as_the_engine_does():
    units = recorded("marts", "test").unit_tests
    assert units is not None
    told = [unit_test_name(one.test) for one in units.results if one.model == "scorecard_north"]
    assert [one.name for one in unit_tests(sidecar("marts", "scorecard_north"))] == told


def test_a_title_is_the_projects_own_name():
    definitions = {"positive": {"type": "expression", "expression": "n > 0", "column": "n"}}
    found = declarative_tests(
        {
            "tests": [{"type": "unique", "column": "id"}, {"type": "row_count_range", "min": 1}],
            "use_test": [{"name": "positive", "severity": "warning"}, {"name": "nobody"}],
        },
        definitions,
    )
    assert [(one.name, one.title, one.severity, one.description) for one in found] == [
        ("test:unique:id", None, "error", "id is unique"),
        ("test:row_count_range:-", "test:row_count_range", "error", "the number of rows is at least 1"),
        ("test:expression:n", "test:positive", "warning", "n > 0"),
    ]


@pytest.mark.parametrize(
    "odd", [{}, {"tests": "no list", "use_test": {}, "test": 3}, {"tests": [1], "test": [None]}]
)
def test_what_is_no_test_is_none(odd):
    assert declarative_tests(odd, {}) == []
    assert unit_tests(odd) == []
