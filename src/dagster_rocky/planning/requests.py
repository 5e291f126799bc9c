"""What does every engine run of a step have in common? The one place that makes a step's requests."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from dagster_rocky.engine import idempotency
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.request import RunRequest

PER_RUN = 50
"""How many partitions of a model one engine run builds at most, unless the component says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Requests:
    """Makes finished requests.

    Attributes:
        options: What every run is given.
        key_parts: What the placeholders of an idempotency key stand for.
        attempt: Which retry of the step it is; 0 for none.
        parallel: The engine's `--parallel`.
        lookback: Earlier partitions to rebuild too; `"model"` leaves it to each model, `None` means none.
        per_run: How many partitions of a model one engine run builds at most.

    Example:
        ```python
        Requests(parallel=4).make(pipeline="landing", filter="airport=jfk").to_args()
        # ['run', '--pipeline', 'landing', '--filter', 'airport=jfk', '--parallel', '4']
        ```
    """

    options: RunOptions = field(default_factory=RunOptions)
    key_parts: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 0
    parallel: int | None = None
    lookback: int | Literal["model"] | None = None
    per_run: int = PER_RUN

    def __post_init__(self) -> None:
        """Refuses what would never end.

        Raises:
            ValueError: When `per_run` is less than 1.
        """
        if self.per_run < 1:
            raise ValueError(f"per_run is {self.per_run}: an engine run builds at least one partition")

    def make(self, **asked: Any) -> RunRequest:
        """A request, finished.

        Args:
            asked: Fields of `RunRequest` that say what to build.

        Returns:
            The request with options and parallelism; with an idempotency key of its own when there is to be one, whose
            end is a hash of what is asked, so that a skip proves that this very request was done. A retry of the step
            has other keys: it knows from the event log what is done, and the engine run that it repeats may have been
            ended with its key claimed (contract, section 5.8).
        """
        request = RunRequest(parallel=self.parallel, options=self.options, **asked)
        if not self.options.idempotency_key:
            return request
        base = idempotency.filled(self.options.idempotency_key, self.key_parts)
        parts: tuple[object, ...] = (request.to_args(), *([self.attempt] if self.attempt else []))
        if request.models:
            parts = (*parts, sorted(model.name for model in request.models))
        digest = hashlib.sha256("".join(map(repr, parts)).encode()).hexdigest()[:12]
        return replace(request, idempotency_key=f"{base}-{digest}")
