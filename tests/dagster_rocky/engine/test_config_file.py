"""TOML files are read as the engine reads them: variables, byte order marks, and every spelling of one thing."""

import json
import tomllib
from pathlib import Path

import pytest

from dagster_rocky.engine.config_file import duckdb_files, normalised, read_toml
from support.recorded import RECORDINGS


def test_variables_are_substituted_as_the_engine_does(tmp_path, monkeypatch):
    monkeypatch.setenv("DB", "x.duckdb")
    monkeypatch.delenv("NOT_SET", raising=False)
    path = tmp_path / "rocky.toml"
    path.write_text('a = "${DB}"\nb = "${NOT_SET:-y}"\nc = "${NOT_SET}"\nd = "${DB:-z}"\ne = "${1X:-a}"\n')
    expected = {"a": "x.duckdb", "b": "y", "c": "${NOT_SET}", "d": "x.duckdb", "e": "${1X:-a}"}
    assert read_toml(path) == expected


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / "stock.toml"
    path.write_bytes(b"\xef\xbb\xbfintent = 'beer'\n")
    assert read_toml(path) == {"intent": "beer"}


@pytest.mark.parametrize("case", ["plural_list", "bare_list"])
def test_every_spelling_names_the_pipelines_that_the_engine_lists(case):
    folder = RECORDINGS / "brewery" / case
    text = json.loads((folder / "argv.json").read_text())["before"][0]["text"]
    listed = json.loads((folder / "stdout").read_text())["pipelines"]
    config = normalised(tomllib.loads(text))
    assert set(config["pipeline"]) == {pipeline["name"] for pipeline in listed}
    assert set(config["adapter"]) == {"default"}


@pytest.mark.parametrize(
    ("text", "adapters", "pipelines"),
    [
        ('[adapter]\ntype = "duckdb"', {"default"}, set()),
        ('[adapters.lake]\ntype = "duckdb"\n[pipelines.taps.target]\nadapter = "lake"', {"lake"}, {"taps"}),
        ('[pipeline]\nmodels = "transforms/**"', set(), {"default"}),
        ('[pipeline.models]\ntype = "transformation"', set(), {"models"}),
        ("[pipeline.a]\n[pipelines.b]\n[adapter.x]\n[adapters.y]", {"x", "y"}, {"a", "b"}),
        ('pipeline = 3\nadapter = "duckdb"', set(), set()),
    ],
)
def test_one_spelling_comes_out(text, adapters, pipelines):
    config = normalised(tomllib.loads(text))
    assert set(config.get("adapter", {})) == adapters
    assert set(config.get("pipeline", {})) == pipelines


ADAPTER = 'type = "duckdb"\npath = "w.duckdb"\n'
PIPELINE = 'type = "replication"\n'


@pytest.mark.parametrize(
    ("text", "adapters", "pipelines"),
    [
        (f"[adapter]\n{ADAPTER}[pipeline]\n{PIPELINE}", ["default"], ["default"]),
        (f"[adapter.x]\n{ADAPTER}[pipeline.p]\n{PIPELINE}", ["x"], ["p"]),
        (f"[adapters.x]\n{ADAPTER}[pipelines.p]\n{PIPELINE}", ["x"], ["p"]),
        (f"[adapter.x]\n{ADAPTER}[adapters.y]\n{ADAPTER}", ["x", "y"], []),
        (f"\ufeff[adapter]\n{ADAPTER}[pipeline.source]\n{PIPELINE}", ["default"], ["source"]),
        (f'[adapter]\n{ADAPTER}[pipeline.source]\nadapter = "default"\n', ["default"], ["default"]),
        (f'[adapter]\n{ADAPTER}[pipeline]\nmodels = "m/**"\n', ["default"], ["default"]),
        ("adapter = 3\npipeline = 4\n", [], []),
    ],
)
def test_all_spellings_become_one(
    tmp_path: Path, text: str, adapters: list[str], pipelines: list[str]
) -> None:
    path = tmp_path / "rocky.toml"
    path.write_text(text, encoding="utf-8")
    config = normalised(read_toml(path))

    assert list(config.get("adapter", {})) == adapters
    assert list(config.get("pipeline", {})) == pipelines
    assert list(duckdb_files(config)) == ["w.duckdb"] * len(adapters)
