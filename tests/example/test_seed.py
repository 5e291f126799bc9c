"""The example's data: what it holds, and that loading it again loads only what changed."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

pytestmark = pytest.mark.xdist_group("example")


def ask(database: Path, sql: str) -> list[tuple]:
    """The rows of a query."""
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_every_table_has_its_rows(seeded: Path):
    tables = [
        "raw__all__ref.airlines", "raw__all__ref.airports", "raw__all__ref.planes",
        "raw__ewr__ops.flights", "raw__jfk__ops.flights", "raw__lga__ops.flights",
        "raw__ewr__wx.weather", "raw__jfk__wx.weather", "raw__lga__wx.weather",
    ]  # fmt: skip
    rows = [ask(seeded, f"SELECT COUNT(*) FROM {table}")[0][0] for table in tables]
    assert rows[:3] == [16, 1_458, 3_322]
    assert rows[3:6] == [120_835, 111_279, 104_662]
    assert sum(rows[6:]) == 26_115
    found = ask(seeded, "SELECT schema_name || '.' || table_name FROM duckdb_tables() ORDER BY 1")
    assert [name for (name,) in found] == sorted(tables)


def test_missing_values_are_null_and_types_are_right(seeded: Path):
    types = dict(
        ask(
            seeded,
            "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = 'raw__ewr__ops'",
        )
    )
    assert types["dep_time"] == types["year"] == "INTEGER"
    assert types["tailnum"] == "VARCHAR"
    assert types["time_hour"] == "TIMESTAMP"
    assert ask(seeded, "SELECT COUNT(*) FROM raw__ewr__ops.flights WHERE dep_time IS NULL") == [(3_239,)]
    assert ask(seeded, "SELECT COUNT(*) FROM raw__all__ref.planes WHERE year IS NULL") == [(70,)]
    assert ask(seeded, "SELECT COUNT(*) FROM raw__ewr__ops.flights WHERE tailnum = 'NA'") == [(0,)]


def test_only_what_changed_is_loaded_again(
    seed_script: ModuleType, example: Path, capsys: pytest.CaptureFixture[str]
):
    database = example / "flights.duckdb"
    assert seed_script.seed(database) == 0
    assert "already loaded" in capsys.readouterr().out
    with duckdb.connect(str(database)) as connection:
        connection.execute("DROP TABLE raw__jfk__ops.flights")
        connection.execute("COMMENT ON TABLE raw__all__ref.planes IS 'something older'")
    assert seed_script.seed(database) == 2
    shown = capsys.readouterr().out
    assert "raw__jfk__ops.flights" in shown
    assert "111,279 rows" in shown
    assert ask(database, "SELECT COUNT(*) FROM raw__jfk__ops.flights") == [(111_279,)]


def test_a_held_file_is_said_to_be_held(seed_script: ModuleType, example: Path):
    database = example / "flights.duckdb"
    hold = f"import duckdb, sys; held = duckdb.connect({str(database)!r}); print('held', flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(SystemExit, match=f"lock.*{holder.pid}(.|\n)*then seed again"):
            seed_script.seed(database)
    finally:
        holder.kill()
        holder.communicate()
