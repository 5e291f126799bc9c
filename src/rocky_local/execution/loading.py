"""Files that become tables: those of load pipelines, which the run history does not mention, and seeds."""

from pathlib import Path

from rocky_local import clock
from rocky_local.adapter import READERS, DuckDBAdapter
from rocky_local.errors import DatabaseError, EngineError, Unsupported
from rocky_local.output import Answer, Entry
from rocky_local.project.config import Config
from rocky_local.project.pipeline import Pipeline
from rocky_local.project.sidecar import Seed
from rocky_local.tracing import Log

_LOG = Log("rocky_cli::commands::load")
_SEED_LOG = Log("rocky_cli::commands::seed")
_FORMATS = ("auto", "csv", "json", "parquet")


class LoadedFile(Entry):
    """A file that became rows of a table, or why it did not."""

    file: str
    target: str
    rows_loaded: int = 0
    bytes_read: int = 0
    duration_ms: int = 0
    error: str | None = None


class LoadedSeed(Entry):
    """A seed that became a table, or why it did not."""

    name: str
    target: str
    rows: int = 0
    columns: int = 0
    duration_ms: int = 0
    error: str | None = None


def resolve(config: Config, pipeline: str | None, purpose: str, kind: str | None = None) -> Pipeline:
    """Return the named pipeline, or the only one, for a `load` or a `seed`."""
    try:
        return config.select(pipeline, kind)
    except EngineError as error:
        raise EngineError(f"failed to resolve pipeline for {purpose}", error.message) from error


def load(
    adapter: DuckDBAdapter, pipeline: Pipeline, source_dir: str | None = None, form: str | None = None
) -> Answer:
    """Load every file of a load pipeline, whether others fail or not; one that cannot be loaded fails the command."""
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
    lost = sum(file.error is not None for file in files)
    rows, size = sum(file.rows_loaded for file in files), sum(file.bytes_read for file in files)
    spent = clock.since_ms(started)
    result = {
        "source_dir": directory,
        "format": wanted,
        "files_loaded": len(files) - lost,
        "files_failed": lost,
        "total_rows": rows,
        "total_bytes": size,
        "files": files,
        "duration_ms": spent,
    }
    lines = ["", f"Load complete: {len(files) - lost} loaded, {lost} failed ({spent} ms)"]
    lines.append(f"  Total: {rows} rows, {size} bytes")
    for file in files:
        outcome = file.error or f"{file.rows_loaded} rows, {file.bytes_read} bytes, {file.duration_ms} ms"
        lines.append(f"  [{'FAIL' if file.error else 'OK'}] {file.file} -> {file.target} ({outcome})")
    return Answer("load", result, "\n".join(lines), int(lost > 0), failure=f"{lost} file(s) failed to load")


def _load_file(adapter: DuckDBAdapter, pipeline: Pipeline, path: Path, target: str) -> LoadedFile:
    file, started, options = LoadedFile(str(path), target), clock.now_ns(), pipeline.options
    query = adapter.file_query(path, options.csv_delimiter, options.csv_has_header)
    _LOG.info("loading file", file=file.file, target=target)
    try:
        with adapter.transaction():
            if not adapter.columns(target):
                if pipeline.options.create_table:
                    adapter.execute(f"CREATE TABLE {target} AS {query} LIMIT 0")
            elif pipeline.options.truncate_first:
                adapter.execute(f"DELETE FROM {target}")
            rows = adapter.query(f"INSERT INTO {target} {query}")[0][0]
        file.rows_loaded, file.bytes_read = int(rows), path.stat().st_size
    except DatabaseError as error:
        file.error = error.message
        _LOG.warn("file load failed", file=file.file, error=file.error)
    file.duration_ms = clock.since_ms(started)
    if file.error is None:
        told = {"rows": file.rows_loaded, "bytes": file.bytes_read, "duration_ms": file.duration_ms}
        _LOG.info("file loaded", file=file.file, **told)
    return file


def load_seeds(adapter: DuckDBAdapter, directory: str, seeds: list[Seed]) -> Answer:
    """Load seeds one after the other, whether others fail or not; one that could not be loaded fails the command."""
    started = clock.now_ns()
    tables = [_load_seed(adapter, seed) for seed in seeds]
    lost = sum(table.error is not None for table in tables)
    counts = {"tables_loaded": len(tables) - lost, "tables_failed": lost}
    told = {"seeds_dir": directory, **counts, "tables": tables, "duration_ms": clock.since_ms(started)}
    return Answer("seed", told).unless(lost, f"{lost} seed(s) failed")


def _load_seed(adapter: DuckDBAdapter, seed: Seed) -> LoadedSeed:
    name, target = seed.name, seed.place.name
    table, started = LoadedSeed(name, target), clock.now_ns()
    _SEED_LOG.info("loading seed", seed=name, file=str(seed.path), target=target)
    try:
        adapter.execute(f"CREATE SCHEMA IF NOT EXISTS {seed.place.catalog}.{seed.place.schema}")
        adapter.execute(f"CREATE OR REPLACE TABLE {target} AS {adapter.file_query(seed.path)}")
        table.rows, table.columns = adapter.count(target), len(adapter.columns(target))
    except DatabaseError as error:
        table.error = f"DDL execution failed for {name}: {error.message}"
        _SEED_LOG.error("seed failed", seed=name, error=table.error)
    table.duration_ms = clock.since_ms(started)
    if table.error is None:
        _SEED_LOG.info("seed loaded", seed=name, rows=table.rows, duration_ms=table.duration_ms)
    return table
