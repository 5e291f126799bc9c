"""DuckDB files that a script fills, made once a process and copied from then on."""

import shutil
import tempfile
from functools import cache
from pathlib import Path

import duckdb


def fill(database: Path, script: str) -> None:
    """Run a script on a database file; when there is none yet, copy what the script gave the first time."""
    if not database.exists():
        shutil.copyfile(Path(_filled(script).name, "database"), database)
        return
    with duckdb.connect(str(database)) as connection:
        connection.execute(script)


@cache
def _filled(script: str) -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="filled-")
    with duckdb.connect(str(Path(folder.name, "database"))) as connection:
        connection.execute(script)
    return folder
