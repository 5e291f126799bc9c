"""DuckDB files that tests fill and look into: filled once a process, and opened over one connection.

What a script gives is copied from then on. A connection of its own for a file takes ten times as much as to attach it
to one that is there already.
"""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import duckdb

_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def opened(database: Path, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection on a file, made when missing; the catalog has the name of the file, as on one of its own."""
    name = database.name.removesuffix(".duckdb").replace('"', '""')
    path = str(database).replace("'", "''")
    with _ONE_AT_A_TIME, _connection().cursor() as cursor:
        cursor.execute(f"ATTACH '{path}' AS \"{name}\" (READ_ONLY {read_only})")
        try:
            cursor.execute(f'USE "{name}"')
            yield cursor
        finally:
            cursor.execute("USE memory")
            cursor.execute(f'DETACH "{name}"')


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")


def fill(database: Path, script: str) -> None:
    """Run a script on a database file; when there is none yet, copy what the script gave the first time."""
    if not database.exists():
        shutil.copyfile(Path(_filled(database.name, script).name, database.name), database)
        return
    with opened(database) as connection:
        connection.execute(script)


@cache
def _filled(name: str, script: str) -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="filled-")
    with opened(Path(folder.name, name)) as connection:
        connection.execute(script)
    return folder
