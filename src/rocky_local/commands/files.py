"""`rocky load` and `rocky seed`: put files into the warehouse."""

from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.execution import loading
from rocky_local.output import Answer
from rocky_local.project.config import load_config
from rocky_local.project.sidecar import read_seeds
from rocky_local.state import open_for_writing


def answer_load(args: Arguments) -> Answer:
    """Load the files of a load pipeline; one that cannot be loaded fails the command."""
    config = load_config(args.config)
    pipeline = loading.resolve(config, args.get("pipeline"), "load")
    if pipeline.type != "load":
        kind = f"pipeline '{pipeline.name}' is type '{pipeline.type}'"
        problem = f"{kind}, but this command only supports load pipelines"
        raise EngineError("failed to resolve pipeline for load", problem)
    with config.open(pipeline.adapter) as adapter, open_for_writing(args.state_file):
        return loading.load(adapter, pipeline, args.get("source-dir"), args.get("format"))


def answer_seed(args: Arguments) -> Answer:
    """Load all seeds; one that could not be loaded fails the command."""
    config = load_config(args.config)
    pipeline = loading.resolve(config, args.get("pipeline"), "seed")
    directory = args.get("seeds") or "seeds"
    # A filter names source components, which seeds do not have: none of them fits.
    seeds = [] if args.has("filter") else read_seeds(directory)
    with config.open(pipeline.adapter) as adapter:
        return loading.load_seeds(adapter, directory, seeds)
