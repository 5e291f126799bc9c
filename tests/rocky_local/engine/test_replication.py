from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path

import pytest

from .conftest import Project


def _strategies(answer: object) -> dict[str, str]:
    return {
        entry["asset_key"][1]: entry["metadata"]["strategy"] for entry in answer.result["materializations"]
    }


def test_first_copy_is_full_then_only_newer_rows_come(landing: Project) -> None:
    first = landing("run")
    assert first.code == 0
    assert _strategies(first) == {"ulm": "full_refresh", "bonn": "full_refresh"}
    landing.sql(
        "INSERT INTO raw__ulm.people VALUES (90, TIMESTAMP '2026-02-01'), (91, TIMESTAMP '2020-01-01')"
    )
    second = landing("run")
    assert _strategies(second) == {"ulm": "incremental", "bonn": "incremental"}
    assert landing.sql("SELECT id FROM kept__ulm.people ORDER BY id") == [(0,), (1,), (2,), (90,)]
    marks = {mark["table"]: mark["last_value"] for mark in landing("state").result["watermarks"]}
    assert marks["lake.kept__ulm.people"] == "2026-02-01T00:00:00Z"


def test_filters_select_sources_tables_and_components(landing: Project) -> None:
    landing.sql("CREATE TABLE raw__ulm.pets AS SELECT 1 AS id, TIMESTAMP '2026-01-01' AS seen_at")
    cases = {
        "id=raw__ulm": 2,
        "town=bonn": 1,
        "table=people": 2,
        "town=nowhere": 0,
        "colour=red": 0,
        "town=": 0,
    }
    for text, copied in cases.items():
        answer = landing("run", "--filter", text)
        assert (answer.code, answer.result["tables_copied"]) == (0, copied), text
    assert landing("run", "--filter", "nonsense").code == 1


def test_added_and_widened_columns_are_followed(landing: Project) -> None:
    landing("run")
    landing.sql("ALTER TABLE raw__ulm.people ADD COLUMN age SMALLINT")
    landing.sql("INSERT INTO raw__ulm.people VALUES (9, TIMESTAMP '2026-03-01', 40)")
    drift = landing("run").result["drift"]
    assert drift["actions_taken"] == [
        {"table": "lake.kept__ulm.people", "action": "add_columns", "reason": "added column 'age' (SMALLINT)"}
    ]
    landing.sql("ALTER TABLE raw__ulm.people ALTER COLUMN age TYPE INTEGER")
    assert (
        landing("run").result["drift"]["actions_taken"][0]["reason"]
        == "column 'age' widened SMALLINT → INTEGER"
    )
    landing.sql("ALTER TABLE raw__ulm.people ALTER COLUMN age TYPE VARCHAR")
    answer = landing("run")
    assert answer.result["drift"]["actions_taken"][0]["action"] == "drop_and_recreate"
    assert _strategies(answer)["ulm"] == "full_refresh"


def test_a_table_that_changed_in_two_ways_drifts_once_and_only_when_it_is_copied(landing: Project) -> None:
    landing("run")
    landing.sql(
        "ALTER TABLE raw__ulm.people ADD COLUMN age SMALLINT; ALTER TABLE raw__ulm.people ALTER id TYPE HUGEINT"
    )
    landing.sql(
        "ALTER TABLE raw__bonn.people ADD COLUMN age SMALLINT; ALTER TABLE raw__bonn.people DROP COLUMN id"
    )
    answer = landing("run")
    assert [entry["action"] for entry in answer.result["drift"]["actions_taken"]] == ["alter_column_types"]
    assert (answer.result["drift"]["tables_drifted"], answer.result["tables_failed"]) == (1, 1)
    assert [name for (name,) in landing.sql("SELECT column_name FROM (DESCRIBE kept__ulm.people)")][
        -1
    ] == "age"


def test_a_dropped_column_fails_its_table_only(landing: Project) -> None:
    landing("run")
    landing.sql("ALTER TABLE raw__ulm.people DROP COLUMN id")
    answer = landing("run")
    assert (answer.code, answer.result["status"]) == (2, "PartialFailure")
    assert answer.result["errors"][0]["asset_key"] == []
    assert answer.messages().count("retry also failed") == 1


def test_all_tables_failing_is_a_failure_with_json(landing: Project) -> None:
    for town in ("ulm", "bonn"):
        landing.sql(f"CREATE SCHEMA kept__{town}; CREATE VIEW kept__{town}.people AS SELECT 1 AS one")
    answer = landing("run")
    assert (answer.code, answer.result["status"], answer.result["tables_failed"]) == (1, "Failure", 2)
    assert "2 table(s) failed during parallel execution" in answer.stderr


