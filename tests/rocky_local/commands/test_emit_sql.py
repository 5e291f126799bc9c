from __future__ import annotations

import duckdb
import pytest

from .conftest import DEFAULTS, Project

PICKS = {
    "models/_defaults.toml": DEFAULTS,
    "models/late.rocky": "from picks\nwhere picked_on > @2026-01-02\nselect { tree, kilos }\nsort kilos",
    "models/by_tree.rocky": "from picks\ngroup tree { kilos: sum(kilos) }",
    "models/by_tree.toml": '[strategy]\ntype = "view"',
}
ROWS = (
    "CREATE TABLE picks AS SELECT i % 2 AS tree, i AS kilos, DATE '2026-01-01' + i::INTEGER AS picked_on "
    "FROM range(4) r(i)"
)


@pytest.mark.parametrize("form", ["json", "table"])
def test_what_is_emitted_is_what_a_run_builds(project: Project, form: str) -> None:
    project.models().write(PICKS)
    project.sql(ROWS)
    emitted = project.run("emit-sql", "-o", form)
    assert (emitted.code, emitted.stdout.count("-- model: ")) == (0, 2)
    assert project.run("run", "-o", "json").code == 0
    with duckdb.connect() as other:
        other.execute(f"ATTACH ':memory:' AS w; USE w; CREATE SCHEMA out; {ROWS}; {emitted.stdout}")
        for table in ("late", "by_tree"):
            query = f"SELECT * FROM w.out.{table} ORDER BY ALL"
            assert other.execute(query).fetchall() == project.sql(query) != []


def test_what_cannot_be_emitted_is_listed(project: Project) -> None:
    project.models(
        daily='SELECT * FROM x WHERE d >= @start_date AND d < @end_date---strategy = { type = "time_interval", '
        'time_column = "d", granularity = "day" }',
        inner='SELECT 1 AS a---strategy.type = "ephemeral"',
        keyless='SELECT 1 AS a---strategy.type = "merge"',
        shown="SELECT @var(n, 2) AS a",
    )
    found = project.run("emit-sql", "-o", "json", "--var", "n=5")
    assert found.stdout == "-- model: shown\nCREATE OR REPLACE TABLE w.out.shown AS\nSELECT 5 AS a;\n"
    assert [line.split(" (")[0] for line in found.stderr.splitlines()[-4:]] == [
        "emit-sql: 3 model(s) not emitted:",
        "  - daily",
        "  - inner",
        "  - keyless",
    ]
    assert found.code == 0
    only = project.run("emit-sql", "--model", "inner", "-o", "json")
    assert (only.code, only.stdout) == (0, "")
    missing = project.run("emit-sql", "--model", "nobody", "-o", "json")
    assert (missing.code, missing.stderr.splitlines()[-1]) == (1, "Error: model 'nobody' not found")


def test_an_estimate_is_the_plan_of_what_can_be_planned(project: Project) -> None:
    project.models(
        a="SELECT 1 AS id",
        b="SELECT id FROM w.out.nowhere",
        c="SELECT 2 AS id---strategy = { type = 'ephemeral' }",
    )
    project.sql("CREATE SCHEMA out")

    found = project.run("estimate").json

    assert [entry["model_name"] for entry in found["estimates"]] == ["a"]
    assert "CREATE_TABLE_AS" in found["estimates"][0]["raw_explain"]
    assert found["total_models"] == 1
