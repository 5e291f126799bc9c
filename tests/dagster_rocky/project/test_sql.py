"""What SQL reads and makes, whatever it is written like."""

import pytest

from dagster_rocky.project.sql import PhysicalNames, column_sources, read_dsl, read_sql
from dagster_rocky.results import ColumnEdge


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT a FROM staging.stg_x", ("staging.stg_x",)),
        ("SELECT a FROM cat.sch.tab AS t JOIN other.o USING (a)", ("cat.sch.tab", "other.o")),
        ("WITH x AS (SELECT 1 AS a FROM s.t) SELECT a FROM x", ("s.t",)),
        ("SELECT u.a FROM (SELECT a FROM s.t UNION ALL SELECT a FROM s.u) AS u", ("s.t", "s.u")),
        ("SELECT a FROM s.t WHERE d >= @start_date AND d < @end_date", ("s.t",)),
        ("SELECT a FROM s.t WHERE d >= '@start_date' AND r = '@var(region, north)'", ("s.t",)),
        ("SELECT a FROM s.t WHERE a IN (SELECT b FROM s.u) -- from s.comment", ("s.t", "s.u")),
        ("SELEC a FRM s.t WHERE", ()),
        ("", ()),
    ],
)
def test_tables_are_those_that_are_read(sql, tables):
    assert read_sql(sql).tables == tables


def test_columns_are_named_in_order():
    assert read_sql("SELECT a, b AS c, COUNT(*) AS n FROM s.t").columns == ("a", "c", "n")
    assert read_sql("SELECT * FROM s.t").columns == ()


def test_an_unknown_warehouse_is_parsed_as_plain_sql():
    assert read_sql("SELECT a FROM s.t", "quackdb").tables == ("s.t",)


def test_the_engines_own_language_names_its_tables():
    text = 'from staging.stg_x\njoin marts.dim as d on id\nwhere state == "from nowhere.at_all"\n'
    assert read_dsl(text).tables == ("staging.stg_x", "marts.dim")


def test_short_names_find_what_the_project_builds():
    names = PhysicalNames(["one.staging.x", "two.staging.x", "one.lake.Orders"])
    assert names.resolve("staging.x", "two") == "two.staging.x"
    assert names.resolve("staging.x", "three") == "three.staging.x"
    assert names.resolve("LAKE.orders", "three") == "one.lake.Orders"
    assert names.resolve("one.LAKE.orders", "three") == "one.lake.Orders"
    assert names.resolve("raw.orders", "one") == "one.raw.orders"


def test_column_lineage_maps_models_and_tables_and_leaves_sub_selects_out():
    edges = [
        ColumnEdge.model_validate(
            {"source": {"model": m, "column": "a"}, "target": {"model": "fct", "column": "b"}}
        )
        for m in ("(subquery)", "stg", "lake.orders")
    ]
    names = PhysicalNames(["db.lake.orders", "db.staging.stg", "db.marts.fct"])
    found = column_sources(edges, {"stg": "db.staging.stg", "fct": "db.marts.fct"}, names)
    assert [(source.column, source.table) for source in found["fct"]] == [
        ("b", "db.staging.stg"),
        ("b", "db.lake.orders"),
    ]
