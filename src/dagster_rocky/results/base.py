"""What all engine outputs have in common: tolerance, and where in stdout the JSON is.

Every model keeps fields that it does not know (`extra="allow"`) and takes values that it does not know as
plain text, so that a newer engine is never a parse error.
"""

from typing import Self

from pydantic import BaseModel, ConfigDict


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


class EngineObject(BaseModel):
    """Part of an engine output; fields that are not declared here are kept in `model_extra`."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())


class EngineOutput(EngineObject):
    """A whole engine output: what every command but `doctor` has in common."""

    version: str = ""
    command: str = ""

    @classmethod
    def from_stdout(cls, stdout: bytes) -> Self:
        """Reads the object out of an engine's stdout, whatever human text comes before it.

        Args:
            stdout: Everything that the engine printed.

        Returns:
            The parsed output.

        Raises:
            pydantic.ValidationError: When there is no JSON object, or it is cut off or of another shape.
        """
        return cls.model_validate_json(json_document(stdout))
