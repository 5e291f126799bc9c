"""Load pipelines: files of a folder become tables, one each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rocky_local import clock, output, tracing
from rocky_local.errors import DatabaseError, Unsupported

if TYPE_CHECKING:
    from rocky_local.adapter import DuckDBAdapter
    from rocky_local.config import Pipeline

_TARGET = "rocky_cli::commands::load"
_READERS = {
    ".csv": "read_csv_auto",
    ".tsv": "read_csv_auto",
    ".parquet": "read_parquet",
    ".json": "read_json_auto",
    ".jsonl": "read_json_auto",
    ".ndjson": "read_json_auto",
}


@dataclass(frozen=True)
class LoadFile:
    """One file and the table it goes to."""

    path: Path
    shown: str
    target: str

    @property
    def query(self) -> str:
        """The query that reads the file."""
        return f"SELECT * FROM {_READERS[self.path.suffix.lower()]}({literal(str(self.path))})"


def literal(text: str) -> str:
    """Return a text as an SQL string.

    Example:
        >>> literal("it's")
        "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def load(adapter: DuckDBAdapter, pipeline: Pipeline, source_dir: str | None = None) -> dict[str, Any]:
    """Load every file of a load pipeline; a file that cannot be loaded does not stop the others.

    Returns:
        The result object of the `load` command.

    Raises:
        Unsupported: The pipeline asks for a format that only the real engine reads.
    """
    started = clock.now_ns()
    shown_dir = source_dir or str(pipeline.raw.get("source_dir", "."))
    options = pipeline.raw.get("options", {})
    wanted = options.get("format", "auto")
    if wanted not in ("auto", "csv", "json", "parquet"):
        raise Unsupported(f"the load format '{wanted}'")
    files = [_load_file(adapter, file, options) for file in find_files(shown_dir, pipeline)]
    loaded = [entry for entry in files if "error" not in entry]
    return {
        **output.head("load"),
        "source_dir": shown_dir,
        "format": wanted,
        "files_loaded": len(loaded),
        "files_failed": len(files) - len(loaded),
        "total_rows": sum(entry["rows_loaded"] for entry in loaded),
        "total_bytes": sum(entry["bytes_read"] for entry in loaded),
        "files": files,
        "duration_ms": (clock.now_ns() - started) // 1_000_000,
    }


def find_files(directory: str, pipeline: Pipeline) -> list[LoadFile]:
    """Return the loadable files of a folder with their tables, by name."""
    target = pipeline.raw.get("target", {})
    place = ".".join(str(target[part]) for part in ("catalog", "schema") if part in target)
    found = []
    for path in sorted(Path(directory).glob("*")):
        if path.is_file() and path.suffix.lower() in _READERS:
            table = target.get("table", path.stem)
            found.append(LoadFile(path, str(path), f"{place}.{table}" if place else table))
    return found


def human(result: dict[str, Any]) -> str:
    """Return the summary for people."""
    lines = [
        "Load complete:",
        f"  Files: {result['files_loaded']} loaded, {result['files_failed']} failed",
        f"  Rows:  {result['total_rows']}",
        f"  Bytes: {result['total_bytes']}",
    ]
    for entry in result["files"]:
        outcome = entry.get("error", f"{entry['rows_loaded']} rows")
        lines.append(f"  {entry['file']} -> {entry['target']}: {outcome}")
    return "\n".join(lines)


def _load_file(adapter: DuckDBAdapter, file: LoadFile, options: dict[str, Any]) -> dict[str, Any]:
    started = clock.now_ns()
    tracing.info(
        _TARGET, "loading file", file=tracing.Display(file.shown), target=tracing.Display(file.target)
    )
    entry: dict[str, Any] = {"file": file.shown, "target": file.target, "rows_loaded": 0, "bytes_read": 0}
    try:
        rows = _copy_in(adapter, file, options)
    except DatabaseError as error:
        entry["duration_ms"] = (clock.now_ns() - started) // 1_000_000
        entry["error"] = error.brief
        shown = tracing.Display(file.shown)
        tracing.warn(_TARGET, "file load failed", file=shown, error=tracing.Display(error.brief))
        return entry
    entry |= {"rows_loaded": rows, "bytes_read": file.path.stat().st_size}
    entry["duration_ms"] = (clock.now_ns() - started) // 1_000_000
    tracing.info(
        _TARGET,
        "file loaded",
        file=tracing.Display(file.shown),
        rows=rows,
        bytes=entry["bytes_read"],
        duration_ms=entry["duration_ms"],
    )
    return entry


def _copy_in(adapter: DuckDBAdapter, file: LoadFile, options: dict[str, Any]) -> int:
    with adapter.transaction():
        if not adapter.columns(file.target):
            if options.get("create_table", True):
                adapter.execute(f"CREATE TABLE {file.target} AS {file.query} LIMIT 0")
        elif options.get("truncate_first", False):
            adapter.execute(f"DELETE FROM {file.target}")
        found = adapter.query(f"INSERT INTO {file.target} {file.query}")
    return int(found[0][0])
