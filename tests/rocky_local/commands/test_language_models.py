"""Models in the pipeline language go the way that SQL models go."""

from __future__ import annotations

import json

from .conftest import Project


def test_a_model_is_lowered_once_and_again_when_it_changes(project: Project) -> None:
    project.models().write({"models/m.rocky": "from t\nselect { a }"})
    remembered = project.folder / ".rocky" / "lineage.json"
    stored = []
    for text in ("from t\nselect { a }", "from t\nselect { a }", "from t\nselect { b }"):
        project.write({"models/m.rocky": text})
        assert project.run("compile", "-o", "json").code == 0
        stored.append(json.loads(remembered.read_text())["queries"])
    assert stored[0] == stored[1]
    assert [len(queries) for queries in stored] == [2, 2, 4]
    assert {"sql": "SELECT b\nFROM t"} in stored[2].values()


def test_a_model_that_is_no_query_stops_the_project_and_says_where(project: Project) -> None:
    project.models(good="SELECT 1 AS a").write({"models/bad.rocky": "from t\nwhere a = 1"})
    said = (
        "failed to parse .rocky file 'models/bad.rocky': unexpected token at offset 15: expected pipeline step "
        "(from, where, group, derive, select, join, sort, take, distinct, replicate), found Assign"
    )
    for command in ("compile", "emit-sql", "test"):
        found = project.run(command, "-o", "json")
        assert (found.code, found.stdout, found.stderr.splitlines()[-1]) == (1, "", f"Error: {said}")
    shown = project.run("compile", "-o", "table")
    assert shown.stderr.splitlines()[-2:] == [f"Error: {said}", "  at models/bad.rocky:2:9"]
    run = project.run("run", "-o", "json")
    assert run.code == 1
    [error] = run.json["errors"]
    assert error["asset_key"] == ["<compile>"]
    assert error["error"] == f"model compilation failed: {said.replace('models/', './models/')}"


def test_a_star_is_remarked_in_either_language(project: Project) -> None:
    project.models(sql="SELECT t.*, 1 AS one FROM t", fine="SELECT COUNT(*) AS n FROM t")
    project.write({"models/own.rocky": "from t\nreplicate", "models/plain.rocky": "from t\nselect { a }"})
    found = project.run("compile", "-o", "json")
    remarks = [finding for finding in found.json["diagnostics"] if finding["code"] == "I001"]
    assert [(each["model"], each["severity"], each["span"]["file"]) for each in remarks] == [
        ("sql", "Info", "models/sql.sql"),
        ("own", "Info", "models/own.rocky"),
    ]
    assert found.code == 0


def test_columns_come_from_where_the_steps_take_them(project: Project) -> None:
    source = "from h as h\njoin u as t on k { keep t.x }\nderive { double: h.n * 2, n: sum(h.n) over () }"
    project.models().write({"models/m.rocky": source})
    found = project.run("lineage", "m", "-o", "json")
    edges = {
        (edge["source"]["model"], edge["source"]["column"], edge["target"]["column"], edge["transform"])
        for edge in found.json["edges"]
    }
    assert edges == {
        ("u", "x", "x", "direct"),
        ("h", "n", "n", "aggregation: sum"),
    }
