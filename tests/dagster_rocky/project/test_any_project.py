"""Any project that is legal, however odd, is refreshed and loaded: odd SQL, names, sidecars and contracts."""

import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_rocky.project.files import current_code_version
from dagster_rocky.project.refresh import refresh
from dagster_rocky.project.snapshot import ProjectSnapshot
from dagster_rocky.project.state import describe_staleness
from dagster_rocky.resource import RockyResource
from dagster_rocky.results import CompileResult, DagResult, DiscoverResult
from support.examples import examples

CONFIG = """
[adapters.lake]
type = "duckdb"
path = "x.duckdb"
[pipelines.taps]
[pipelines.taps.source.schema_pattern]
components = ["site"]
[pipelines.taps.target]
adapter = "lake"
catalog_template = "x"
schema_template = "lake__{site}"
[pipelines.marts]
type = "transformation"
models = "transforms/**"
"""
IDENTIFIERS = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,6}", fullmatch=True)
COLUMNS = IDENTIFIERS | st.sampled_from(["größe", "Order Id", "a.b", "SELECT", "x", "X"])
TABLES = st.sampled_from(
    [
        "lake__north.kegs",
        "LAKE__NORTH.Kegs",
        "x.lake__north.kegs",
        "marts.one",
        "Marts.ONE",
        "elsewhere.t",
        "ELSEWHERE.T",
        '"Odd Schema"."größe"',
        "range(3)",
        "generate_series(1, 2)",
        "(SELECT 1 AS x)",
        "'files/x.csv'",
        "(VALUES (1), (2))",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(IDENTIFIERS, inner, max_size=2),
    max_leaves=5,
)
SIDECARS = st.dictionaries(
    st.sampled_from(
        ["intent", "tags", "classification", "retention", "columns", "sources", "freshness", "group"]
    )
    | IDENTIFIERS.filter(lambda name: name != "name"),
    VALUES,
    max_size=5,
)
EDGES = st.tuples(
    st.sampled_from(["one", "ONE", "two", "range", "(subquery)", "lake__north.kegs", "t"]), COLUMNS, COLUMNS
)


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A query that DuckDB's grammar has: self joins, functions, common table expressions, unions."""
    columns = draw(st.lists(COLUMNS, min_size=1, max_size=3))
    tables = draw(st.lists(TABLES, min_size=1, max_size=4))
    shown = ", ".join(f'1 AS "{column}"' for column in columns)
    sources = ", ".join(f"{table} AS t{number}" for number, table in enumerate(tables))
    text = f"SELECT {shown} FROM {sources}"
    shape = draw(st.sampled_from(["plain", "cte", "union", "nested", "star", "windowed"]))
    text = {
        "plain": text,
        "cte": f"WITH c AS ({text}) SELECT * FROM c AS a JOIN c AS b ON TRUE",
        "union": f"{text} UNION ALL {text}",
        "nested": f"SELECT * FROM ({text}) AS u",
        "star": f"SELECT * EXCLUDE (a), t0.* FROM {sources}",
        "windowed": f"SELECT row_number() OVER (PARTITION BY 1 ORDER BY 2) FROM {sources}",
    }[shape]
    assert sqlglot.parse_one(text, dialect="duckdb")
    return draw(st.sampled_from(["{}", "-- from no.table\n{}", "\ufeff{}", "{};"])).format(text)


def toml_value(value: Any) -> str:
    """The value as TOML writes it; what it has no word for is a text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key} = {toml_value(one)}' for key, one in value.items())}}}"
    escaped = "".join(
        f"\\u{ord(letter):04x}"
        if ord(letter) < 32 or letter in '"\\\x7f$' or 0xD7FF < ord(letter) < 0x10000
        else letter
        for letter in str(value)
        if not 0xD800 <= ord(letter) <= 0xDFFF
    )
    return f'"{escaped}"'


def toml_text(table: Mapping[str, Any]) -> str:
    text = "\n".join(f"{key} = {toml_value(value)}" for key, value in table.items())
    tomllib.loads(text)
    return text


def answering(folder: Path, models: list[str], edges: list[tuple[str, str, str]]) -> RockyResource:
    """What an engine would say of the project, without an engine."""
    nodes = [
        {
            "id": f"transformation:{name}",
            "kind": "transformation",
            "label": name,
            "pipeline": "marts",
            "target": {"catalog": "x", "schema": "marts", "table": name},
            "strategy": {"type": "full_refresh"},
        }
        for name in models
    ]
    lineage = [
        {"source": {"model": source, "column": column}, "target": {"model": models[0], "column": made}}
        for source, column, made in edges
    ]
    sources = [
        {
            "id": f"raw__{site}",
            "components": {"site": site},
            "source_type": "duckdb",
            "tables": [{"name": "kegs"}, {"name": "pours"}],
        }
        for site in ("north", "south")
    ]
    head = {"version": "1.71.0", "command": "any"}
    listed = [
        SimpleNamespace(name=name, pipeline_type=kind, depends_on=[])
        for name, kind in (("marts", "transformation"), ("taps", "replication"))
    ]
    fake = SimpleNamespace(
        config_path=str(folder / "rocky.toml"),
        models_dir=None,
        contracts_dir=None,
        version=lambda: "1.71.0",
        validate=lambda: SimpleNamespace(valid=True),
        list_pipelines=lambda: SimpleNamespace(pipelines=listed),
        discover=lambda _: DiscoverResult.model_validate({**head, "sources": sources}),
        dag=lambda column_lineage=False: DagResult.model_validate(
            {**head, "nodes": nodes, "column_lineage": lineage}
        ),
        compile=lambda models_dir: CompileResult.model_validate(head),
    )
    return cast("RockyResource", fake)


@settings(max_examples=examples(60))
@given(
    first=queries(),
    second=queries(),
    sidecar=SIDECARS,
    contract=st.dictionaries(st.sampled_from(["columns", "rules"]), VALUES, max_size=2),
    edges=st.lists(EDGES, max_size=8),
)
def test_any_project_is_refreshed_and_loaded_from_its_state(first, second, sidecar, contract, edges):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = folder / "transforms" / "deep"
        models.mkdir(parents=True)
        (folder / "rocky.toml").write_text(f"\ufeff{CONFIG}", encoding="utf-8")
        (models / "one.sql").write_text(first, encoding="utf-8")
        (models / "two.sql").write_text(second, encoding="utf-8")
        (models / "one.toml").write_text(toml_text(sidecar), encoding="utf-8")
        (models / "two.contract.toml").write_text(toml_text(contract), encoding="utf-8")
        snapshot = refresh(answering(folder, ["one", "two"], edges))
        snapshot.write(folder / "state")
        loaded = ProjectSnapshot.read(folder / "state")
        assert loaded == snapshot
        assert describe_staleness(loaded, folder) is None
        assert {model.name for model in loaded.models} == {"one", "two"}
        for model in loaded.models:
            assert current_code_version(folder, model) == model.code_version
            sources = [
                (edge.column.lower(), edge.table.lower(), edge.source_column.lower())
                for edge in model.lineage
            ]
            for unique in (
                [table.lower() for table in model.reads],
                [column.name.lower() for column in model.columns],
                sources,
            ):
                assert len(unique) == len(set(unique))
            tables = [*model.reads, *(edge.table for edge in model.lineage)]
            assert all(2 <= len(table.split(".")) <= 3 for table in tables), tables
            assert all(dg.AssetKey(table.split(".")) for table in tables)
