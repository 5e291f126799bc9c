"""What does Dagster say of the outputs that a step leaves out on purpose?"""

import logging

import dagster as dg

_SAYS = "did not yield or return expected outputs {"


def silence_omitted_outputs(context: dg.OpExecutionContext) -> None:
    """Keeps Dagster's line about outputs that were not told out of a step's log.

    Private because its words are Dagster's own: after a step it names, in one line, the output of every check whose
    evaluation was told without one. That is every check of a large step; what was not evaluated is told otherwise.

    Args:
        context: The step's, whose logger ends with it.
    """
    context.log.addFilter(_is_something_else)


def _is_something_else(record: logging.LogRecord) -> bool:
    return record.levelno != logging.INFO or _SAYS not in str(record.msg)
