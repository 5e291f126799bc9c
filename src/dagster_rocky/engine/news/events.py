"""What can the engine tell, while it runs and at its end: one vocabulary for all modes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Teller = Literal["hook", "pipes", "result"]
"""Who told: a hook of the project, a Pipes message, or the JSON on stdout."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A table, a model or a partition was reported as finished; `Built` tells the same when it has been completed.

    Attributes:
        name: How the source names it, as in `Built.name`.
        partition: The engine's partition key.
        duration_ms: How long it took, in milliseconds.
        run_id: The engine's run id, when known by then.
    """

    source: Teller
    name: str
    partition: str | None = None
    duration_ms: int | None = None
    run_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Built:
    """The engine finished a table, a model, or one partition of a model.

    Attributes:
        name: How the source names it: an engine key joined with `/`, a dotted target, or a bare name.
        partition: The engine's partition key.
        duration_ms: How long it took, in milliseconds.
        metadata: What else the source knows, under the engine's names (`strategy`, `watermark`, …).
        run_id: The engine's run id, when known by then.
    """

    source: Teller
    name: str
    partition: str | None = None
    duration_ms: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    run_id: str | None = None

    @property
    def progress(self) -> Progress:
        """The same news in short."""
        return Progress(
            source=self.source,
            name=self.name,
            partition=self.partition,
            duration_ms=self.duration_ms,
            run_id=self.run_id,
        )


@dataclass(frozen=True, kw_only=True)
class Failed:
    """An attempt at a table failed; the engine may try again, so that only its result knows the outcome.

    Attributes:
        name: How the source names it, as in `Built.name`.
        error: The engine's words.
        run_id: The engine's run id, when known by then.
    """

    source: Teller
    name: str
    error: str
    run_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A check was evaluated.

    Attributes:
        name: The asset's name, as in `Built.name`.
        check: The engine's name of the check, e.g. `null_rate:email`.
        severity: `error` or `warning`, as configured in the project.
        detail: The remaining fields of the result.
    """

    source: Teller
    name: str
    check: str
    passed: bool
    severity: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Drifted:
    """A source table changed its shape and the engine acted on it; `table` is the dotted target.

    A hook knows neither action nor reason: both are empty then.
    """

    source: Teller
    table: str
    action: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Deviated:
    """A table's row count is far from its history; `table` is the dotted target, `facts` the engine's numbers."""

    source: Teller
    table: str
    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Quarantined:
    """A quality pipeline set rows of a table apart, or failed to.

    Attributes:
        name: The asset's name, as in `Built.name`.
        ok: Whether it could.
        error: Why it could not.
        facts: Tables and row counts, under the engine's names.
    """

    source: Teller
    name: str
    ok: bool
    error: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Breached:
    """The run as a whole exceeded a budget of the project: `max_usd`, `max_duration_ms` or `max_bytes_scanned`."""

    source: Teller
    limit_type: str
    limit: float | None = None
    actual: float | None = None

    def __str__(self) -> str:
        """For people."""
        return f"{self.limit_type}: {self.actual} is over {self.limit}"


@dataclass(frozen=True, kw_only=True)
class Noticed:
    """Something about the run as a whole that belongs in its log, at a level of the standard library."""

    source: Teller
    level: int
    text: str


EngineEvent = Progress | Built | Failed | Checked | Drifted | Deviated | Quarantined | Breached | Noticed
