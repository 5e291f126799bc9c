"""What SQL reads and makes, whatever it is written like."""

import json

import pytest

from dagster_rocky.project.sql import PhysicalNames, column_sources, read_dsl, read_sql
from dagster_rocky.results import ColumnEdge
from support.recorded import RECORDINGS


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
        ("SELECT a.x FROM s.t AS a JOIN s.t AS b ON a.x = b.x", ("s.t",)),
        ("SELECT * FROM range(3) AS a, range(4) AS b, s.f(1), 'files/x.csv', read_csv('y.csv')", ()),
        ("WITH x AS (SELECT 1) SELECT * FROM x JOIN s.x ON TRUE", ("s.x",)),
        ('SELECT * FROM "my.schema".t, a.b.c.d, "Odd Schema"."größe"', ("Odd Schema.größe",)),
        ("SELEC a FRM s.t WHERE", ()),
        ("", ()),
    ],
)
def test_tables_are_those_that_are_read(sql, tables):
    assert read_sql(sql).tables == tables


def test_columns_are_named_in_order():
    assert read_sql("SELECT a, b AS c, COUNT(*) AS n FROM s.t").columns == ("a", "c", "n")
    assert read_sql("SELECT * FROM s.t").columns == ()


@pytest.mark.parametrize(
    ("sql", "types"),
    [
        ("SELECT CAST(a AS DATE) AS day, b::INTEGER, TRY_CAST(c AS VARCHAR) AS Text, d + 1 AS e FROM s.t",
         {"day": "DATE", "b": "INT", "text": "TEXT"}),
        ("WITH x AS (SELECT CAST(a AS DATE) AS d FROM s.t) SELECT d FROM x", {}),
        ("SELECT CAST(a AS DATE) + 1 AS d FROM s.t", {}),
        ("SELECT CAST(a AS DATE) AS d FROM s.t UNION ALL SELECT 1", {}),
        ("SELECT *, CAST(a AS DECIMAL(10, 2)) AS price FROM s.t", {"price": "DECIMAL(10, 2)"}),
    ],
)  # fmt: skip
def test_a_column_that_is_cast_has_that_type(sql, types):
    assert read_sql(sql).types == types


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
    assert names.resolve("RAW.Orders", "one") == "one.raw.orders"
    assert names.resolve("One.Raw.ORDERS", "two") == "one.raw.orders"


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


def test_an_edge_is_there_once_and_functions_and_common_table_expressions_are_no_tables():
    recorded = json.loads((RECORDINGS / "brewery" / "dag_self_join" / "stdout").read_text())["column_lineage"]
    twice = [
        {**edge, "source": {**edge["source"], "model": edge["source"]["model"].upper()}} for edge in recorded
    ]
    odd = [
        {"source": {"model": name, "column": "keg_id"}, "target": {"model": "pairs", "column": "keg_id"}}
        for name in ("range", "a_cte", "read_csv('x.csv')")
    ]
    edges = [ColumnEdge.model_validate(edge) for edge in [*recorded, *twice, *odd]]
    targets = {"stock": "brewery.cellar.stock", "pairs": "brewery.cellar.pairs"}
    found = column_sources(edges, targets, PhysicalNames(["brewery.lake__north.kegs", *targets.values()]))
    assert [source.table for source in found["pairs"]] == ["brewery.cellar.stock"]
    assert [(source.table, source.column) for source in found["stock"]] == [
        ("brewery.lake__north.kegs", name) for name in ("keg_id", "style", "litres")
    ]
