"""`rocky load`: load the files of a load pipeline."""

from rocky_local.adapter import DuckDBAdapter
from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.execution import loading
from rocky_local.output import Answer
from rocky_local.project.config import load_config
from rocky_local.state import open_for_writing


def run(args: Arguments) -> Answer:
    """Load all files; one that cannot be loaded fails the command."""
    config, failed = load_config(args.config), "failed to resolve pipeline for load"
    try:
        pipeline = config.select(args.get("pipeline"))
    except EngineError as error:
        raise EngineError(failed, error.message) from error
    if pipeline.type != "load":
        kind = f"pipeline '{pipeline.name}' is type '{pipeline.type}'"
        raise EngineError(failed, f"{kind}, but this command only supports load pipelines")
    database = DuckDBAdapter(config.duckdb_path(pipeline.adapter), pipeline.adapter)
    with database as adapter, open_for_writing(args.state_file):
        result = loading.load(adapter, pipeline, args.get("source-dir"), args.get("format"))
    return Answer(result, loading.human(result), int(bool(result["files_failed"])))
