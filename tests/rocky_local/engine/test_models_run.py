from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from .conftest import TRANSFORMATION, Project

DAILY = """
[strategy]
type = "time_interval"
time_column = "day"
granularity = "day"
first_partition = "2026-01-01"
"""
DAILY_SQL = (
    "SELECT DATE_TRUNC('day', t) AS day, COUNT(*) AS n FROM raw.log\n"
    "WHERE t >= @start_date AND t < @end_date GROUP BY 1"
)


def _built(answer: object) -> list[str]:
    return [entry["asset_key"][-1] for entry in answer.result["materializations"]]


def test_strategies_do_what_their_names_say(marts: Project) -> None:
    marts.model("a_table", "SELECT id, kind FROM raw.log")
    marts.model(
        "b_view", "SELECT id FROM built.a_table", 'depends_on = ["a_table"]\n[strategy]\ntype = "view"'
    )
    marts.model("c_log", "SELECT id FROM raw.log", '[strategy]\ntype = "incremental"\ntimestamp_column = "t"')
    merge = '[strategy]\ntype = "merge"\nunique_key = ["kind"]\nupdate_columns = ["n"]'
    marts.model("d_kinds", "SELECT kind, COUNT(*) AS n FROM raw.log GROUP BY kind", merge)
    marts.model("e_none", "SELECT 1 AS one", '[strategy]\ntype = "ephemeral"')
    first = marts("run")
    assert first.code == 0
    assert _built(first) == ["a_table", "c_log", "d_kinds", "e_none", "b_view"]
    marts.sql("INSERT INTO raw.log VALUES (100, 1, TIMESTAMP '2026-05-01')")
    assert marts("run").code == 0
    assert marts.sql("SELECT COUNT(*) FROM built.c_log") == [(72 + 73,)]
    assert marts.sql("SELECT kind, n FROM built.d_kinds ORDER BY kind") == [(0, 36), (1, 37)]
    assert marts.sql("SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'e_none'") == [(0,)]


def test_a_failure_ends_the_run_unless_it_is_contained(marts: Project) -> None:
    marts.model("a", "SELECT 1 AS x")
    marts.model("b", "SELECT CAST('no' AS INTEGER) AS x FROM raw.log")
    marts.model("c", "SELECT 3 AS x")
    marts.model("d", "SELECT x FROM built.b", 'depends_on = ["b"]')
    answer = marts("run")
    assert (answer.code, _built(answer)) == (2, ["a"])
    assert [error["asset_key"] for error in answer.result["errors"]] == [["<runtime>"]]
    marts.write("rocky.toml", TRANSFORMATION + "[resilience]\ncontain_failures = true\n")
    contained = marts("run")
    assert (contained.code, _built(contained)) == (2, ["a", "c"])
    assert [error["asset_key"] for error in contained.result["errors"]] == [["b"]]
    assert contained.result["contained"][0]["model"] == "d"
    assert contained.result["contained"][0]["blocked_by"] == ["b"]


def test_partitions_are_built_one_by_one_and_fail_alone(marts: Project) -> None:
    marts.model(
        "daily",
        DAILY_SQL.replace("COUNT(*)", "SUM(CASE WHEN id = 30 THEN CAST('x' AS INT) ELSE 1 END)"),
        DAILY,
    )
    answer = marts("run", "--from", "2026-01-01", "--to", "2026-01-03")
    assert answer.code == 2
    keys = [entry["partition"]["key"] for entry in answer.result["materializations"]]
    assert keys == ["2026-01-01", "2026-01-03"]
    assert "2026-01-02" in answer.result["errors"][0]["error"]
    assert answer.result["partition_summaries"] == [
        {"model": "daily", "partitions_planned": 3, "partitions_succeeded": 2, "partitions_failed": 1}
    ]
    assert marts("run", "--model", "daily", "--partition", "2026-01-02").code == 1


