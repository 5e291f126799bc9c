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
    if stdout.startswith((b"{\n", b"{\r\n")):
        return stdout
    for opening in (b"\n{\n", b"\n{\r\n"):
        start = stdout.find(opening)
        if start >= 0:
            return stdout[start + 1 :]
    return stdout if stdout.lstrip().startswith(b"{") else b""


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
