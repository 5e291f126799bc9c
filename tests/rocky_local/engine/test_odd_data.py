"""Data, names and surroundings that nobody planned for: no lost rows, no traceback, the rest goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.seeding import opened

from .conftest import ENGINE, Project


def _copied(project: Project) -> list[int]:
    return [row[0] for row in project.sql("SELECT id FROM kept__ulm.people ORDER BY id")]


def _checks(project: Project, checks: str) -> None:
    project.write(
        "rocky.toml", (project.root / "rocky.toml").read_text() + f"[pipeline.landing.checks]\n{checks}\n"
    )


@pytest.mark.parametrize("closed", ["<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_never_become_the_database(landing: Project, closed: str) -> None:
    subprocess.run(f"{ENGINE} -o json run {closed}", shell=True, cwd=landing.root, check=False, timeout=60)
    assert _copied(landing) == [0, 1, 2]
    assert landing("state").code == 0


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_a_time_with_a_zone_is_followed_wherever_the_machine_is(landing: Project, zone: str) -> None:
    landing.sql(
        "CREATE OR REPLACE TABLE raw__ulm.people AS SELECT 1 AS id, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS seen_at"
    )
    landing("run", TZ=zone)
    landing.sql("INSERT INTO raw__ulm.people VALUES (2, TIMESTAMPTZ '2026-01-01 03:00:00+00')")
    landing("run", TZ=zone)
    landing("run", TZ=zone)
    assert _copied(landing) == [1, 2]


def test_nanoseconds_are_not_copied_twice(landing: Project) -> None:
    landing.sql(
        "CREATE OR REPLACE TABLE raw__ulm.people AS "
        "SELECT 1 AS id, TIMESTAMP_NS '2026-01-01 00:00:00.000000001' AS seen_at"
    )
    for _ in range(3):
        assert landing("run").code == 0
    assert _copied(landing) == [1]


@pytest.mark.parametrize("rows", ["", "(1, NULL)"])
def test_rows_that_come_into_an_empty_table_later_are_copied_however_old(landing: Project, rows: str) -> None:
    landing.sql("CREATE OR REPLACE TABLE raw__ulm.people (id INTEGER, seen_at TIMESTAMP)")
    if rows:
        landing.sql(f"INSERT INTO raw__ulm.people VALUES {rows}")
    landing("run")
    landing.sql("INSERT INTO raw__ulm.people VALUES (2, TIMESTAMP '1969-05-01')")
    landing("run")
    landing.sql("INSERT INTO raw__ulm.people VALUES (3, TIMESTAMP '1969-06-01')")
    landing("run")
    assert landing("run").code == 0
    assert _copied(landing)[-2:] == [2, 3]


def test_a_time_that_no_watermark_can_hold_fails_its_table_only(landing: Project) -> None:
    landing.sql("UPDATE raw__ulm.people SET seen_at = 'infinity' WHERE id = 2")
    answer = landing("run")
    assert (answer.code, answer.result["tables_copied"]) == (2, 1)
    assert "lies outside of the years" in answer.result["errors"][0]["error"]


def test_a_copy_that_cannot_be_made_anew_stays_as_it_was(landing: Project) -> None:
    landing.sql("CREATE SCHEMA cfg; CREATE TABLE cfg.c AS SELECT 'x' AS k")
    column = "metadata_columns = [{ name = 'k', type = 'VARCHAR', value = '(SELECT k FROM cfg.c)' }]\n"
    config = (landing.root / "rocky.toml").read_text()
    landing.write("rocky.toml", config.replace("[pipeline.landing]\n", f"[pipeline.landing]\n{column}"))
    assert landing("run").code == 0
    landing.sql("ALTER TABLE raw__ulm.people ALTER id TYPE VARCHAR; DROP TABLE cfg.c")
    assert landing("run").result["drift"]["actions_taken"] == []
    assert len(_copied(landing)) == 3


def test_an_odd_schema_ends_only_the_runs_that_would_take_it_along(landing: Project) -> None:
    landing.sql('CREATE SCHEMA "raw__b c"; CREATE TABLE "raw__b c".people AS SELECT 1 AS id')
    answer = landing("run")
    assert (answer.code, answer.result) == (1, None)
    assert "Error: invalid SQL identifier 'kept__b c'" in answer.stderr
    assert landing("run", "--filter", "town=ulm").result["tables_copied"] == 1


@pytest.mark.parametrize(
    "query",
    ["SELECT 'text'", "SELECT 1 WHERE FALSE", "SELECT 'nan'::DOUBLE", "SELECT x FROM nowhere", "-- none"],
)
def test_a_custom_check_without_a_number_has_failed(landing: Project, query: str) -> None:
    _checks(landing, f'null_rate = {{ columns = [] }}\ncustom = [{{ name = "odd", sql = "{query}" }}]')
    answer = landing("run")
    assert answer.code == 0
    found = [check for entry in answer.result["check_results"] for check in entry["checks"]]
    assert [(check["name"], check["passed"], check["result_value"]) for check in found] == [
        ("odd", False, 0)
    ] * 2


def test_a_file_whose_name_looks_like_a_pattern_is_loaded_itself(project: Project) -> None:
    project.write(
        "rocky.toml",
        '[adapter]\ntype = "duckdb"\npath = "lake.duckdb"\n[pipeline.p]\ntype = "load"\nsource_dir = "in"\n',
    )
    project.write("in/t[1].csv", "a\n1\n")
    project.write("in/t1.csv", "a\n99\n")
    project("run")
    assert project.sql("SELECT a FROM t1") == [(99,)]


def test_what_reads_a_rebuilt_model_is_rebuilt(marts: Project) -> None:
    settings = "[run]\nskip_unchanged = true\nskip_rowcount_fallback = true\n"
    marts.write("rocky.toml", settings + (marts.root / "rocky.toml").read_text())
    marts.model("a", "SELECT id FROM raw.log", "[skip]\ndeterministic = true\n")
    marts.model("b", "SELECT id FROM built.a", 'depends_on = ["a"]\n[skip]\ndeterministic = true\n')
    for _ in range(3):
        answer = marts("run")
    assert answer.result["tables_skipped"] == 2
    marts.model("a", "SELECT id + 1 AS id FROM raw.log", "[skip]\ndeterministic = true\n")
    assert "tables_skipped" not in marts("run").result
    assert marts.sql("SELECT MIN(id) FROM built.b") == [(1,)]


def test_a_hook_ends_with_the_group_of_its_run_and_cannot_hold_it_up(landing: Project) -> None:
    hook = '[[hook.on_after_materialize]]\ncommand = "{}"\ntimeout_ms = {}\n'
    config = (landing.root / "rocky.toml").read_text()
    landing.write(
        "rocky.toml", config + hook.format("(sleep 16 &) ; yes | head -c 5000000 >&2; exit 3", 20_000)
    )
    begun = time.monotonic()
    assert landing("run").code == 0
    assert time.monotonic() - begun < 15
    landing.write("rocky.toml", config + hook.format("echo $$ > hook.pid; sleep 25", 20_000))
    process = subprocess.Popen(
        [ENGINE, "run"],
        cwd=landing.root,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pid = landing.root / "hook.pid"
    while not pid.exists() or not pid.read_text().strip():
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.2)
    assert not _lives(pid.read_text().strip())


def test_a_hook_that_takes_too_long_leaves_nothing_behind(landing: Project) -> None:
    hook = '[[hook.on_after_materialize]]\ncommand = "(sleep 61 & echo $! >> pids; wait); true"\ntimeout_ms = 400\n'
    landing.write("rocky.toml", (landing.root / "rocky.toml").read_text() + hook)
    answer = landing("run")
    assert answer.code == 0
    assert answer.messages().count("hook failed — the run goes on") == 2
    pids = (landing.root / "pids").read_text().split()
    assert len(pids) == 2
    assert not [pid for pid in pids if _lives(pid)]


def test_models_after_a_copy_end_at_once_by_the_signal(landing: Project) -> None:
    landing.model("a", "SELECT COUNT(*) AS n FROM range(200000) a(i), range(4000) b(j) WHERE (i * j) % 7 = 3")
    landing.write("models/_defaults.toml", '[target]\ncatalog = "lake"\nschema = "built"\n')
    process = landing.start("run", "--models", "models", "-o", "json")
    assert process.stderr is not None
    while b"executing model" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == -signal.SIGTERM


def _lives(pid: str) -> bool:
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_signal_after_the_copies_leaves_the_result_whole(landing: Project) -> None:
    for number in (signal.SIGTERM, signal.SIGINT) * 3:
        process = landing.start("run", "-o", "json")
        assert process.stdout is not None
        first = process.stdout.read(1)
        process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait(timeout=30) in (0, 130)
        assert json.loads(first + rest)["status"] == "Success"


def test_names_that_only_the_real_engine_could_mean_are_refused(marts: Project) -> None:
    marts.model("one", "SELECT 1 AS x")
    marts.model("two", "SELECT 1 AS x", 'name = "one"')
    answer = marts("compile")
    assert answer.code == 1
    assert "two models are called 'one'" in answer.stderr
    alone = marts("run", "--shadow-suffix", "_x")
    assert (alone.code, alone.result) == (2, None)
    assert "  --shadow\n" in alone.stderr


def test_a_readonly_state_is_not_called_corrupt(landing: Project) -> None:
    assert landing("run").code == 0
    assert landing("--state-path", str(landing.root), "state").stderr.count("Is a directory") >= 1
    with opened(landing.root / "lake.duckdb") as connection:
        assert connection.execute("SELECT COUNT(*) FROM kept__ulm.people").fetchone() == (3,)
