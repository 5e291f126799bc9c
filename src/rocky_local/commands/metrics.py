"""`rocky metrics`: the quality figures of a model, of which a run over DuckDB leaves none."""

from rocky_local.args import Arguments
from rocky_local.output import Answer, head


def run(args: Arguments) -> Answer:
    """Say that there are none, of any model."""
    nothing = {"snapshots": [], "count": 0, "message": "no quality metrics available"}
    return Answer({**head("metrics"), "model": args.positionals[0], **nothing})