def test_fail_fast_leaves_later_tables_alone_but_for_the_one_that_has_begun(landing: Project) -> None:
    settings = "[pipeline.landing.execution]\nconcurrency = 1\nfail_fast = true\ntable_retries = 0\n"
    landing.write("rocky.toml", (landing.root / "rocky.toml").read_text() + settings)
    landing.sql("CREATE SCHEMA kept__bonn; CREATE VIEW kept__bonn.people AS SELECT 1 AS one")
    landing.sql("CREATE SCHEMA raw__wien; CREATE TABLE raw__wien.people AS FROM raw__ulm.people")
    answer = landing("run")
    assert (answer.code, answer.result["materializations"]) == (1, [])
    assert answer.result["execution"]["tables_processed"] == 1
    tables = "SELECT table_schema FROM information_schema.tables WHERE table_schema LIKE 'kept%' ORDER BY 1"
    assert landing.sql(tables) == [("kept__bonn",), ("kept__ulm",)]


def test_resume_leaves_out_what_is_copied(landing: Project) -> None:
    landing.sql("CREATE SCHEMA kept__bonn; CREATE VIEW kept__bonn.people AS SELECT 1 AS one")
    assert landing("run").code == 2
    landing.sql("DROP VIEW kept__bonn.people")
    answer = landing("run", "--resume-latest")
    assert answer.result["tables_skipped"] == 1
    assert [entry["asset_key"][1] for entry in answer.result["materializations"]] == ["bonn"]
    unknown = landing("run", "--resume", "run-20000101-000000-000")
    assert unknown.result["tables_copied"] == 2
    assert "no progress found for run, starting fresh" in unknown.messages()


def test_shadow_tables_stand_beside_the_real_ones(landing: Project) -> None:
    answer = landing("run", "--shadow", "--filter", "town=ulm")
    assert answer.result["shadow"] is True
    assert answer.result["materializations"][0]["asset_key"] == ["duckdb", "ulm", "people_rocky_shadow"]
    collision = landing("run", "--shadow", "--shadow-schema", "pr")
    assert (collision.code, collision.result) == (1, None)
    assert "two sources resolve to the same target table 'lake.pr.people'" in collision.stderr


def test_an_idempotency_key_runs_once_and_is_released_by_failure(landing: Project) -> None:
    first = landing("run", "--idempotency-key", "k")
    assert first.result["idempotency_key"] == "k"
    again = landing("run", ROCKY_IDEMPOTENCY_KEY="k")
    assert (again.code, again.result["status"]) == (0, "SkippedIdempotent")
    assert "cost_summary" not in again.result
    landing.sql("ALTER TABLE raw__ulm.people DROP COLUMN id")
    for _ in range(2):
        assert landing("run", "--idempotency-key", "other").result["status"] == "PartialFailure"


def test_anomalies_compare_with_the_recent_average(landing: Project) -> None:
    checks = "[pipeline.landing.checks]\nrow_count = true\nanomaly_threshold_pct = 30.0\n"
    text = (landing.root / "rocky.toml").read_text().replace('"incremental"', '"full_refresh"')
    landing.write("rocky.toml", text + checks)
    landing.sql("INSERT INTO raw__ulm.people SELECT i, TIMESTAMP '2026-01-01' FROM range(97) t(i)")
    for _ in range(4):
        assert "anomalies" not in landing("run").result
    landing.sql("DELETE FROM raw__ulm.people WHERE id > 1")
    answer = landing("run")
    assert answer.code == 0
    assert [entry["table"] for entry in answer.result["anomalies"]] == ["lake.kept__ulm.people"]


@pytest.mark.parametrize("pack", [bytes, zlib.compress], ids=["plain", "compressed"])
def test_pipes_messages_are_read_in_both_encodings(landing: Project, tmp_path: Path, pack: object) -> None:
    file = tmp_path / "messages"
    params = base64.b64encode(pack(json.dumps({"path": str(file)}).encode())).decode()
    landing("run", DAGSTER_PIPES_CONTEXT="e30=", DAGSTER_PIPES_MESSAGES=params)
    messages = [json.loads(line) for line in file.read_text().splitlines()]
    assert [message["method"] for message in messages] == [
        "log",
        "report_asset_materialization",
        "report_asset_materialization",
        "log",
        "closed",
    ]


