"""What the engine says when it stops: one first line, then the causes below it."""


class EngineError(Exception):
    """A failure that ends the command with exit code 1 and no JSON. Any function may raise one.

    It has a first line, causes below it, outermost first, and for people a place, as `file:line:column`.

    Example:
        >>> print(EngineError("failed to load config", "No rocky.toml found").report())
        Error: failed to load config
        <BLANKLINE>
        Caused by:
            No rocky.toml found
    """

    def __init__(self, message: str, *causes: str, place: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.causes = causes
        self.place = place

    def chain(self) -> str:
        """Return the message and all causes on one line, as run results print them."""
        return ": ".join((self.message, *self.causes))

    def report(self) -> str:
        """Return the text for stderr: `Error: …` and an indented `Caused by:` section."""
        lines = [f"Error: {self.message}"]
        if self.causes:
            lines += ["", "Caused by:"]
        several = len(self.causes) > 1
        for position, cause in enumerate(self.causes):
            first, indent = (f"    {position}: ", " " * 7) if several else ("    ", "    ")
            lines.append(first + cause.replace("\n", f"\n{indent}"))
        return "\n".join(lines)


def os_reason(error: OSError) -> str:
    """Return what the system says, in the engine's words."""
    return f"{error.strerror} (os error {error.errno})"


class ConfigError(EngineError):
    """`rocky.toml` cannot be used, for a reason that others quote; `syntax` says where its TOML goes wrong."""

    def __init__(self, path: str, reason: str, *causes: str, syntax: tuple[int, int] | None = None) -> None:
        super().__init__(f"failed to load config from {path}", reason, *causes)
        self.path = path
        self.reason = reason
        self.syntax = syntax


class CompileError(EngineError):
    """The models cannot be read as one project; nothing can be built."""


class NotAQuery(Exception):
    """A text in SQL or the pipeline language that does not `parse` or `lower`, at a 1-based line, 0 for no place."""

    def __init__(self, message: str, phase: str = "parse", line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.phase = phase
        self.line = line
        self.column = column


class DatabaseError(EngineError):
    """DuckDB refused a statement; log lines carry the message without its causes."""

    def __init__(self, text: str) -> None:
        super().__init__(f"DuckDB error: {text}", text, "Error code 1: Unknown error code")


class NoQuery(EngineError):
    """An assertion that lacks what its query needs."""

    def __init__(self, text: str) -> None:
        super().__init__(f"SQL generation error: {text}")


class BootstrapError(EngineError):
    """The table of a model could not be made before its first build."""


class Unsupported(EngineError):
    """Something the embedded engine leaves to the real one."""

    def __init__(self, what: str) -> None:
        super().__init__(f"rocky-local does not support {what}; use the real `rocky` engine for it")


class UsageError(EngineError):
    """The command line makes no sense; exit code 2 with details and the usage, where they help, below the message."""

    def report(self) -> str:
        """Return the text for stderr."""
        return "\n".join([f"error: {self.message}", *self.causes, "", "For more information, try '--help'."])
