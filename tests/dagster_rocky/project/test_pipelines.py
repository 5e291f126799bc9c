"""Pipelines from what the engine answers: sources, targets, and what a person should know of them."""

import json
import subprocess
from pathlib import Path

import duckdb
import pytest

from dagster_rocky.project.pipelines import load_or_snapshot, replication
from dagster_rocky.project.snapshot import Pipeline
from dagster_rocky.results import DiscoverResult
from dagster_rocky.results.base import json_document
from support.recorded import ENGINE

BODY = {"source": {"schema_pattern": {"components": ["site"]}}, "target": {"schema_template": "lake__{site}"}}


def discovered(**more) -> DiscoverResult:
    source = {
        "id": "connector_1",
        "components": {"site": "north"},
        "source_type": "fivetran",
        "last_sync_at": "2026-11-20T10:00:00Z",
        "metadata": {"fivetran.schema_prefix": "raw__north"},
        "tables": [{"name": "kegs"}, {"name": "pours"}],
    }
    return DiscoverResult.model_validate(
        {"version": "1.71.0", "command": "discover", "sources": [source], **more}
    )


def test_a_source_keeps_when_it_was_synced():
    found = replication(Pipeline(name="taps", type="replication"), BODY, discovered(), None)
    assert found.pipeline.sources[0].last_sync_at == "2026-11-20T10:00:00Z"
    assert (found.problems, found.notices) == ([], [])


def test_a_source_keeps_what_discovery_knows_of_it():
    (source,) = discovered().model_dump()["sources"]
    source["tables"][0]["row_count"] = 12
    found = replication(
        Pipeline(name="taps", type="replication"), BODY, discovered(sources=[source]), None
    ).pipeline.sources[0]
    assert found.row_counts == {"kegs": 12}
    assert found.facts == {"fivetran.schema_prefix": "raw__north"}


def test_an_override_knows_a_source_by_its_schema_too():
    rules = [{"match": {"connector": "raw__north", "table": "kegs"}, "enabled": False}]
    found = replication(
        Pipeline(name="taps", type="replication"), {**BODY, "table_overrides": rules}, discovered(), None
    )
    assert found.pipeline.sources[0].tables == ["pours"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"new_sources": ["b", "a"]}, "'taps' discovers for the first time: a, b"),
        ({"collision_candidates": [{"key": "x/y", "tables": ["t", "u"]}]}, "key x/y, tables t and u"),
        ({"collision_candidates": ["x/y", 3]}, "another: x/y"),
        ({"collision_candidates": [["a", "b"]]}, "another: a and b"),
    ],
)
def test_what_is_new_or_may_collide_is_told(more, said):
    found = replication(Pipeline(name="taps", type="replication"), BODY, discovered(**more), None)
    assert any(said in notice for notice in found.notices), found.notices


def test_a_loaded_file_has_the_table_that_the_engine_makes_of_it(tmp_path: Path):
    files = tmp_path / "files"
    files.mkdir()
    for name in ("plain.csv", "v1.2.csv", "UPPER.CSV", "notes.txt"):
        (files / name).write_text("a\n1\n")
    (files / "folder.csv").mkdir()
    duckdb.connect(str(tmp_path / "x.duckdb")).close()
    (tmp_path / "rocky.toml").write_text(
        '[adapter]\ntype = "duckdb"\npath = "x.duckdb"\n[pipeline.intake]\ntype = "load"\nsource_dir = "files"\n'
        '[pipeline.intake.target]\ncatalog = "x"\nschema = "main"\n'
    )
    done = subprocess.run(
        [str(ENGINE), "-c", "rocky.toml", "run", "-o", "json"], cwd=tmp_path, capture_output=True, check=False
    )
    told = {file["target"] for file in json.loads(json_document(done.stdout))["files"]}
    body = {"source_dir": "files", "target": {"catalog": "x", "schema": "main"}}
    pipeline = load_or_snapshot(Pipeline(name="intake", type="load"), body, tmp_path)
    assert set(pipeline.targets) == told == {"x.main.plain", "x.main.v1.2", "x.main.UPPER"}
