"""`rocky metrics`: quality metrics of a model; on DuckDB there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rocky_local import output
from rocky_local.errors import EngineError
from rocky_local.state import locate, open_for_reading

if TYPE_CHECKING:
    from rocky_local.args import Arguments


def run(args: Arguments) -> int:
    """Print that there are no metrics."""
    if not args.positionals:
        raise EngineError("name the model: rocky metrics <MODEL>")
    store = open_for_reading(locate(args.get("state-path"), args.get("state-namespace")))
    if store:
        store.close()
    message = "no quality metrics available"
    if args.json:
        output.print_json(
            {
                **output.head("metrics"),
                "model": args.positionals[0],
                "snapshots": [],
                "count": 0,
                "message": message,
            }
        )
    else:
        output.print_text(message)
    return 0
