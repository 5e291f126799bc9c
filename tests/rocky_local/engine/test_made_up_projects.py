"""Projects made at random, run twice with changed rows between: the warehouse is what plain SQL gives."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from support.examples import examples
from support.seeding import opened

from .conftest import REPLICATION, TRANSFORMATION, Project

TOWNS = ("ulm", "Bonn", "_x1", "T", "San_Luis", "no9", "aa_bb")
TABLES = ("people", "Sales2", "_log", "q")
TEXTS = ("", "it's", 'a "b"', "ä€𝄞", "a\nb", "{town}", "@var(x)", "NULL", None)
DAYS = range(1, 6)
WINDOW = ("--from", "2026-01-01", "--to", "2026-01-09")
COLUMNS = "(id INTEGER, seen_at TIMESTAMP, kind VARCHAR, amount INTEGER)"
# A model in the language, and what it means; `{0}` is the table that it reads.
LANGUAGE = (
    (
        "from {0}\nwhere amount > 2 and kind is not null",
        "SELECT * FROM {0} WHERE amount > 2 AND kind IS NOT NULL",
    ),
    (
        "from {0}\nderive {{ twice: amount * 2 }}\nselect {{ id, twice }}",
        "SELECT id, amount * 2 AS twice FROM {0}",
    ),
    (
        "from {0}\ngroup kind {{ n: count(), most: max(amount) }}",
        "SELECT kind, COUNT(*) AS n, MAX(amount) AS most FROM {0} GROUP BY kind",
    ),
    (
        'from {0}\nderive {{ size: match amount {{ > 5 => "big", is null => "none", _ => "it\'s small" }} }}'
        "\nselect {{ id, size }}",
        "SELECT id, CASE WHEN amount > 5 THEN 'big' WHEN amount IS NULL THEN 'none' ELSE 'it''s small' END AS size "
        "FROM {0}",
    ),
)
QUERIES = (
    "SELECT * FROM {0}",
    "WITH w AS (SELECT id, kind || '-' AS mark FROM {0}) SELECT mark, COUNT(*) AS n FROM w GROUP BY mark",
    "SELECT id, ROW_NUMBER() OVER (ORDER BY id, seen_at, kind, amount) AS place FROM {0}",
    "SELECT id AS \"odd name\", amount / 2 AS half FROM {0} WHERE seen_at >= TIMESTAMP '2026-01-02'",
)
DAILY = "SELECT seen_at, kind, amount FROM {0} WHERE seen_at >= {1} AND seen_at < {2}"
PARTITIONED = """[strategy]
type = 'time_interval'
time_column = 'seen_at'
granularity = 'day'
first_partition = '2026-01-01'
"""
Row = tuple[int, int, str | None, int | None]


@dataclass(frozen=True)
class MadeUpModel:
    """A model by its number: `sql` gives what its table holds afterwards, whatever its text is written in."""

    kind: str
    text: str
    sql: str
    above: str | None


@dataclass(frozen=True)
class MadeUp:
    """A project: its tables by schema and name with their first and their second rows, and its models."""

    strategy: str
    tables: dict[tuple[str, str], tuple[list[Row], list[Row]]]
    models: list[MadeUpModel]


def rows(first_day: int, ids: st.SearchStrategy[int]) -> st.SearchStrategy[list[Row]]:
    amounts = st.one_of(st.none(), st.integers(0, 9))
    row = st.tuples(
        ids, st.sampled_from(DAYS).map(lambda day: day + first_day), st.sampled_from(TEXTS), amounts
    )
    return st.lists(row, max_size=6, unique_by=lambda each: each[0])


@st.composite
def models(draw: st.DrawFn, readable: list[str], number: int) -> MadeUpModel:
    kind = draw(st.sampled_from(["full_refresh", "view", "incremental", "time_interval", "language"]))
    earlier = [f"built.m{each}" for each in range(number)]
    table = draw(st.sampled_from(readable))
    above = None
    if kind == "language":
        text, sql = draw(st.sampled_from(LANGUAGE))
        return MadeUpModel(kind, text.format(table), sql.format(table), None)
    if kind == "time_interval":
        text = DAILY.format(table, "@start_date", "@end_date")
        return MadeUpModel(kind, text, DAILY.format(table, "'2026-01-01'", "'2026-01-10'"), None)
    if earlier and draw(st.booleans()):
        above = draw(st.sampled_from(earlier))
        sql = f"SELECT COUNT(*) AS n FROM {above}"
    else:
        sql = draw(st.sampled_from(QUERIES)).format(table)
    return MadeUpModel(kind, sql, sql, above)


@st.composite
def projects(draw: st.DrawFn) -> MadeUp:
    strategy = draw(st.sampled_from(["full_refresh", "incremental", "merge"]))
    towns = draw(st.lists(st.sampled_from(TOWNS), min_size=1, max_size=2, unique=True))
    names = draw(st.lists(st.sampled_from(TABLES), min_size=1, max_size=2, unique=True))
    tables = {
        (town, name): (draw(rows(0, st.integers(0, 9))), draw(rows(4, st.integers(5, 14))))
        for town in towns
        for name in names
    }
    readable = [f"kept__{town}.{name}" for town, name in tables]
    made = [draw(models(readable, number)) for number in range(draw(st.integers(1, 4)))]
    return MadeUp(strategy, tables, made)


def write(project: Project, made: MadeUp) -> None:
    landing = REPLICATION.replace(
        'strategy = "incremental"', f'strategy = "{made.strategy}"\nmerge_keys = ["id"]'
    )
    landing = landing.replace('timestamp_column = "seen_at"', 'timestamp_column = "seen_at"\n' + _metadata())
    project.write("rocky.toml", landing + TRANSFORMATION.split("[adapter]")[1].partition("\n\n")[2])
    project.write("models/_defaults.toml", '[target]\ncatalog = "lake"\nschema = "built"\n')
    for number, model in enumerate(made.models):
        name = f"m{number}"
        project.write(f"models/{name}.{'rocky' if model.kind == 'language' else 'sql'}", model.text)
        needs = f"depends_on = ['{model.above.removeprefix('built.')}']\n" if model.above else ""
        strategy = f"[strategy]\ntype = '{model.kind}'\n" if model.kind != "language" else ""
        strategy = PARTITIONED if model.kind == "time_interval" else strategy
        tests = "[[tests]]\ntype = 'row_count_range'\nmin = 1\n"
        project.write(f"models/{name}.toml", needs + tests + strategy)


def _metadata() -> str:
    return 'metadata_columns = [{ name = "_from", type = "VARCHAR", value = "\'{town}\'" }]'


class Expected:
    """The same in plain SQL, in a database of its own."""

    def __init__(self, made: MadeUp) -> None:
        self.made = made
        self.database = duckdb.connect()
        self.database.execute("CREATE SCHEMA built")
        for town in {town for town, _ in made.tables}:
            self.database.execute(f"CREATE SCHEMA raw__{town}; CREATE SCHEMA kept__{town}")

    def copy(self, town: str, name: str, *, first: bool) -> None:
        source, target = f"raw__{town}.{name}", f"kept__{town}.{name}"
        query = f"SELECT *, '{town}' AS _from FROM {source}"
        if first or self.made.strategy == "full_refresh":
            self.database.execute(f"CREATE OR REPLACE TABLE {target} AS {query}")
            return
        newer = f"COALESCE(seen_at > (SELECT MAX(seen_at) FROM {target}), TRUE)"
        if self.made.strategy == "merge":
            newer = "TRUE"
            self.database.execute(f"DELETE FROM {target} WHERE id IN (SELECT id FROM {source})")
        self.database.execute(f"INSERT INTO {target} {query} WHERE {newer}")

    def build(self, number: int, *, first: bool) -> None:
        model, target = self.made.models[number], f"built.m{number}"
        query = f"({model.sql})"
        if model.kind == "incremental" and not first:
            self.database.execute(f"INSERT INTO {target} {query}")
        else:
            self.database.execute(f"CREATE OR REPLACE TABLE {target} AS {query}")

    def failing_tests(self) -> int:
        counts = [self.contents(f"built.m{number}") for number in range(len(self.made.models))]
        return sum(not each for each in counts)

    def contents(self, table: str) -> list[str]:
        return contents(self.database, table)


def contents(database: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    found = database.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in found.description or []]
    return sorted(repr(dict(zip(names, row, strict=True))) for row in found.fetchall())


def change(database: duckdb.DuckDBPyConnection, made: MadeUp, *, first: bool) -> None:
    for (town, name), (before, after) in made.tables.items():
        table = f"raw__{town}.{name}"
        if first:
            database.execute(f"CREATE SCHEMA IF NOT EXISTS raw__{town}; CREATE TABLE {table} {COLUMNS}")
        for row in before if first else after:
            database.execute(f"DELETE FROM {table} WHERE id = ?", [row[0]])
            moment = f"2026-01-0{row[1]} 0{row[0] % 10}:00:00"
            database.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", [row[0], moment, *row[2:]])


@pytest.mark.timeout(300)
@settings(
    max_examples=examples(8),
    derandomize=True,
    phases=(Phase.generate,),
)
@given(made=projects())
def test_the_warehouse_holds_what_plain_sql_gives(made: MadeUp) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project, expected = Project(Path(folder)), Expected(made)
        write(project, made)
        for first in (True, False):
            with opened(project.root / "lake.duckdb") as lake:
                change(lake, made, first=first)
            change(expected.database, made, first=first)
            for pipeline in (("landing",), ("marts", *WINDOW)):
                answer = project("run", "--pipeline", *pipeline)
                assert answer.code == 0, answer.stderr
                assert answer.result["status"] == "Success"
            for town, name in made.tables:
                expected.copy(town, name, first=first)
            for number in range(len(made.models)):
                expected.build(number, first=first)
            with opened(project.root / "lake.duckdb") as lake:
                for town, name in made.tables:
                    assert contents(lake, f"kept__{town}.{name}") == expected.contents(f"kept__{town}.{name}")
                for number, model in enumerate(made.models):
                    table = f"built.m{number}"
                    assert contents(lake, table) == expected.contents(table), model
        declared = project("test", "--declarative", "--pipeline", "marts").result["declarative"]
        assert (declared["total"], declared["failed"]) == (len(made.models), expected.failing_tests())
