"""`rocky seed`: put the seed files into the warehouse."""

from rocky_local.adapter import DuckDBAdapter
from rocky_local.args import Arguments
from rocky_local.execution.loading import load_seeds, seeded_adapter
from rocky_local.output import Answer
from rocky_local.project.config import load_config
from rocky_local.project.seeds import read_seeds


def run(args: Arguments) -> Answer:
    """Load all seeds; one that could not be loaded fails the command."""
    config = load_config(args.config)
    name = seeded_adapter(config, args.get("pipeline"))
    directory = args.get("seeds") or "seeds"
    # A filter names source components, which seeds do not have: none of them fits.
    seeds = [] if args.has("filter") else read_seeds(directory)
    with DuckDBAdapter(config.duckdb_path(name), name) as adapter:
        result = load_seeds(adapter, directory, seeds)
    if failed := result["tables_failed"]:
        return Answer(result, code=1, closing=f"Error: {failed} seed(s) failed")
    return Answer(result)