def test_missing_builds_only_what_state_does_not_know(marts: Project) -> None:
    start = datetime.now(UTC).strftime("%Y-%m-%d")
    marts.model("daily", DAILY_SQL, DAILY.replace("2026-01-01", start))
    first = marts("run", "--missing")
    assert [entry["partition"]["key"] for entry in first.result["materializations"]] == [start]
    again = marts("run", "--missing")
    assert again.code == 0
    assert again.result["materializations"] == []
    assert again.result["partition_summaries"][0]["partitions_planned"] == 0


def test_missing_partitions_bring_the_ones_that_their_lookback_covers(marts: Project) -> None:
    now = datetime.now(UTC)
    first = (now - timedelta(days=3)).strftime("%Y-%m-%d")
    days = [(now - timedelta(days=back)).strftime("%Y-%m-%d") for back in (3, 2, 1, 0)]
    marts.model("daily", DAILY_SQL, DAILY.replace("2026-01-01", first) + "lookback = 1\n")
    marts("run", "--from", days[0], "--to", days[1], "--lookback", "0")
    answer = marts("run", "--missing")
    assert [entry["partition"]["key"] for entry in answer.result["materializations"]] == days[1:]


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (("--partition", "2026-5-2"), "does not match the canonical Day format '%Y-%m-%d'"),
        (("--partition", "2026-05"), "does not match the canonical Day format 'YYYY-MM-DD'"),
        (("--from", "2026-01-02", "--to", "2026-01-01"), "is after"),
    ],
)
def test_keys_that_do_not_fit_fail_before_anything_runs(
    marts: Project, flags: tuple[str, ...], text: str
) -> None:
    marts.model("daily", DAILY_SQL, DAILY)
    answer = marts("run", "--model", "daily", *flags)
    assert answer.code == 1
    assert text in answer.result["errors"][0]["error"]
    assert marts.sql("SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'daily'") == [(0,)]


def test_lookback_comes_from_the_sidecar_unless_the_flag_says_otherwise(marts: Project) -> None:
    marts.model("daily", DAILY_SQL, DAILY + "lookback = 1\n")
    for flags, keys in (((), ["2026-01-01", "2026-01-02"]), (("--lookback", "0"), ["2026-01-02"])):
        answer = marts("run", "--model", "daily", "--partition", "2026-01-02", *flags)
        assert [entry["partition"]["key"] for entry in answer.result["materializations"]] == keys


def test_unchanged_models_are_skipped_when_row_counts_prove_it(marts: Project) -> None:
    marts.write(
        "rocky.toml", TRANSFORMATION + "[run]\nskip_unchanged = true\nskip_rowcount_fallback = true\n"
    )
    marts.model("a", "SELECT id FROM raw.log")
    marts.model("b", "SELECT id, now() AS at FROM raw.log")
    assert _built(marts("run")) == ["a", "b"]
    second = marts("run")
    assert _built(second) == ["b"]
    assert second.result["tables_skipped"] == 1
    assert [entry["decision"] for entry in second.result["model_decisions"]] == ["skip", "build"]
    marts.sql("INSERT INTO raw.log VALUES (200, 0, TIMESTAMP '2026-05-01')")
    assert _built(marts("run")) == ["a", "b"]
    forced = marts("run", "--force-rebuild")
    assert _built(forced) == ["a", "b"]
    assert "model_decisions" not in forced.result


def test_one_model_runs_without_its_upstream(marts: Project) -> None:
    marts.model("a", "SELECT 1 AS x")
    marts.model("b", "SELECT 2 AS x", 'depends_on = ["a"]')
    answer = marts("run", "--model", "b")
    assert (_built(answer), answer.result["pipeline_type"]) == (["b"], "replication")
    unknown = marts("run", "--model", "nope")
    assert unknown.code == 1
    assert unknown.result["errors"][0]["asset_key"] == ["nope"]


def test_a_strategy_of_the_real_engine_is_refused_by_name(marts: Project) -> None:
    marts.model("m", "SELECT 1 AS x", '[strategy]\ntype = "materialized_view"')
    error = marts("run").result["errors"][0]["error"]
    assert "materialized_view" in error
    assert "real `rocky` engine" in error
