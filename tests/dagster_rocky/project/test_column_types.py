"""Whose word counts for the type of a column: the contract's, the engine's, a cast's; `unknown` is nobody's."""

import json
import sys
from pathlib import Path

import pytest

from dagster_rocky import RockyResource
from dagster_rocky.project.refresh import refresh
from dagster_rocky.translator import DagsterRockyTranslator, RockyAssetProps
from support.seeding import opened

CONFIG = """
[adapter]
type = "${KIND:-duckdb}"
path = "tank.duckdb"

[pipeline.shape]
type = "transformation"
models = "models/**"
"""
MODEL = "SELECT CAST(n AS BIGINT) AS promised, n AS known, CAST(n AS SMALLINT) AS cast_only, n AS nobody FROM raw.t"
SIDECAR = '[target]\ncatalog = "tank"\nschema = "marts"\ntable = "levels"\n'
CONTRACT = '[[columns]]\nname = "promised"\ntype = "Int64"\nnullable = true\n'


@pytest.fixture
def engine(tmp_path: Path) -> RockyResource:
    """An engine over another warehouse than DuckDB, which knows two types."""
    (tmp_path / "rocky.toml").write_text(CONFIG)
    models = tmp_path / "models"
    models.mkdir()
    (models / "levels.sql").write_text(MODEL)
    (models / "levels.toml").write_text(SIDECAR)
    (models / "levels.contract.toml").write_text(CONTRACT)
    with opened(tmp_path / "tank.duckdb") as connection:
        connection.execute("CREATE SCHEMA raw; CREATE TABLE raw.t AS SELECT 1 AS n")
    columns = [{"name": name, "data_type": "FLOAT64"} for name in ("promised", "known")] + [
        {"name": "nobody"}
    ]
    catalog = {
        "version": "1",
        "command": "catalog",
        "assets": [{"fqn": "tank.marts.levels", "columns": columns}],
    }
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    binary = tmp_path / "engine"
    rocky_local = Path(sys.executable).parent / "rocky-local"
    binary.write_text(
        f'#!/bin/sh\ncase " $* " in *" catalog "*) exec cat {tmp_path}/catalog.json;; esac\n'
        f'exec env -u KIND {rocky_local} "$@"\n'
    )
    binary.chmod(0o755)
    return RockyResource(binary_path=str(binary), config_path=str(tmp_path / "rocky.toml"))


@pytest.mark.parametrize(
    ("warehouse", "catalog", "types"),
    [
        ("databricks", True, ["Int64", "FLOAT64", "SMALLINT", "unknown"]),
        ("databricks", False, ["Int64", "unknown", "SMALLINT", "unknown"]),
        ("duckdb", True, ["Int64", "unknown", "SMALLINT", "unknown"]),
    ],
)
def test_the_type_of_a_column(
    engine: RockyResource,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    warehouse: str,
    catalog: bool,
    types: list[str],
):
    monkeypatch.setenv("KIND", warehouse)
    if not catalog:
        (tmp_path / "catalog.json").write_text("the catalog is torn")
    (model,) = refresh(engine).models
    props = RockyAssetProps(kind="model", name="levels", pipeline="shape", engine_key=("a",), model=model)
    schema = DagsterRockyTranslator().get_metadata(props)["dagster/column_schema"]
    assert [(column.name, column.type) for column in schema.columns] == list(
        zip(["promised", "known", "cast_only", "nobody"], types, strict=True)
    )
