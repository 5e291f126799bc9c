"""`rocky seed`: put the seed files into the warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rocky_local import clock, output, tracing
from rocky_local.config import load_config
from rocky_local.errors import DatabaseError, EngineError
from rocky_local.loading import literal
from rocky_local.seeds import Seed, read_seeds

if TYPE_CHECKING:
    from rocky_local.adapter import DuckDBAdapter
    from rocky_local.args import Arguments

_TARGET = "rocky_cli::commands::seed"


def run(args: Arguments) -> int:
    """Load all seeds and print what came of it; 1 when one of them could not be loaded."""
    from rocky_local.adapter import DuckDBAdapter  # noqa: PLC0415

    config = load_config(args.config)
    try:
        pipeline = config.select(args.get("pipeline"))
    except EngineError as error:
        raise EngineError("failed to resolve pipeline for seed", error.message) from error
    directory = args.get("seeds") or "seeds"
    # A filter names source components, which seeds do not have: none of them fits.
    seeds = [] if args.has("filter") else read_seeds(directory)
    adapter = DuckDBAdapter(config.duckdb_path(pipeline.adapter), pipeline.adapter)
    try:
        result = load_seeds(adapter, directory, seeds)
    finally:
        adapter.close()
    if args.json:
        output.print_json(result)
    else:
        rows = [f"{entry['name']} -> {entry['target']}: {entry['rows']} rows" for entry in result["tables"]]
        output.print_text("\n".join([*rows, f"{result['tables_loaded']} seed(s) loaded"]))
    if result["tables_failed"]:
        raise EngineError(f"{result['tables_failed']} seed(s) failed to load")
    return 0


def load_seeds(adapter: DuckDBAdapter, directory: str, seeds: list[Seed]) -> dict[str, Any]:
    """Load seeds one after the other; one that fails does not stop the others.

    Returns:
        The result object of the `seed` command.
    """
    started = clock.now_ns()
    tables = [_load_seed(adapter, seed) for seed in seeds]
    failed = sum("error" in entry for entry in tables)
    return {
        **output.head("seed"),
        "seeds_dir": directory,
        "tables_loaded": len(tables) - failed,
        "tables_failed": failed,
        "tables": tables,
        "duration_ms": (clock.now_ns() - started) // 1_000_000,
    }


def _load_seed(adapter: DuckDBAdapter, seed: Seed) -> dict[str, Any]:
    started = clock.now_ns()
    tracing.info(
        _TARGET,
        "loading seed",
        seed=tracing.Display(seed.name),
        file=tracing.Display(seed.path),
        target=tracing.Display(seed.target),
    )
    entry: dict[str, Any] = {"name": seed.name, "target": seed.target, "rows": 0, "columns": 0}
    try:
        adapter.execute(f"CREATE SCHEMA IF NOT EXISTS {seed.catalog}.{seed.schema}")
        query = f"SELECT * FROM read_csv_auto({literal(str(seed.path))})"
        adapter.execute(f"CREATE OR REPLACE TABLE {seed.target} AS {query}")
        entry["rows"] = adapter.query(f"SELECT COUNT(*) FROM {seed.target}")[0][0]
        entry["columns"] = len(adapter.columns(seed.target))
    except DatabaseError as error:
        entry["duration_ms"] = (clock.now_ns() - started) // 1_000_000
        shown = tracing.Display(error.brief)
        tracing.warn(_TARGET, "seed failed", seed=tracing.Display(seed.name), error=shown)
        return {**entry, "error": error.brief}
    entry["duration_ms"] = (clock.now_ns() - started) // 1_000_000
    tracing.info(
        _TARGET,
        "seed loaded",
        seed=tracing.Display(seed.name),
        rows=entry["rows"],
        duration_ms=entry["duration_ms"],
    )
    return entry
