"""`rocky.toml` is read in every spelling that the engine takes."""

from pathlib import Path

import pytest

from dagster_rocky.engine.config_file import duckdb_files, normalised, read_toml

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
