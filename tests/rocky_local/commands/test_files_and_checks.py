from __future__ import annotations

import pytest

BASE = '[adapter]\ntype = "duckdb"\npath = "w.duckdb"\n'
LOAD = (
    BASE
    + """
[pipeline.files]
type = "load"
source_dir = "in"
[pipeline.files.target]
catalog = "w"
schema = "main"
[pipeline.files.options]
create_table = true
"""
)


def test_files_are_appended_unless_the_table_is_emptied_first(project):
    project.write(
        {"rocky.toml": LOAD, "in/a.csv": "k,v\n1,x\n", "in/b.jsonl": '{"k": 2}\n', "in/notes.txt": "-"}
    )

    first, second = project.run("load"), project.run("load")

    assert [entry["target"] for entry in first.json["files"]] == ["w.main.a", "w.main.b"]
    assert (first.code, second.json["total_rows"]) == (0, 2)
    assert project.sql("SELECT COUNT(*) FROM a") == [(2,)]
    project.write({"rocky.toml": LOAD + "truncate_first = true\n"})
    project.run("run")
    assert project.sql("SELECT COUNT(*) FROM a") == [(1,)]


@pytest.mark.parametrize(
    ("options", "text", "rows"),
    [
        ('csv_delimiter = "|"', "k|v, w\n1|x, y\n", [(1, "x, y")]),
        ("csv_has_header = false", "1,x\n2,y\n", [(1, "x"), (2, "y")]),
        ('csv_delimiter = ";"\ncsv_has_header = true', "k;v\na;b\n", [("a", "b")]),
    ],
)
def test_a_file_is_read_as_the_options_say(project, options, text, rows):
    project.write({"rocky.toml": LOAD + options, "in/a.csv": text})

    answer = project.run("load")

    assert (answer.code, answer.json["files_failed"]) == (0, 0)
    assert project.sql("SELECT * FROM a") == rows


def test_an_option_that_changes_nothing_is_named(project):
    project.write({"rocky.toml": LOAD + "batch_size = 10\n", "in/a.csv": "k\n1\n"})

    assert "`pipeline.files.options.batch_size` is ignored by rocky-local" in project.run("run").stderr


def test_a_file_that_does_not_fit_its_table_leaves_the_others_alone(project):
    project.write({"rocky.toml": LOAD, "in/a.csv": "k\n1\n", "in/b.csv": "k\nword\n"})
    project.sql("CREATE TABLE b (k INTEGER)")

    answer = project.run("load")

    loaded, failed = answer.json["files"]
    assert (answer.code, answer.json["files_failed"]) == (1, 1)
    assert "error" not in loaded
    assert "Conversion Error" in failed["error"]
    assert project.sql("SELECT COUNT(*) FROM b") == [(0,)]


def test_a_load_fails_when_not_one_file_could_be_loaded(project):
    project.write({"rocky.toml": LOAD, "in/b.csv": "k\nword\n"})
    project.sql("CREATE TABLE b (k INTEGER)")

    command, run = project.run("load"), project.run("run")

    assert (command.code, run.code, run.json["command"], run.json["files_failed"]) == (1, 1, "load", 1)


def test_a_seed_without_a_catalog_fails_and_the_others_load(project):
    project.write(
        {
            "rocky.toml": LOAD,
            "seeds/good.csv": "a,b\n1,2\n",
            "seeds/good.toml": '[target]\ncatalog = "w"\nschema = "ref"\n',
            "seeds/lost.csv": "a\n1\n",
        }
    )

    answer = project.run("seed")

    assert answer.code == 1
    assert (answer.json["tables_loaded"], answer.json["tables_failed"]) == (1, 1)
    assert project.sql("SELECT a, b FROM ref.good") == [(1, 2)]


QUALITY = (
    BASE
    + """
[pipeline.look]
type = "quality"
[[pipeline.look.tables]]
catalog = "w"
schema = "main"
[pipeline.look.checks]
enabled = true
row_count = true
[[pipeline.look.checks.assertions]]
table = "t"
type = "not_null"
column = "v"
severity = "SEVERITY"
"""
)


@pytest.mark.parametrize(("severity", "code"), [("error", 1), ("warning", 0)])
def test_only_error_severity_fails_a_quality_run(project, severity, code):
    project.write({"rocky.toml": QUALITY.replace("SEVERITY", severity)})
    project.sql("CREATE TABLE t AS SELECT * FROM (VALUES (1, 'a'), (2, NULL)) t(k, v)")

    answer = project.run("run")

    check = answer.json["check_results"][0]["checks"][1]
    assert (answer.code, answer.json["status"]) == (code, "Success")
    assert (check["passed"], check["failing_rows"]) == (False, 1)
    assert project.run("history").json["runs"][0]["status"] == ("Failure" if code else "Success")


def test_an_empty_table_fails_the_row_count(project):
    project.write({"rocky.toml": QUALITY.replace("SEVERITY", "error")})
    project.sql("CREATE TABLE t (k INTEGER, v VARCHAR)")

    answer = project.run("run")

    assert (answer.code, answer.json["check_results"][0]["checks"][0]["passed"]) == (1, False)


def test_wrong_rows_are_put_aside_with_the_reason(project):
    toml = QUALITY.replace("SEVERITY", "error") + "[pipeline.look.checks.quarantine]\nenabled = true\n"
    project.write({"rocky.toml": toml})
    project.sql("CREATE TABLE t AS SELECT * FROM (VALUES (1, 'a'), (2, NULL)) t(k, v)")

    (entry,) = project.run("run").json["quarantine"]

    assert (entry["valid_rows"], entry["quarantined_rows"]) == (1, 1)
    assert project.sql("SELECT k FROM t__valid") == [(1,)]
    assert project.sql("SELECT k, _error_not_null_v FROM t__quarantine") == [(2, "not_null")]


def test_a_quarantine_of_an_unknown_kind_is_refused(project):
    toml = (
        QUALITY.replace("SEVERITY", "error") + "[pipeline.look.checks.quarantine]\nenabled=true\nmode='tag'\n"
    )
    project.write({"rocky.toml": toml})
    project.sql("CREATE TABLE t AS SELECT 1 AS k, 'a' AS v")

    answer = project.run("run")

    assert answer.code == 1
    assert "does not support the quarantine mode 'tag'; use the real `rocky` engine" in answer.stderr


def test_a_load_holds_its_idempotency_key(project):
    project.write({"rocky.toml": LOAD, "in/a.csv": "k\n1\n"})

    first = project.run("run", "--idempotency-key", "once")
    second = project.run("run", "--idempotency-key", "once")

    assert (first.code, first.json["files_loaded"]) == (0, 1)
    assert (second.code, second.json["status"]) == (0, "SkippedIdempotent")
    assert project.sql("SELECT COUNT(*) FROM a") == [(1,)]
