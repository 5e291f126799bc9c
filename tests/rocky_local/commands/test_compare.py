from __future__ import annotations

import pytest

from .conftest import Project

COPIES = """
[adapter]
type = "duckdb"
path = "w.duckdb"

[pipeline.copies]
type = "replication"
strategy = "full_refresh"

[pipeline.copies.source.schema_pattern]
prefix = "raw__"
components = ["shop"]

[pipeline.copies.target]
catalog_template = "w"
schema_template = "lake__{shop}"

[pipeline.copies.target.governance]
auto_create_schemas = true
"""


@pytest.fixture
def copies(project: Project) -> Project:
    project.write({"rocky.toml": COPIES})
    for shop in ("north", "south"):
        project.sql(
            f"CREATE SCHEMA raw__{shop}; CREATE TABLE raw__{shop}.sales AS SELECT range AS id FROM range(100)"
        )
    assert (project.run("run").code, project.run("run", "--shadow").code) == (0, 0)
    return project


def test_every_table_has_a_verdict_and_the_worst_is_that_of_all(copies: Project) -> None:
    same = copies.run("compare").json
    assert (same["tables_compared"], same["tables_passed"], same["overall_verdict"]) == (2, 2, "pass")

    copies.sql("DELETE FROM lake__north.sales_rocky_shadow WHERE id < 2")
    north, south = copies.run("compare").json["results"]
    assert (north["verdict"], north["row_count_match"], north["row_count_diff_pct"]) == ("warn", False, 2.0)
    assert (north["production_table"], south["shadow_table"]) == (
        "w.lake__north.sales",
        "w.lake__south.sales_rocky_shadow",
    )

    copies.sql("ALTER TABLE lake__south.sales_rocky_shadow ADD COLUMN shelf INTEGER")
    found = copies.run("compare").json
    assert found["results"][1]["schema_diffs"] == ["only w.lake__south.sales_rocky_shadow has shelf INTEGER"]
    assert [found[f"tables_{kind}"] for kind in ("passed", "warned", "failed")] == [0, 1, 1]
    assert found["overall_verdict"] == "fail"
    assert copies.run("compare", "--filter", "shop=north").json["overall_verdict"] == "warn"


def test_models_are_compared_with_those_in_the_schema_of_a_shadow_run(project: Project) -> None:
    project.models(orders="SELECT 1 AS id", gone="SELECT 2 AS id")
    for extra in ((), ("--shadow", "--shadow-schema", "trial")):
        assert project.run("run", *extra).code == 0
    project.sql("DROP TABLE trial.gone")

    gone, orders = project.run("compare", "--shadow-schema", "trial").json["results"]

    assert (orders["shadow_table"], orders["verdict"]) == ("w.trial.orders", "pass")
    assert (gone["verdict"], gone["schema_diffs"]) == ("fail", ["w.trial.gone does not exist"])
