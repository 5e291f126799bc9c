"""Every type of assertion on a table with known flaws: as a check, and as a declared test of a model."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rocky_local.adapter import DuckDBAdapter
from rocky_local.errors import DatabaseError, NoQuery
from rocky_local.execution import checks
from rocky_local.project.pipeline import Overlap
from rocky_local.project.tables import Assertion, checked
from rocky_local.project.toml import TomlError

from .conftest import ADAPTER, Project

FLAWED = """
CREATE TABLE t AS SELECT * FROM (VALUES
    (1, 'a', 10, DATE '2020-01-01'), (2, 'b', 20, DATE '2020-01-02'), (2, 'B2', 30, DATE '2020-01-02'),
    (3, NULL, 99, CURRENT_DATE + 9)) t(id, name, n, day)
"""
# What the assertion says, and how many wrong rows, keys or values it finds.
FOUND = [
    ('type = "not_null"\ncolumn = "name"', 1),
    ('type = "not_null"\ncolumn = "id"', 0),
    ('type = "unique"\ncolumn = "id"', 1),
    ('type = "accepted_values"\ncolumn = "name"\nvalues = ["a", "b"]', 1),
    ('type = "relationships"\ncolumn = "id"\nto_table = "lake.main.ids"\nto_column = "id"', 2),
    ('type = "expression"\nexpression = "n < 30"', 2),
    ('type = "in_range"\ncolumn = "n"\nmin = "11"\nmax = "50"', 2),
    ('type = "regex_match"\ncolumn = "name"\npattern = "^[a-z]$"', 1),
    ('type = "aggregate"\ncolumn = "n"\nop = "sum"\ncmp = "lt"\nvalue = "100"', 1),
    ('type = "aggregate"\ncolumn = "n"\nop = "max"\ncmp = "="\nvalue = "99"', 0),
    ('type = "composite"\nkind = "unique"\ncolumns = ["id", "name"]', 0),
    ('type = "composite"\nkind = "unique"\ncolumns = ["id", "day"]', 1),
    ('type = "unique_expr"\nkey_expr = "n // 25"', 1),
    ('type = "not_in_future"\ncolumn = "day"', 1),
    ('type = "older_than_n_days"\ncolumn = "day"\ndays = 365', 1),
]
COUNTED = ('type = "row_count_range"\nmin = 1\nmax = 3', 4)
RULES = [
    {"type": "not_null", "column": "a"},
    {"type": "aggregate", "column": "a", "op": "sum", "cmp": "gte", "value": "0"},
    {"type": "row_count_range", "min": 0},
]


def test_checks_of_a_quality_pipeline_find_what_is_wrong(project: Project) -> None:
    table = '[[pipeline.look.tables]]\ncatalog = "lake"\nschema = "main"\ntable = "t"\n'
    rules = "".join(f"[[pipeline.look.checks.assertions]]\n{text}\n" for text, _ in [*FOUND, COUNTED])
    checks_table = "[pipeline.look.checks]\nenabled = true\nfail_on_error = false\n"
    project.write("rocky.toml", f'{ADAPTER}[pipeline.look]\ntype = "quality"\n{table}{checks_table}{rules}')
    project.sql(f"{FLAWED}; CREATE TABLE ids AS SELECT 1 AS id UNION ALL SELECT 3 UNION ALL SELECT NULL")

    answer = project("run")

    assert answer.code == 0
    found = answer.result["check_results"][0]["checks"]
    assert [check["failing_rows"] for check in found] == [number for _, number in [*FOUND, COUNTED]]
    assert [check["passed"] for check in found] == [not number for _, number in [*FOUND, COUNTED]]


def test_declared_tests_of_a_model_say_the_same(marts: Project) -> None:
    marts.sql(f"{FLAWED}; CREATE TABLE ids AS SELECT 1 AS id UNION ALL SELECT 3")
    marts.model("m", "SELECT * FROM lake.main.t", "".join(f"[[tests]]\n{text}\n" for text, _ in FOUND))
    assert marts("run").code == 0

    answer = marts("test", "--declarative")

    told = answer.result["declarative"]
    assert answer.code == 1
    assert [entry["status"] == "pass" for entry in told["results"]] == [not number for _, number in FOUND]
    assert told["passed"] + told["failed"] == told["total"] == len(FOUND)
    assert f"{told['failed']} hard failure(s), 0 execution error(s)" in answer.stderr


@pytest.mark.parametrize("text", ["a;b", "it's", "`x`", 'q"q'])
def test_a_pattern_that_could_end_its_quotes_makes_no_query(text: str) -> None:
    with pytest.raises(NoQuery, match="pattern"):
        checks.assertion_sql(Assertion(type="regex_match", column="a", pattern=text), "t")


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"type": "sparkles"}, "unknown variant `sparkles`"),
        ({"type": "expression"}, "missing field `expression`"),
        ({"type": "aggregate", "op": "median", "cmp": "lt", "value": "1"}, "unknown variant `median`"),
        ({"type": "composite", "columns": ["a"]}, "missing field `kind`"),
        ({"type": "older_than_n_days", "column": "a", "days": -1}, "expected u64"),
    ],
)
def test_what_a_type_needs_is_asked_for_when_it_is_read(rule: dict[str, object], reason: str) -> None:
    with pytest.raises(TomlError, match=reason):
        checked(Assertion, rule)


def test_a_named_test_takes_what_its_use_gives(marts: Project) -> None:
    marts.write("models/test_definitions.toml", '[positive]\ntype = "in_range"\nmin = "1"\ncolumn = "n"\n')
    use = '[[use_test]]\nname = "positive"\n'
    marts.model("m", "SELECT 0 AS n, 7 AS k", f'{use}severity = "warning"\n{use}column = "k"\n')
    assert marts("run").code == 0

    answer = marts("test", "--declarative")

    shown = [(e["column"], e["severity"], e["status"]) for e in answer.result["declarative"]["results"]]
    assert (answer.code, shown) == (0, [("n", "warning", "fail"), ("k", "error", "pass")])


@pytest.mark.parametrize(("rule", "empty"), product(RULES, [True, False]))
def test_an_empty_table_is_judged_too(rule: dict[str, object], empty: bool) -> None:
    with DuckDBAdapter(":memory:") as adapter:
        adapter.execute(f"CREATE TABLE t AS SELECT 1 AS a WHERE {not empty}")
        found = checks.assertion(adapter, checked(Assertion, rule), "t")
    # The sum of nothing is no number, and no number is not greater than anything.
    assert found.passed == (not empty or rule["type"] != "aggregate")


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from("abc"), max_size=9),
    st.lists(st.lists(st.sampled_from("abcd"), max_size=9), min_size=1, max_size=3),
)
def test_keys_of_several_tables_are_those_that_overlap(first: list[str], others: list[list[str]]) -> None:
    tables = [first, *others]
    with DuckDBAdapter(":memory:") as adapter:
        for number, keys in enumerate(tables):
            adapter.execute(f"CREATE TABLE t{number} AS SELECT unnest({keys}::VARCHAR[]) AS key")
        names = [f"t{number}" for number in range(len(tables))]
        found = checks.overlap(adapter, Overlap(keys=("key",), max_overlap_rows=1), "o", names)
        with pytest.raises(DatabaseError):
            checks.overlap(adapter, Overlap(keys=("no_such_key",)), "o", names)
    shared = sorted(key for key in "abcd" if sum(key in keys for keys in tables) > 1)
    assert (found.overlap_count, found.sample) == (len(shared), shared[:5])
    assert found.passed == (len(shared) <= 1)
