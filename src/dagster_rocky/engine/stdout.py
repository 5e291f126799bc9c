"""The engine's last word: exit code and stdout to a typed result or the right failure (contract, sections 1.1, 1.2)."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from dagster_rocky.engine import errors
from dagster_rocky.engine.spool import Spool
from dagster_rocky.results.base import json_start

Result = TypeVar("Result", bound=BaseModel)

_SHOWN_BYTES = 200
_SEARCH_BYTES = 1 << 20
"""The text that some commands print before their JSON is shorter than this."""


def parse_outcome(spool: Spool, end: errors.ProcessEnd, model: type[Result]) -> Result:
    """What stdout says, whatever the exit code, when it is a whole JSON object.

    The object starts at the first line that is exactly `{`: some commands print text before it.

    Raises:
        RockyFailure: When there is no JSON: a hard failure for another exit code than 0, `no_json` for 0.
    """
    size = spool.stdout_size()
    start = json_start(spool.read_stdout(0, min(size, _SEARCH_BYTES)))
    if start is not None:
        try:
            return model.model_validate_json(spool.read_stdout(start))
        except ValidationError as error:
            why = _reason(error)
    elif size == 0:
        why = "it is empty"
    else:
        why = "there is no line that is exactly `{`, with which the JSON starts"
    if end.exit_code != 0:
        raise errors.hard_failure(end)
    first = spool.read_stdout(0, min(size, _SHOWN_BYTES))
    last = spool.read_stdout(max(0, size - _SHOWN_BYTES), _SHOWN_BYTES)
    raise errors.no_json(end, size, first, last, why)


def _reason(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    if problem["type"] == "json_invalid":
        return f"it is cut off or garbled ({problem['msg']})"
    place = ".".join(str(part) for part in problem["loc"])
    return f"its field {place!r} has an unexpected form ({problem['msg']})"
