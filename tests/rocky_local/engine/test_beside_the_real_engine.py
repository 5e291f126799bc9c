"""Both engines live in one project: state files, rows, refusals that name the real engine, and the written page."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import get_args

import pytest

from rocky_local.execution.builds import _STRATEGIES
from rocky_local.project.sidecar import Kind
from rocky_local.support import REFUSED
from support.scripts import load_script

from .conftest import REPLICATION, TRANSFORMATION, Project

ROOT = Path(__file__).parents[3]
REAL_STATE = ROOT / "tests/recordings/samples/real-state.redb.gz"


def test_a_state_of_the_real_engine_is_left_alone_and_refused_by_name(landing: Project) -> None:
    written = gzip.decompress(REAL_STATE.read_bytes())
    (landing.root / ".rocky-state.redb").write_bytes(written)

    assert landing("run").code == 0
    assert landing("history").result["count"] == 1
    assert (landing.root / ".rocky-state.redb").read_bytes() == written

    refused = landing("--state-path", ".rocky-state.redb", "run")
    assert refused.code == 1
    assert "--state-path (`state_path` in the YAML)" in refused.stderr
    assert (landing.root / ".rocky-state.redb").read_bytes() == written


def test_rows_that_the_other_engine_has_copied_meanwhile_are_not_copied_again(landing: Project) -> None:
    assert landing("run").code == 0
    schema, table = landing.sql(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema LIKE 'raw__%' LIMIT 1"
    )[0]
    source, copy = f"{schema}.{table}", f"{schema.replace('raw__', 'kept__')}.{table}"
    later = f"SELECT * REPLACE (seen_at + INTERVAL 1 YEAR AS seen_at) FROM {copy} LIMIT 1"
    landing.sql(f"INSERT INTO {source} {later}")
    landing.sql(
        f"INSERT INTO {copy} SELECT * FROM {source} WHERE seen_at = (SELECT MAX(seen_at) FROM {source})"
    )

    assert landing("run").code == 0
    assert landing.sql(f"SELECT count(*) FROM {source}") == landing.sql(f"SELECT count(*) FROM {copy}")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (REPLICATION.replace('"duckdb"', '"snowflake"'), "rocky.toml:2"),
        (REPLICATION + '\n[state]\nbackend = "s3"\n', f"rocky.toml:{REPLICATION.count(chr(10)) + 3}"),
    ],
)
def test_what_only_the_real_engine_does_is_refused_in_one_line(
    landing: Project, text: str, place: str
) -> None:
    landing.write("rocky.toml", text)
    answer = landing("run")
    lines = [line for line in answer.stderr.splitlines() if line.startswith("Error:")]

    assert answer.code == 1
    assert len(lines) == 1
    assert f"({place})" in lines[0]
    assert "use the real `rocky` engine" in lines[0]
    assert landing("dag").code == 0


def test_settings_without_effect_are_said_once(landing: Project) -> None:
    landing.write("rocky.toml", REPLICATION + '\n[hook.webhooks.x]\nurl = "http://127.0.0.1:1"\n[cost]\n')
    messages = landing("run").messages()

    assert [m for m in messages if "ignored" in m and "webhooks" in m] == [
        "`hook.webhooks` is ignored by rocky-local: webhooks are not called"
    ]


def test_the_table_of_what_is_supported_is_true_and_its_page_is_written() -> None:
    module = load_script("docs/write_rocky_local.py")

    assert module.PAGE.read_text(encoding="utf-8") == module.page()
    refused = {name.strip("`") for name in REFUSED["strategy.type"].split(", ")}
    assert refused == {*get_args(Kind)} - _STRATEGIES.keys()


def test_a_project_without_pipelines_is_an_empty_graph(landing: Project) -> None:
    landing.write("rocky.toml", TRANSFORMATION.split("[pipeline")[0])
    answer = landing("dag")

    assert answer.code == 0
    assert answer.result["nodes"] == []
