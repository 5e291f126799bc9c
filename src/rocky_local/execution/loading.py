"""Files that become tables: those of load pipelines, which the run history does not mention, and seeds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rocky_local import clock
from rocky_local.adapter import READERS, DuckDBAdapter
from rocky_local.errors import DatabaseError, EngineError, Unsupported
from rocky_local.execution.context import RunContext
from rocky_local.execution.work import Work
from rocky_local.output import Answer, head
from rocky_local.project.config import Config
from rocky_local.project.pipeline import Pipeline
from rocky_local.project.seeds import Seed
from rocky_local.tracing import Display, Log

_LOG = Log("rocky_cli::commands::load")
_SEED_LOG = Log("rocky_cli::commands::seed")


class LoadWork(Work):
    """Load the files of a pipeline; the result is the one of the `load` command."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._result: dict[str, Any] = {}

    def run(self, context: RunContext) -> None:
        """Do the work."""
        name = self.pipeline.adapter
        context.adapter = DuckDBAdapter(context.config.duckdb_path(name), name)
        self._result = load(context.adapter, self.pipeline)
        context.result.forced_status = "Failure" if failed(self._result) else None

    def answer(self, context: RunContext) -> Answer:
        """Return how the run ended."""
        return Answer(self._result, human(self._result), context.result.exit_code)


def load(
    adapter: DuckDBAdapter, pipeline: Pipeline, source_dir: str | None = None, form: str | None = None
) -> dict[str, Any]:
    """Load every file of a load pipeline; a file that cannot be loaded does not stop the others.

    Returns:
        The result object of the `load` command.

    Raises:
        Unsupported: The pipeline asks for a format that only the real engine reads.
    """
    started = clock.now_ns()
    directory = source_dir or str(pipeline.written.get("source_dir", "."))
    target, options = pipeline.written.get("target", {}), pipeline.written.get("options", {})
    wanted = form or options.get("format", "auto")
    if wanted not in ("auto", "csv", "json", "parquet"):
        raise Unsupported(f"the load format '{wanted}'")
    place = [str(target[part]) for part in ("catalog", "schema") if part in target]
    files = [
        _load_file(adapter, path, ".".join([*place, target.get("table", path.stem)]), options)
        for path in sorted(Path(directory).glob("*"))
        if path.is_file() and path.suffix.lower() in READERS
    ]
    lost = sum("error" in entry for entry in files)
    return {
        **head("load"),
        "source_dir": directory,
        "format": wanted,
        "files_loaded": len(files) - lost,
        "files_failed": lost,
        "total_rows": sum(entry["rows_loaded"] for entry in files),
        "total_bytes": sum(entry["bytes_read"] for entry in files),
        "files": files,
        "duration_ms": clock.since_ms(started),
    }


def failed(result: dict[str, Any]) -> bool:
    """Return whether a load has failed: there were files, and not one of them could be loaded."""
    return bool(result["files_failed"] and not result["files_loaded"])


def human(result: dict[str, Any]) -> str:
    """Return the summary for people."""
    counts = f"{result['files_loaded']} loaded, {result['files_failed']} failed"
    lines = ["", f"Load complete: {counts} ({result['duration_ms']} ms)"]
    lines.append(f"  Total: {result['total_rows']} rows, {result['total_bytes']} bytes")
    for entry in result["files"]:
        outcome = f"{entry['rows_loaded']} rows, {entry['bytes_read']} bytes, {entry['duration_ms']} ms"
        mark, outcome = ("FAIL", entry["error"]) if "error" in entry else ("OK", outcome)
        lines.append(f"  [{mark}] {entry['file']} -> {entry['target']} ({outcome})")
    return "\n".join(lines)


def seeded_adapter(config: Config, pipeline: str | None) -> str:
    """Return the adapter that seeds go to: that of the named pipeline, or of the only one.

    Raises:
        EngineError: Which pipeline it is cannot be told.
    """
    try:
        return config.select(pipeline).adapter
    except EngineError as error:
        raise EngineError("failed to resolve pipeline for seed", error.message) from error


def load_seeds(adapter: DuckDBAdapter, directory: str, seeds: list[Seed]) -> dict[str, Any]:
    """Load seeds one after the other; one that fails does not stop the others.

    Returns:
        The result object of the `seed` command.
    """
    started = clock.now_ns()
    tables = [_load_seed(adapter, seed) for seed in seeds]
    failed = sum("error" in entry for entry in tables)
    return {
        **head("seed"),
        "seeds_dir": directory,
        "tables_loaded": len(tables) - failed,
        "tables_failed": failed,
        "tables": tables,
        "duration_ms": clock.since_ms(started),
    }


def _load_file(adapter: DuckDBAdapter, path: Path, target: str, options: dict[str, Any]) -> dict[str, Any]:
    file = Display(path)

    def work() -> dict[str, Any]:
        rows = _copy_in(adapter, adapter.file_query(path), target, options)
        return {"rows_loaded": rows, "bytes_read": path.stat().st_size}

    _LOG.info("loading file", file=file, target=Display(target))
    entry = _timed({"file": str(path), "target": target, "rows_loaded": 0, "bytes_read": 0}, work)
    if "error" in entry:
        _LOG.warn("file load failed", file=file, error=Display(entry["error"]))
        return entry
    rows, size, spent = entry["rows_loaded"], entry["bytes_read"], entry["duration_ms"]
    _LOG.info("file loaded", file=file, rows=rows, bytes=size, duration_ms=spent)
    return entry


def _load_seed(adapter: DuckDBAdapter, seed: Seed) -> dict[str, Any]:
    name = Display(seed.name)

    def work() -> dict[str, Any]:
        adapter.execute(f"CREATE SCHEMA IF NOT EXISTS {seed.catalog}.{seed.schema}")
        adapter.execute(f"CREATE OR REPLACE TABLE {seed.target} AS {adapter.file_query(seed.path)}")
        return {"rows": adapter.count(seed.target), "columns": len(adapter.columns(seed.target))}

    _SEED_LOG.info("loading seed", seed=name, file=Display(seed.path), target=Display(seed.target))
    entry = _timed({"name": seed.name, "target": seed.target, "rows": 0, "columns": 0}, work)
    if "error" in entry:
        entry["error"] = f"DDL execution failed for {seed.name}: {entry['error']}"
        _SEED_LOG.error("seed failed", seed=name, error=Display(entry["error"]))
        return entry
    _SEED_LOG.info("seed loaded", seed=name, rows=entry["rows"], duration_ms=entry["duration_ms"])
    return entry


def _timed(entry: dict[str, Any], work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return an entry with what some work gives or why it failed, and how long that took."""
    started, problem = clock.now_ns(), {}
    try:
        entry |= work()
    except DatabaseError as error:
        problem = {"error": error.brief}
    return {**entry, "duration_ms": clock.since_ms(started), **problem}


def _copy_in(adapter: DuckDBAdapter, query: str, target: str, options: dict[str, Any]) -> int:
    with adapter.transaction():
        if not adapter.columns(target):
            if options.get("create_table", True):
                adapter.execute(f"CREATE TABLE {target} AS {query} LIMIT 0")
        elif options.get("truncate_first", False):
            adapter.execute(f"DELETE FROM {target}")
        return int(adapter.query(f"INSERT INTO {target} {query}")[0][0])
