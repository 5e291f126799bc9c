from __future__ import annotations

UNIT = """SELECT k, SUM(n) AS total FROM t GROUP BY k---
[[test]]
name = "adds_up"
[[test.given]]
ref = "t"
rows = [{ k = 1, n = 2 }, { k = 1, n = 3 }]
[test.expect]
rows = [{ k = 1, total = TOTAL }]
"""


def test_a_unit_test_compares_rows(project):
    project.write({"data/seed.sql": "CREATE TABLE t AS SELECT 1 AS k, 1 AS n"})
    project.models(m=UNIT.replace("TOTAL", "5"))
    right = project.run("test")
    project.models(m=UNIT.replace("TOTAL", "6"))
    wrong = project.run("test")

    assert (right.code, right.json["unit_tests"]["passed"]) == (0, 1)
    assert (wrong.code, wrong.json["passed"]) == (1, 1)
    kinds = [entry["kind"] for entry in wrong.json["unit_tests"]["results"][0]["mismatches"]]
    assert kinds == ["missing_row", "unexpected_row"]


def test_models_find_each_other_by_bare_names_only(project):
    project.models(
        a="SELECT 1 AS x",
        b="SELECT x FROM a---depends_on=['a']",
        c="SELECT x FROM out.a---depends_on=['a']",
    )

    answer = project.run("test")

    assert {entry["model"]: entry["status"] for entry in answer.json["model_results"]} == {
        "a": "pass",
        "b": "pass",
        "c": "fail",
    }


def test_declared_tests_ask_the_warehouse_and_warnings_only_warn(project):
    project.models(
        m="SELECT 1 AS k---[[tests]]\ntype='unique'\ncolumn='k'\nseverity='SEV'".replace("SEV", "warning")
    )
    project.sql("CREATE SCHEMA out; CREATE TABLE out.m AS SELECT 1 AS k FROM range(2)")
    warned = project.run("test", "--declarative")
    project.models(m="SELECT 1 AS k---[[tests]]\ntype='unique'\ncolumn='k'")
    failed = project.run("test", "--declarative")

    assert (warned.code, warned.json["declarative"]["warned"]) == (0, 1)
    assert (failed.code, failed.json["declarative"]["failed"]) == (1, 1)


def test_declared_tests_come_in_the_order_of_the_files_and_without_a_compilation(project):
    sidecar = "[[tests]]\ntype='not_null'\ncolumn='k'"
    project.models(
        a=f"SELECT k FROM out.b---depends_on=['b']\n{sidecar}",
        b=f"SELECT 1 AS k---{sidecar}",
        broken="SELEC 1",
    )
    project.sql("CREATE SCHEMA out; CREATE TABLE out.a AS SELECT 1 AS k; CREATE TABLE out.b AS SELECT 1 AS k")

    answer = project.run("test", "--declarative")

    assert [entry["model"] for entry in answer.json["declarative"]["results"]] == ["a", "b"]
    assert (answer.code, answer.messages) == (0, [])


def test_an_unmasked_column_is_an_exception_in_its_environment(project):
    project.models(m="SELECT 1 AS k---[classification]\nk='pii'")
    config = (project.folder / "rocky.toml").read_text()
    project.write({"rocky.toml": config + "\n[mask.prod]\npii = 'hash'\n"})

    answer = project.run("compliance", "--fail-on", "exception")

    assert answer.code == 1
    assert answer.json["summary"] == {"total_classified": 2, "total_masked": 1, "total_exceptions": 1}
    assert project.run("compliance", "--env", "prod", "--fail-on", "exception").code == 0


def test_what_is_not_supported_names_itself_and_the_way_out(project):
    project.models(m="SELECT 1 AS k")

    answer = project.run("catalog")

    assert (answer.code, answer.stdout) == (1, "")
    assert "the command 'catalog'; use the real `rocky` engine" in answer.stderr
