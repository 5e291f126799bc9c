"""What the engine tells while it runs and at its end, in one vocabulary for all modes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Source = Literal["hook", "pipes", "result"]
"""Who told: a hook of the project, a Pipes message, or the JSON on stdout."""


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

    source: Source
    name: str
    partition: str | None = None
    duration_ms: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
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

    source: Source
    name: str
    check: str
    passed: bool
    severity: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Drifted:
    """A source table changed its shape and the engine acted on it; `table` is the dotted target."""

    source: Source
    table: str
    action: str
    reason: str


EngineEvent = Built | Checked | Drifted
