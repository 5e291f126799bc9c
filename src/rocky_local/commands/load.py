"""`rocky load`: load the files of a load pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rocky_local import loading, output
from rocky_local.config import load_config
from rocky_local.errors import EngineError

if TYPE_CHECKING:
    from rocky_local.args import Arguments


def run(args: Arguments) -> int:
    """Load and print what came of it; 1 when a file could not be loaded."""
    from rocky_local.adapter import DuckDBAdapter  # noqa: PLC0415

    config = load_config(args.config)
    try:
        pipeline = config.select(args.get("pipeline"))
    except EngineError as error:
        raise EngineError("failed to resolve pipeline for load", error.message) from error
    if pipeline.type != "load":
        raise EngineError(
            "failed to resolve pipeline for load",
            f"pipeline '{pipeline.name}' is type '{pipeline.type}', but this command only supports load pipelines",
        )
    adapter = DuckDBAdapter(config.duckdb_path(pipeline.adapter), pipeline.adapter)
    try:
        result = loading.load(adapter, pipeline, args.get("source-dir"))
    finally:
        adapter.close()
    if args.json:
        output.print_json(result)
    else:
        output.print_text(loading.human(result))
    return 1 if result["files_failed"] else 0
