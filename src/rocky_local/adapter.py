"""The one place that knows DuckDB: connecting, statements, the catalogue of tables."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from rocky_local import tracing
from rocky_local.errors import DatabaseError, EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

_TARGET = "rocky_duckdb"


@dataclass(frozen=True)
class Column:
    """A column of a table: its name and DuckDB type."""

    name: str
    type: str


class DuckDBAdapter:
    """An open DuckDB file. Each thread works on its own cursor of the one connection.

    Args:
        path: The file, relative to the working directory; it is created when missing.
        name: The adapter's name in the configuration, for messages.

    Raises:
        EngineError: The file cannot be opened, for instance because another process holds it.
    """

    def __init__(self, path: str, name: str = "default") -> None:
        self.path = path
        try:
            self._connection = duckdb.connect(path)
        except duckdb.Error as error:
            causes = DatabaseError(_text(error))
            raise EngineError(
                f"adapters.{name}: failed to open DuckDB at '{path}'", causes.brief, *causes.causes
            ) from error
        self._local = threading.local()

    def close(self) -> None:
        """Write everything out and give the file back."""
        self._connection.close()

    def execute(self, sql: str) -> None:
        """Run one statement that returns nothing.

        Raises:
            DatabaseError: DuckDB refused it.
        """
        tracing.debug(_TARGET, "executing DuckDB statement", sql=sql)
        try:
            self._cursor().execute(sql)
        except duckdb.Error as error:
            raise DatabaseError(_text(error)) from error

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one query and return its rows.

        Raises:
            DatabaseError: DuckDB refused it.
        """
        tracing.debug(_TARGET, "executing DuckDB SQL", sql=sql)
        try:
            return self._cursor().execute(sql).fetchall()
        except duckdb.Error as error:
            raise DatabaseError(_text(error)) from error

    def interrupt(self) -> None:
        """Stop the statement that runs in this process."""
        self._connection.interrupt()

    def schemas_like(self, prefix: str) -> list[str]:
        """Return the schemas that `LIKE 'prefix%'` finds, sorted; `_` in the prefix is a wildcard."""
        rows = self.query(
            "SELECT schema_name FROM information_schema.schemata "
            f"WHERE schema_name LIKE '{prefix}%' ORDER BY schema_name"
        )
        return list(dict.fromkeys(row[0] for row in rows))

    def base_tables(self, schema: str) -> list[str]:
        """Return the tables of a schema, sorted; views are left out."""
        rows = self.query(
            f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}' "
            "AND table_type = 'BASE TABLE' ORDER BY table_name"
        )
        return [row[0] for row in rows]

    def columns(self, table: str) -> list[Column]:
        """Return the columns of a table or view, or none when it does not exist."""
        try:
            return [Column(row[0], row[1]) for row in self.query(f"DESCRIBE {table}")]
        except DatabaseError:
            return []

    def result_columns(self, sql: str) -> list[Column]:
        """Return the columns that a query would give, without running it."""
        return [Column(row[0], row[1]) for row in self.query(f"DESCRIBE {sql}")]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run what is inside as one transaction; any exception takes it back."""
        cursor = self._cursor()
        cursor.execute("BEGIN TRANSACTION")
        try:
            yield
        except BaseException:
            cursor.execute("ROLLBACK")
            raise
        cursor.execute("COMMIT")

    def _cursor(self) -> Any:
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            cursor = self._local.cursor = self._connection.cursor()
        return cursor


def max_timestamp(adapter: DuckDBAdapter, column: str, table: str) -> Any:
    """Return the greatest value of a column, or None for an empty table."""
    return adapter.query(f"SELECT MAX({column}) FROM {table}")[0][0]


def _text(error: Exception) -> str:
    return str(error)
