"""The one place that knows DuckDB: connecting, statements, the catalogue of tables."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from rocky_local import tracing
from rocky_local.errors import DatabaseError, EngineError

try:
    # The package around it takes longer to import than most commands take altogether.
    import _duckdb as duckdb
except ModuleNotFoundError:
    import duckdb  # type: ignore[no-redef]

READERS = {
    **dict.fromkeys((".csv", ".tsv"), "read_csv_auto"),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), "read_json_auto"),
    ".parquet": "read_parquet",
}
_LOG = tracing.Log("rocky_duckdb", in_spans=False)


class Column(NamedTuple):
    """A column of a table: its name and DuckDB type."""

    name: str
    type: str


class DuckDBAdapter(AbstractContextManager["DuckDBAdapter"]):
    """An open DuckDB file, made when missing. Each thread works on its own cursor of the one connection."""

    def __init__(self, path: str, name: str = "default") -> None:
        try:
            self._connection = duckdb.connect(path)
        except duckdb.Error as error:
            cause = DatabaseError(str(error))
            failed = f"adapters.{name}: failed to open DuckDB at '{path}'"
            raise EngineError(failed, cause.message, *cause.causes) from error
        self._local = threading.local()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write everything out and give the file back."""
        with suppress(duckdb.Error):  # A disk that is full: what was committed is in the journal.
            self._connection.close()

    def execute(self, sql: str) -> None:
        """Run one statement that returns nothing."""
        _LOG.debug("executing DuckDB statement", sql=sql)
        with _refusals():
            self._cursor().execute(sql)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one query and return its rows."""
        _LOG.debug("executing DuckDB SQL", sql=sql)
        with _refusals():
            self._cursor().execute(sql)  # It returns None for a text without a statement.
            rows: list[tuple[Any, ...]] = self._cursor().fetchall()
        return rows

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self.query(f"SELECT COUNT(*) FROM {table}")[0][0])

    def base_tables(self, prefix: str) -> dict[str, list[str]]:
        """Return the schemas that `LIKE 'prefix%'` finds (contract, 2.1) with their tables, all sorted, no views."""
        rows = self.query(
            "SELECT schema_name, LIST(DISTINCT table_name ORDER BY table_name) FILTER (table_name IS NOT NULL) "
            "FROM information_schema.schemata LEFT JOIN information_schema.tables "
            "ON table_schema = schema_name AND table_type = 'BASE TABLE' "
            f"WHERE schema_name LIKE {literal(prefix + '%')} GROUP BY schema_name ORDER BY schema_name"
        )
        return {schema: tables or [] for schema, tables in rows}

    def columns(self, table: str) -> list[Column]:
        """Return the columns of a table or view, or none when it does not exist."""
        try:
            return [Column(row[0], row[1]) for row in self.query(f"DESCRIBE {table}")]
        except DatabaseError:
            return []

    @staticmethod
    def file_query(path: Path, delimiter: str | None = None, has_header: bool | None = None) -> str:
        """Return the query that reads a file, whose ending is one of `READERS`; DuckDB guesses what is None.

        Example:
            >>> DuckDBAdapter.file_query(Path("in/who's.csv"))
            "SELECT * FROM read_csv_auto('in/who''s.csv')"
        """
        from glob import escape  # noqa: PLC0415

        reader, chosen = READERS[path.suffix.lower()], [literal(escape(str(path)))]
        if reader == "read_csv_auto":
            chosen += [] if delimiter is None else [f"delim = {literal(delimiter)}"]
            chosen += [] if has_header is None else [f"header = {str(has_header).lower()}"]
        return f"SELECT * FROM {reader}({', '.join(chosen)})"

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
        with _refusals():
            cursor.execute("COMMIT")

    def _cursor(self) -> Any:
        if not hasattr(self._local, "cursor"):
            self._local.cursor = self._connection.cursor()
        return self._local.cursor


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise DatabaseError(str(error)) from error


def literal(value: Any) -> str:
    """Return a value as SQL.

    Example:
        >>> literal("it's"), literal(3), literal(None)
        ("'it''s'", '3', 'NULL')
    """
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, bool | int | float) else "'" + str(value).replace("'", "''") + "'"
