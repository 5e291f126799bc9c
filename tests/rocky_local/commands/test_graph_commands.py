from __future__ import annotations

import pytest

CHAIN = """
[adapter]
type = "duckdb"
path = "w.duckdb"

[pipeline.copy]
strategy = "full_refresh"
[pipeline.copy.source.schema_pattern]
prefix = "raw_"
separator = "__"
components = ["system"]
[pipeline.copy.target]
catalog_template = "w"
schema_template = "in_{system}"
[pipeline.copy.target.governance]
auto_create_schemas = true

[pipeline.build]
type = "transformation"
depends_on = ["copy"]
[pipeline.build.target.governance]
auto_create_schemas = true

[pipeline.look]
type = "quality"
depends_on = ["build"]
[[pipeline.look.tables]]
catalog = "w"
schema = "out"
table = "second"
[pipeline.look.checks]
enabled = true
row_count = true
[[pipeline.look.checks.assertions]]
type = "expression"
expression = "n > 0"
"""


@pytest.fixture
def chain(project):
    project.models(
        first="SELECT k, n FROM in_a.t---[[tests]]\ntype='not_null'\ncolumn='k'",
        second="SELECT n FROM out.first---depends_on=['first']",
    )
    project.write({"rocky.toml": CHAIN})
    project.sql("CREATE SCHEMA raw_a; CREATE TABLE raw_a.t AS SELECT 1 AS k, 5 AS n")
    return project


def test_only_the_ends_of_pipelines_are_connected(chain):
    graph = chain.run("dag").json

    edges = {(edge["from"], edge["to"]) for edge in graph["edges"]}
    assert edges == {
        ("source:copy", "load:copy"),
        ("load:copy", "transformation:first"),
        ("transformation:first", "transformation:second"),
        ("transformation:first", "test:first::not_null_k"),
        ("transformation:second", "quality:look"),
    }
    assert graph["execution_layers"][-1] == ["quality:look"]
    assert graph["summary"]["counts_by_kind"] == {
        "load": 1,
        "quality": 1,
        "source": 1,
        "test": 1,
        "transformation": 2,
    }


def test_every_step_runs_and_is_a_run_of_its_own(chain):
    answer = chain.run("run", "--dag")

    assert answer.code == 0
    assert {node["id"]: node["status"] for node in answer.json["nodes"]}[
        "test:first::not_null_k"
    ] == "skipped"
    assert answer.json["completed"] == 5
    assert chain.sql("SELECT n FROM out.second") == [(5,)]
    started = [run["started_at"] for run in chain.run("history").json["runs"]]
    assert len(started) == 4
    assert started == sorted(started, reverse=True)


def test_what_depends_on_a_failed_step_is_skipped(chain):
    chain.write({"models/first.sql": "SELECT CAST('x' AS INTEGER) AS n, 1 AS k"})

    answer = chain.run("run", "--dag")

    statuses = {node["id"]: (node["status"], node.get("error")) for node in answer.json["nodes"]}
    assert answer.code == 1
    assert statuses["transformation:first"][0] == "failed"
    assert statuses["transformation:second"] == ("skipped", "upstream failure")
    assert statuses["quality:look"] == ("skipped", "upstream failure")
    assert answer.stderr.endswith("Error: DAG execution had 1 failed node(s)\n")


def test_a_failed_check_fails_its_step(chain):
    chain.sql("UPDATE raw_a.t SET n = -1")

    answer = chain.run("run", "--dag")

    assert answer.code == 1
    assert answer.json["nodes"][-1]["error"] == "quality pipeline failed: 1 error-severity check(s) failed"


def test_lists_name_neighbours(chain):
    deps, consumers = chain.run("list", "deps", "second").json, chain.run("list", "consumers", "first").json

    assert (deps["command"], deps["depends_on"]) == ("list_deps", ["first"])
    assert (consumers["command"], consumers["consumers"]) == ("list_consumers", ["second"])


def test_a_plan_keeps_its_filter_and_runs_again_and_again(chain):
    plan = chain.run("plan", "--pipeline", "copy", "--filter", "system=a").json

    assert [entry["purpose"] for entry in plan["statements"]] == ["create_schema", "full_refresh_copy"]
    assert chain.run("plan", "--pipeline", "copy", "--filter", "system=a").json["plan_id"] == plan["plan_id"]
    assert chain.run("plan", "--pipeline", "copy").json["plan_id"] != plan["plan_id"]
    for _ in range(2):
        applied = chain.run("apply", plan["plan_id"])
        assert (applied.code, applied.json["filter"], applied.json["tables_copied"]) == (0, "system=a", 1)
    assert chain.run("apply", "0" * 64).stderr.startswith(f"Error: failed to read plan '{'0' * 64}'")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"plan_kind": "run", "options": 3, "variables": {}}'])
def test_a_file_that_is_no_plan_is_one_error(project, text):
    applied = project.write({".rocky/plans/a.json": text}).run("apply", "a")

    assert (applied.code, applied.stderr.splitlines()[0]) == (1, "Error: failed to read plan 'a'")


def test_a_merge_without_named_columns_updates_them_all(project):
    project.models(m="SELECT k, v FROM s.t---[strategy]\ntype='merge'\nunique_key=['k']")
    project.sql("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 1 AS k, 'old' AS v")
    project.run("run")
    project.sql("UPDATE s.t SET v = 'new'; INSERT INTO s.t VALUES (2, 'more')")

    assert project.run("run").code == 0
    assert project.sql("SELECT k, v FROM out.m ORDER BY k") == [(1, "new"), (2, "more")]
