"""What a command answers: one JSON object with two spaces of indentation on stdout, or a text for people."""

import json
from typing import Any, NamedTuple, Self, dataclass_transform

from rocky_local import __version__, tracing


class Answer(NamedTuple):
    """What a command gives: the object for stdout, or a text for people, the exit code, a last line for stderr.

    The version and the command head the object, unless it names no command here. `failure` says why the code is not 0,
    also where the engine itself says nothing of it.
    """

    command: str
    result: dict[str, Any]
    text: str | None = None
    code: int = 0
    closing: str | None = None
    failure: str | None = None

    def unless(self, failed: object, problem: str) -> Self:
        """Return the same answer, or that of a command that failed."""
        return self._replace(code=1, closing=f"Error: {problem}", failure=problem) if failed else self

    def give(self, *, as_json: bool) -> int:
        """Print the answer and return its exit code."""
        if self.result and (as_json or self.text is None):
            head = {"version": __version__, "command": self.command} if self.command else {}
            result = shown({**head, **self.result})
            tracing.write_whole(1, json.dumps(result, indent=2, ensure_ascii=False) + "\n")
        elif self.text:
            tracing.write_whole(1, f"{self.text}\n")
        if self.closing:
            tracing.plain(self.closing)
        return self.code


@dataclass_transform()
class Entry:
    """An object in a result: each annotation is a field; one with a default is left out while it is null.

    Example:
        >>> from rocky_local.state import ModelRun
        >>> shown([ModelRun("trips", 3, "success")])
        [{'model_name': 'trips', 'duration_ms': 3, 'status': 'success'}]
    """

    def __init_subclass__(cls, *, kw_only: bool = False) -> None:
        """Let the fields of a class be given by name only, so that one with a default may come before others."""

    def __init__(self, *values: Any, **named: Any) -> None:
        vars(self).update(zip(self.__annotations__, values, strict=False), **named)

    def changed(self, **named: Any) -> Self:
        """Return the same entry with other values."""
        return type(self)(**(vars(self) | named))


def shown(value: Any) -> Any:
    """Return a result as JSON has it; named tuples, too, are objects in it."""
    if isinstance(value, Entry):
        kind = type(value)
        fields = {name: getattr(value, name) for name in kind.__annotations__}
        return {
            name: shown(one) for name, one in fields.items() if one is not None or not hasattr(kind, name)
        }
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {name: shown(one) for name, one in value.items()}
    return [shown(one) for one in value] if isinstance(value, list | tuple) else value
