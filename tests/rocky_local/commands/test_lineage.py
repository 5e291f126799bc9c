from __future__ import annotations

import pytest

from rocky_local.errors import NotAQuery
from rocky_local.project.lineage import analyse


@pytest.mark.parametrize(
    ("sql", "edges"),
    [
        ("SELECT a FROM s.t", [("s.t", "a", "a", "direct")]),
        ("SELECT CAST(x.a AS DATE) AS d FROM s.t AS x", [("s.t", "a", "d", "cast")]),
        ("SELECT MAX(a) AS m FROM s.t", [("s.t", "a", "m", "aggregation: max")]),
        ("SELECT DATE_TRUNC('hour', a) AS h FROM s.t", [("s.t", "a", "h", "aggregation: date_trunc")]),
        ("SELECT CAST(DATE_TRUNC('day', a) AS DATE) AS h FROM s.t", [("s.t", "a", "h", "cast")]),
        ("SELECT sum(a) OVER () AS w FROM s.t", [("s.t", "a", "w", "aggregation: sum")]),
        (
            "SELECT x.a + x.b AS c FROM s.t x",
            [("s.t", "a", "c", "expression"), ("s.t", "b", "c", "expression")],
        ),
        ("WITH q AS (SELECT 1 AS a) SELECT q.a FROM q", [("(subquery)", "a", "a", "direct")]),
        ("SELECT a FROM s.t JOIN s.u USING (k)", []),
        ("SELECT t FROM s.t WHERE t >= @start_date AND t < @end_date", [("s.t", "t", "t", "direct")]),
    ],
)
def test_edges(sql, edges):
    found = [(edge.source, edge.source_column, edge.column, edge.transform) for edge in analyse(sql).edges]

    assert found == edges


def test_a_star_names_no_columns():
    found = analyse("SELECT *, a AS b FROM s.t")

    assert (found.columns, found.has_star) == (["b"], True)


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT 1 UNION ALL SELECT 2", "unsupported query type for lineage"),
        ("SELEC a", "sql parser error: Expected: an SQL statement, found: SELEC at Line: 1, Column: 1"),
        ("SELECT a FROM (", "sql parser error"),
    ],
)
def test_what_cannot_be_traced_is_said(sql, text):
    with pytest.raises(NotAQuery, match=text):
        analyse(sql)


def test_a_column_is_followed_downstream_through_names_of_models(project):
    project.models(a="SELECT k FROM s.t", b="SELECT k AS key FROM a---depends_on=['a']")

    answer = project.run("lineage", "a", "--column", "k", "--downstream")

    assert answer.json["direction"] == "downstream"
    assert [edge["target"] for edge in answer.json["trace"]] == [{"model": "b", "column": "key"}]
    assert project.run("lineage", "nobody").stderr.endswith("Error: model 'nobody' not found\n")
