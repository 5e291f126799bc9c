"""What do all engine outputs have in common? Their tolerance, and where in stdout the JSON is.

Every model keeps fields that it does not know (`extra="allow"`), takes values that it does not know as plain
text, and reads a null like a field that was left out: a newer engine, or another warehouse, is never a parse error.
"""

from copy import deepcopy
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic.functional_validators import ModelWrapValidatorHandler


def json_document(stdout: bytes) -> bytes:
    r"""The JSON object in an engine's stdout: from the first line that is exactly `{`.

    Args:
        stdout: Everything that the engine printed.

    Returns:
        The bytes from that line on, or empty bytes when there is no such line.

    Example:
        ```python
        json_document(b'Load complete\n{\n  "command": "load"\n}\n')
        # b'{\n  "command": "load"\n}\n'
        ```
    """
    start = json_start(stdout)
    return b"" if start is None else stdout[start:]


def json_start(stdout: bytes | bytearray) -> int | None:
    r"""Where the JSON object begins: at the first line that is exactly `{` (contract, section 1.1).

    Args:
        stdout: What the engine printed, or its beginning.

    Returns:
        An offset in bytes, or `None` when there is no such line and the output is not all JSON either.

    Example:
        ```python
        json_start(b'Load complete\n{\n')  # 14
        ```
    """
    if stdout.startswith((b"{\n", b"{\r\n")):
        return 0
    for opening in (b"\n{\n", b"\n{\r\n"):
        before = stdout.find(opening)
        if before >= 0:
            return before + 1
    stripped = stdout.lstrip()
    return len(stdout) - len(stripped) if stripped.startswith(b"{") else None


def _none_where_odd(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return None


Bytes = Annotated[int | None, WrapValidator(_none_where_odd)]
"""A number of bytes that a warehouse billed. DuckDB bills none, so no recording shows one: what is no whole number is
read like a field that was left out."""


class EngineObject(BaseModel):
    """Part of an engine output; fields that are not declared here are kept in `model_extra`."""

    # A model is built when it first reads something: most processes read few of the commands' outputs, or none.
    model_config = ConfigDict(
        extra="allow", protected_namespaces=(), coerce_numbers_to_str=True, defer_build=True
    )


class EngineOutput(EngineObject):
    """A whole engine output: what every command but `doctor` has in common."""

    version: str = ""
    command: str = ""

    @model_validator(mode="wrap")
    @classmethod
    def _reads_null_as_left_out(cls, document: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(document)
        except ValidationError as error:
            nulls = [found["loc"] for found in error.errors(include_url=False) if found["input"] is None]
            if not nulls or not isinstance(document, dict):
                raise
        document = deepcopy(document)
        for place in sorted(set(nulls), key=_last_first, reverse=True):
            _leave_out_null(document, place)
        return handler(document)

    @classmethod
    def from_stdout(cls, stdout: bytes) -> Self:
        r"""Reads the object out of an engine's stdout, whatever human text comes before it.

        Bytes that are not UTF-8 are replaced.

        Args:
            stdout: Everything that the engine printed.

        Returns:
            The parsed output.

        Raises:
            pydantic.ValidationError: When there is no JSON object, or it is cut off or of another shape.

        Example:
            ```python
            EngineOutput.from_stdout(b'Load complete\n{\n  "command": "load"\n}\n').command  # 'load'
            ```
        """
        return cls.model_validate_json(json_document(stdout).decode("utf-8", "replace"))


def _last_first(place: tuple[int | str, ...]) -> tuple[tuple[int, str], ...]:
    """Sorts places so that in one list the later one goes first and the indices of the others stay."""
    return tuple((part, "") if isinstance(part, int) else (-1, part) for part in place)


def _leave_out_null(document: dict[str, Any], place: tuple[int | str, ...]) -> None:
    """Takes the null at a place out of its list or dict; what follows it in the place names types of a union."""
    holder: Any = document
    for part in place:
        known = (
            part in holder if isinstance(holder, dict) else isinstance(holder, list) and isinstance(part, int)
        )
        if not known:
            continue
        if holder[part] is None:
            del holder[part]
            return
        holder = holder[part]
