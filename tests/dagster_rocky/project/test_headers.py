"""The columns of seeds and loaded files: what the first line names, and nothing where it cannot be told."""

import os
from pathlib import Path

import dagster as dg
import pytest

from dagster_rocky.graph.nodes import Products
from dagster_rocky.graph.ownership import Ownership
from dagster_rocky.project.headers import columns_of
from dagster_rocky.project.pipelines import load_or_snapshot
from dagster_rocky.project.seeds import read_seeds
from dagster_rocky.project.snapshot import Pipeline, ProjectSnapshot
from dagster_rocky.results import DagResult
from dagster_rocky.translator import DagsterRockyTranslator

LONG = b",".join(b"column_%d" % number for number in range(20_000))


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"code,country\nIS,Iceland\n", ["code", "country"]),
        (b"code,country", ["code", "country"]),
        (b"code\r\nIS\r\n", ["code"]),
        (b"\xef\xbb\xbfcode,country\n", ["code", "country"]),
        ("stra\u00dfe,\u540d\u524d\n".encode(), ["stra\u00dfe", "\u540d\u524d"]),
        ("code,country\n".encode("utf-16"), ["code", "country"]),
        (b'"last, first","say ""hi""",age\n"Doe, J",x,3\n', ["last, first", 'say "hi"', "age"]),
        (b"code;country;size\n1;2;3,5\n", ["code", "country", "size"]),
        (b'"a,b,c";d\n', ["a,b,c", "d"]),
        (b"code\tcountry\n", ["code", "country"]),
        (b" code , country \n", ["code", "country"]),
        (b"code,2024\n", ["code", "2024"]),
        (b"a,b\n" + b"1,2\n" * 100_000, ["a", "b"]),
        (b"a,b\n" + "\u540d".encode() * 100_000, ["a", "b"]),
        (b"", []),
        (b"\n", []),
        (b"1,2.5,-3\n", []),
        (b"code,,country\n", []),
        (b"code,Code\n", []),
        (b"stra\xdfe,land\n", []),
        (b'"never closed,country\n1,2\n', []),
        (b"co\x00de,country\n", []),
        (LONG, []),
        (LONG[:60_000] + b"\n", []),
    ],
)  # fmt: skip
def test_the_first_line_names_the_columns(content: bytes, names: list[str], tmp_path: Path):
    file = tmp_path / "rows.csv"
    file.write_bytes(content)
    found = columns_of(file)
    assert [column.name for column in found] == names
    assert {column.type for column in found} <= {None}


def test_a_file_that_cannot_be_read_has_no_columns(tmp_path: Path):
    assert columns_of(tmp_path / "gone.csv") == []
    assert columns_of(tmp_path) == []
    (tmp_path / "tabs.tsv").write_text("a,b\tc\n")
    assert [column.name for column in columns_of(tmp_path / "tabs.tsv")] == ["a,b", "c"]


def test_no_more_than_the_beginning_is_read(tmp_path: Path):
    file = tmp_path / "large.csv"
    file.write_bytes(b"a,b\n")
    os.truncate(file, 1 << 34)  # of which the disk holds nothing
    assert [column.name for column in columns_of(file)] == ["a", "b"]


def seed(name: str, target: str) -> dict[str, object]:
    catalog, schema, table = target.split(".")
    return {
        "id": f"seed:{name}",
        "kind": "seed",
        "label": name,
        "target": {"catalog": catalog, "schema": schema, "table": table},
    }


def schema_of(snapshot: ProjectSnapshot) -> dict[str, dict[str, str]]:
    specs = [
        DagsterRockyTranslator().get_asset_spec(product.props)
        for product in Products(snapshot=snapshot, ownership=Ownership()).all()
    ]
    return {
        spec.key.to_user_string(): {
            column.name: column.type
            for column in spec.metadata.get("dagster/column_schema", dg.TableSchema([])).columns
        }
        for spec in specs
    }


def test_a_seed_shows_the_columns_of_its_file(tmp_path: Path):
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "countries.csv").write_text("code,Country\nIS,Iceland\n")
    (tmp_path / "seeds" / "towns-2.csv").write_text("town\nVik\n")
    (tmp_path / "seeds" / "towns-2.toml").write_text('name = "towns"\n')
    nodes = [seed(name, f"museum.reference.{name}") for name in ("countries", "towns", "nobodys")]
    dag = DagResult.model_validate({"version": "1", "command": "dag", "nodes": nodes})
    types = {"museum.reference.countries": {"country": "STRING"}}
    seeds = read_seeds(dag, tmp_path, None, types)
    snapshot = ProjectSnapshot(seeds=seeds)
    assert schema_of(snapshot) == {
        "museum/reference/countries": {"code": "unknown", "Country": "STRING"},
        "museum/reference/towns": {"town": "unknown"},
        "museum/reference/nobodys": {},
    }
    snapshot.write(tmp_path / "state.json")
    assert ProjectSnapshot.read(tmp_path / "state.json").seeds == seeds


def test_a_load_shows_the_columns_of_its_file(tmp_path: Path):
    (tmp_path / "a.csv").write_text("id|name,first\n1|x\n")
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    body = {"target": {"catalog": "x", "schema": "y"}, "options": {"csv_delimiter": "|"}}

    def shown(body: dict[str, object]) -> dict[str, dict[str, str]]:
        pipeline = load_or_snapshot(Pipeline(name="intake", type="load"), body, tmp_path)
        return schema_of(ProjectSnapshot(pipelines=[pipeline]))

    columns = {"id": "unknown", "name,first": "unknown"}
    assert shown(body) == {"x/y/a": columns, "x/y/b": {}}
    assert shown({**body, "options": {"csv_has_header": False}}) == {"x/y/a": {}, "x/y/b": {}}
    one = {"catalog": "x", "schema": "y", "table": "all"}
    assert shown({**body, "target": one}) == {"x/y/all": columns}
