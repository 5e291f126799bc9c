"""`rocky run`: one pipeline, one model, or the whole graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rocky_local import output, tracing
from rocky_local.options import RunOptions
from rocky_local.runner import Finished
from rocky_local.runner import run as run_once

if TYPE_CHECKING:
    from rocky_local.args import Arguments


def run(args: Arguments) -> int:
    """Run and print the result."""
    options = RunOptions.from_args(args)
    if args.has("dag"):
        from rocky_local.commands import run_dag  # noqa: PLC0415

        return run_dag.run(args)
    return report(run_once(options), as_json=args.json)


def report(finished: Finished, *, as_json: bool) -> int:
    """Print how a run ended and return its exit code."""
    if as_json:
        output.print_json(finished.result)
    elif finished.text:
        output.print_text(finished.text)
    if finished.closing:
        tracing.plain(finished.closing)
    return finished.exit_code
