"""`rocky run`: one pipeline, one model, or the whole graph."""

from rocky_local.args import Arguments
from rocky_local.execution import runner
from rocky_local.execution.options import RunOptions
from rocky_local.output import Answer


def run(args: Arguments) -> Answer:
    """Run what the flags say."""
    options = RunOptions.from_args(args)
    if args.has("dag"):
        from rocky_local.execution.dag_run import run_dag  # noqa: PLC0415

        return run_dag(options)
    return runner.run(options)