def test_messages_between_log_lines_wait_for_the_end_and_are_told_table_by_table(landing: Project) -> None:
    landing.write(
        "rocky.toml",
        (landing.root / "rocky.toml").read_text() + "[pipeline.landing.checks]\nrow_count = true\n"
        "[[pipeline.landing.checks.custom]]\nname = 'few'\nsql = 'SELECT 0'\n",
    )
    params = base64.b64encode(b'{"stdio":"stderr"}').decode()
    answer = landing("run", DAGSTER_PIPES_CONTEXT="e30=", DAGSTER_PIPES_MESSAGES=params)
    lines = [line for line in answer.stderr.splitlines() if line.startswith("{")]
    told = [json.loads(line) for line in lines if "__dagster_pipes_version" in line]
    assert lines[-6:] == [
        json.dumps(message, separators=(",", ":"), ensure_ascii=False) for message in told[-6:]
    ]
    assert [message["method"].removeprefix("report_asset_") for message in told] == (
        ["log", "materialization", "materialization", *["check"] * 4, "log", "closed"]
    )
    checked = [(m["params"]["asset_key"], m["params"]["check_name"]) for m in told if "check" in m["method"]]
    first, second = (m["params"]["asset_key"] for m in told if "materialization" in m["method"])
    assert checked == [(first, "row_count"), (first, "few"), (second, "row_count"), (second, "few")]


def test_what_cannot_be_checked_is_refused_before_anything_is_copied(landing: Project) -> None:
    config = (landing.root / "rocky.toml").read_text()
    for checks, problem in {
        "cross_source_overlap = true": "expected a map",
        "assertions = [{ type = 'magic' }]": "unknown variant `magic`, expected one of `not_null`",
        "assertions = [{ type = 'relationships', column = 'id' }]": "missing field `to_table`",
    }.items():
        landing.write("rocky.toml", f"{config}[pipeline.landing.checks]\n{checks}\n")
        answer = landing("run")
        assert (answer.code, answer.result) == (1, None)
        assert problem in answer.stderr
    assert landing.sql("SELECT COUNT(*) FROM duckdb_tables() WHERE schema_name LIKE 'kept%'") == [(0,)]


def test_hooks_hear_of_each_table_and_cannot_fail_the_run(landing: Project) -> None:
    hooks = (
        '[[hook.on_after_materialize]]\ncommand = "cat >> heard.txt; echo >> heard.txt"\n'
        '[[hook.on_after_materialize]]\ncommand = "echo no >&2; exit 3"\n'
        '[[hook.on_after_materialize]]\ncommand = "sleep 30"\ntimeout_ms = 200\n'
    )
    landing.write("rocky.toml", (landing.root / "rocky.toml").read_text() + hooks)
    answer = landing("run")
    assert answer.code == 0
    told = (landing.root / "heard.txt").read_text().replace("}\n{", "},{")
    heard = json.loads(f"[{told}]")
    assert {entry["table"] for entry in heard} == {"lake.kept__ulm.people", "lake.kept__bonn.people"}
    assert {entry["event"] for entry in heard} == {"after_materialize"}
    keys = ["event", "run_id", "pipeline", "timestamp", "table", "duration_ms", "metadata"]
    assert list(heard[0]) == keys
    assert answer.messages().count("hook failed — the run goes on") == 4


def test_merge_updates_by_key_and_view_fails_on_its_second_run(landing: Project) -> None:
    override = '[[pipeline.landing.table_overrides]]\nmatch.connector = "raw__ulm"\n'
    override += 'strategy = "merge"\nmerge_keys = ["id"]\n'
    override += '[[pipeline.landing.table_overrides]]\nmatch.connector = "raw__bonn"\nstrategy = "view"\n'
    landing.write("rocky.toml", (landing.root / "rocky.toml").read_text() + override)
    assert set(_strategies(landing("run")).values()) == {"full_refresh"}
    landing.sql("UPDATE raw__ulm.people SET seen_at = TIMESTAMP '2030-01-01' WHERE id = 1")
    answer = landing("run")
    assert answer.code == 2
    assert _strategies(answer) == {"ulm": "merge"}
    assert landing.sql("SELECT COUNT(*), MAX(seen_at) FROM kept__ulm.people")[0][0] == 3


def test_a_pipes_channel_that_cannot_be_written_costs_a_warning(landing: Project) -> None:
    params = base64.b64encode(json.dumps({"path": "no/such/folder/messages"}).encode()).decode()
    answer = landing("run", DAGSTER_PIPES_CONTEXT="e30=", DAGSTER_PIPES_MESSAGES=params)
    assert answer.code == 0
    expected = "cannot write to the Pipes channel; falling back to non-Pipes mode"
    assert answer.messages().count(expected) == 1


def test_only_the_latest_runs_can_be_resumed(landing: Project) -> None:
    from rocky_local.state import open_for_writing

    with open_for_writing(landing.root / "state.redb") as store:
        for number in range(25):
            store.start_progress(f"run-{number}", None)
            store.finish_copy(f"run-{number}", f"lake.s.t{number}", 0)
        assert store.start_progress("run-25", "run-4") is None
        assert store.start_progress("run-26", "run-24") == {"lake.s.t24"}
        assert store.start_progress("run-27", "run-26") == {"lake.s.t24"}
        assert store.latest_progress() == "run-27"
