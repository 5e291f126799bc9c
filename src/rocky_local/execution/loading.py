"""Files that become tables: those of load pipelines, which the run history does not mention, and seeds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rocky_local import clock
from rocky_local.adapter import READERS, DuckDBAdapter
from rocky_local.errors import DatabaseError, EngineError, Unsupported
from rocky_local.execution.context import RunContext, Work
from rocky_local.output import Answer, head
from rocky_local.project.config import Config
from rocky_local.project.pipeline import Pipeline
from rocky_local.project.sidecar import Seed
from rocky_local.tracing import Log

Entry = dict[str, Any]
_LOG = Log("rocky_cli::commands::load")
_SEED_LOG = Log("rocky_cli::commands::seed")
_FORMATS = ("auto", "csv", "json", "parquet")


class LoadWork(Work):
    """Load the files of a pipeline; the result is the one of the `load` command."""

    def run(self, context: RunContext) -> None:
        """Do the work."""
        context.adapter = context.config.open(self.pipeline.adapter)
        self._result = load(context.adapter, self.pipeline)
        lost = self._result["files_failed"] and not self._result["files_loaded"]
        context.result.forced_status = "Failure" if lost else None

    def answer(self, context: RunContext) -> Answer:
        """Return how the run ended."""
        lost = f"{self._result['files_failed']} file(s) failed to load"
        return Answer(self._result, human(self._result), context.result.exit_code, failure=lost)


def resolve(config: Config, pipeline: str | None, purpose: str) -> Pipeline:
    """Return the named pipeline, or the only one, for a `load` or a `seed`."""
    try:
        return config.select(pipeline)
    except EngineError as error:
        raise EngineError(f"failed to resolve pipeline for {purpose}", error.message) from error


def load(
    adapter: DuckDBAdapter, pipeline: Pipeline, source_dir: str | None = None, form: str | None = None
) -> Entry:
    """Load every file of a load pipeline, whether others fail or not, and return the result object of `load`."""
    started = clock.now_ns()
    directory = source_dir or pipeline.source_dir
    target, wanted = pipeline.target, form or pipeline.options.format
    if wanted not in _FORMATS:
        raise Unsupported(f"the load format '{wanted}'")
    place = [part for part in (target.catalog, target.schema) if part]
    files = [
        _load_file(adapter, pipeline, path, ".".join([*place, target.table or path.stem]))
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


def human(result: Entry) -> str:
    """Return the summary of a load for people."""
    counts = f"{result['files_loaded']} loaded, {result['files_failed']} failed"
    lines = ["", f"Load complete: {counts} ({result['duration_ms']} ms)"]
    lines.append(f"  Total: {result['total_rows']} rows, {result['total_bytes']} bytes")
    for entry in result["files"]:
        outcome = f"{entry['rows_loaded']} rows, {entry['bytes_read']} bytes, {entry['duration_ms']} ms"
        mark, outcome = ("FAIL", entry["error"]) if "error" in entry else ("OK", outcome)
        lines.append(f"  [{mark}] {entry['file']} -> {entry['target']} ({outcome})")
    return "\n".join(lines)


def load_seeds(adapter: DuckDBAdapter, directory: str, seeds: list[Seed]) -> Entry:
    """Load seeds one after the other, whether others fail or not, and return the result object of `seed`."""
    started = clock.now_ns()
    tables = [_load_seed(adapter, seed) for seed in seeds]
    lost = sum("error" in entry for entry in tables)
    counts = {"tables_loaded": len(tables) - lost, "tables_failed": lost}
    spent = clock.since_ms(started)
    return {**head("seed"), "seeds_dir": directory, **counts, "tables": tables, "duration_ms": spent}


def _load_file(adapter: DuckDBAdapter, pipeline: Pipeline, path: Path, target: str) -> Entry:
    file, query = str(path), adapter.file_query(path)

    def work() -> Entry:
        with adapter.transaction():
            if not adapter.columns(target):
                if pipeline.options.create_table:
                    adapter.execute(f"CREATE TABLE {target} AS {query} LIMIT 0")
            elif pipeline.options.truncate_first:
                adapter.execute(f"DELETE FROM {target}")
            rows = adapter.query(f"INSERT INTO {target} {query}")[0][0]
        return {"rows_loaded": int(rows), "bytes_read": path.stat().st_size}

    _LOG.info("loading file", file=file, target=target)
    entry = _timed({"file": file, "target": target, "rows_loaded": 0, "bytes_read": 0}, work)
    if "error" in entry:
        _LOG.warn("file load failed", file=file, error=entry["error"])
    else:
        told = {"rows": entry["rows_loaded"], "bytes": entry["bytes_read"]}
        _LOG.info("file loaded", file=file, **told, duration_ms=entry["duration_ms"])
    return entry


def _load_seed(adapter: DuckDBAdapter, seed: Seed) -> Entry:
    name = seed.name

    def work() -> Entry:
        adapter.execute(f"CREATE SCHEMA IF NOT EXISTS {seed.place.catalog}.{seed.place.schema}")
        adapter.execute(f"CREATE OR REPLACE TABLE {seed.place.name} AS {adapter.file_query(seed.path)}")
        return {"rows": adapter.count(seed.place.name), "columns": len(adapter.columns(seed.place.name))}

    _SEED_LOG.info("loading seed", seed=name, file=str(seed.path), target=seed.place.name)
    entry = _timed({"name": seed.name, "target": seed.place.name, "rows": 0, "columns": 0}, work)
    if "error" in entry:
        entry["error"] = f"DDL execution failed for {seed.name}: {entry['error']}"
        _SEED_LOG.error("seed failed", seed=name, error=entry["error"])
    else:
        _SEED_LOG.info("seed loaded", seed=name, rows=entry["rows"], duration_ms=entry["duration_ms"])
    return entry


def _timed(entry: Entry, work: Callable[[], Entry]) -> Entry:
    """Return an entry with what some work gives or why it failed, and how long that took."""
    started, problem = clock.now_ns(), {}
    try:
        entry |= work()
    except DatabaseError as error:
        problem = {"error": error.brief}
    return {**entry, "duration_ms": clock.since_ms(started), **problem}
