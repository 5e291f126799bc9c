"""What went wrong in a run, and is it worth another try?"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from dagster_rocky.results.base import EngineObject


class FailureKind(StrEnum):
    """What the engine calls the reason of a failure (contract, section 18); it may know more than these."""

    CONNECTION_FAILED = "connection-failed"
    AUTH_FAILED = "auth-failed"
    QUERY_REJECTED = "query-rejected"
    TRANSIENT = "transient"
    QUOTA_EXCEEDED = "quota-exceeded"
    NOT_FOUND = "not-found"
    COMPILE_ERROR = "compile-error"
    UNKNOWN = "unknown"


_SAME_AGAIN = frozenset(
    {
        FailureKind.AUTH_FAILED,
        FailureKind.QUERY_REJECTED,
        FailureKind.NOT_FOUND,
        FailureKind.COMPILE_ERROR,
    }
)
"""Failures that the same request meets again."""


class Attempt(EngineObject):
    """One try of the engine at something that it tries several times.

    Neither a recording nor the contract shows one, so every field may be missing.
    """

    attempt: int | None = None
    started_at: str | None = None
    duration_ms: int | None = None
    status: str | None = None
    error: str | None = None
    failure_kind: str | None = None


def _however_laid_out(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        count = value if isinstance(value, int) else len(value) if isinstance(value, list) else 0
        return [Attempt() for _ in range(min(count, _MOST_ATTEMPTS))]


_MOST_ATTEMPTS = 1_000

Attempts = Annotated[list[Attempt], WrapValidator(_however_laid_out)]
"""The tries of one thing. Their shape is not recorded: of a number, or of a list of something else, the count is kept;
all else is read like a field that was left out."""


class RunError(EngineObject):
    """One failure; `asset_key` is empty for a replicated table (contract, section 2.3).

    Example:
        ```python
        RunError(error="401", failure_kind="auth-failed").worth_a_retry  # False
        ```
    """

    asset_key: list[str] = Field(default_factory=list)
    error: str = ""
    failure_kind: str = FailureKind.UNKNOWN.value
    cooldown_seconds: float | None = None
    attempts: Attempts = Field(default_factory=list)

    @property
    def kind(self) -> FailureKind:
        """The kind as one of the known ones, however it is spelled; others are `UNKNOWN`."""
        spelled = self.failure_kind.replace("_", "-").casefold()
        return next((kind for kind in FailureKind if kind == spelled), FailureKind.UNKNOWN)

    @property
    def worth_a_retry(self) -> bool:
        """Whether the same request may succeed later: yes for connections, quotas and what nobody knows."""
        return self.kind not in _SAME_AGAIN
