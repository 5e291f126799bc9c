"""Hooks of a replication, as it happens and whatever they do, and branches beside its targets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import TRANSFORMATION, Project

HEARD = "heard.txt"


def _add_hooks(project: Project, *events: str, command: str = f"cat >> {HEARD}", more: str = "") -> None:
    hooks = "".join(f'[[hook.on_{event}]]\ncommand = "{command}"\n{more}' for event in events)
    project.write("rocky.toml", (project.root / "rocky.toml").read_text() + "\n" + hooks)


def _heard(project: Project) -> Iterator[dict[str, Any]]:
    rest, decoder = (project.root / HEARD).read_text(), json.JSONDecoder()
    while rest:
        event, end = decoder.raw_decode(rest)
        yield event
        rest = rest[end:]


def test_each_table_is_told_begun_and_ended_with_its_drift(landing: Project) -> None:
    assert landing("run").code == 0
    landing.sql("ALTER TABLE raw__ulm.people ADD COLUMN note VARCHAR")
    _add_hooks(landing, "before_materialize", "after_materialize", "drift_detected")

    assert landing("run").code == 0

    told = [(event["event"], event["table"]) for event in _heard(landing)]
    for town in ("ulm", "bonn"):
        table = f"lake.kept__{town}.people"
        own = [event for event, about in told if about == table]
        drift = ["drift_detected"] if town == "ulm" else []
        assert own == ["before_materialize", "after_materialize", *drift]


@pytest.mark.parametrize(
    ("more", "code", "warned"),
    [
        ("", 0, 2),
        ('on_failure = "warn"\n', 0, 2),
        ('on_failure = "ignore"\n', 0, 0),
        ('on_failure = "abort"\n', 1, 0),
    ],
)
def test_a_hook_says_itself_what_its_failure_means(
    landing: Project, more: str, code: int, warned: int
) -> None:
    _add_hooks(landing, "after_materialize", command="echo no >&2; exit 3", more=more)

    answer = landing("run")

    assert answer.code == code
    assert answer.messages().count("hook failed — the run goes on") == warned
    assert ("failed and ends the run" in answer.stderr) == (code == 1)


def test_a_hook_that_does_not_read_cannot_hold_up_a_long_payload(landing: Project) -> None:
    wide = ", ".join(f"1 AS {'c' * 200}{number}" for number in range(600))
    landing.sql(f"CREATE SCHEMA kept__ulm; CREATE VIEW kept__ulm.people AS SELECT {wide}")
    _add_hooks(landing, "materialize_error", "pipeline_error", command="true")

    answer = landing("run")

    assert answer.code == 2
    assert answer.messages().count("hook completed successfully") == 2


def test_a_failed_run_ends_with_its_error(landing: Project) -> None:
    landing.sql("CREATE SCHEMA kept__ulm; CREATE VIEW kept__ulm.people AS SELECT 1 AS id")
    _add_hooks(landing, "materialize_error", "pipeline_error", "pipeline_complete")

    assert landing("run").code == 2

    first, last = _heard(landing)
    assert (first["event"], first["table"]) == ("materialize_error", "lake.kept__ulm.people")
    assert (last["event"], last["error"]) == ("pipeline_error", "1 table(s) failed during parallel execution")


def test_models_call_hooks_only_after_a_copy(marts: Project) -> None:
    marts.write("rocky.toml", TRANSFORMATION)
    marts.model("m", "SELECT 1 AS n")
    _add_hooks(marts, "pipeline_start", "after_materialize", "before_model_run", "after_model_run")

    assert (marts("run").code, marts("run", "--model", "m").code) == (0, 0)

    assert not (marts.root / HEARD).exists()


def test_a_run_in_a_branch_leaves_the_real_tables_alone(landing: Project) -> None:
    landing.sql("DROP TABLE raw__bonn.people")
    assert landing("branch", "create", "trial").result["branch"]["schema_prefix"] == "branch__trial"
    assert landing("branch", "create", "trial").code == 1

    assert landing("run", "--branch", "trial").code == 0

    assert [branch["name"] for branch in landing("branch", "list").result["branches"]] == ["trial"]
    assert landing.sql("SELECT COUNT(*) FROM branch__trial.people") == [(3,)]
    assert landing.sql("SELECT COUNT(*) FROM duckdb_tables() WHERE schema_name LIKE 'kept%'") == [(0,)]
    assert "not found" in landing("run", "--branch", "other").stderr
