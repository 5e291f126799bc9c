"""What is true of an engine run that is made up: its ending, and the fate of everything that it was asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dagster_rocky.vocabulary import EngineAsset, EngineKey

UnitKey = tuple[EngineKey, str | None]


class Fate(StrEnum):
    """What really became of something that the engine was asked for."""

    BUILT = "built"
    FAILED = "failed"
    CONTAINED = "contained"
    SKIPPED = "skipped by the gate"
    SWITCHED_OFF = "excluded: switched off"
    MISSING = "excluded: missing from the source"
    PRUNED = "excluded: unchanged since its last copy"
    LEFT_OUT = "excluded for a reason of tomorrow"
    NOT_REACHED = "not reached"
    SAME_REQUEST = "the same request was done before"
    IN_FLIGHT = "another run holds the request"
    CONTRADICTED = "built and failed in one JSON"
    UNKNOWN = "the engine died without a word"


REASONS = {
    Fate.SWITCHED_OFF: "table_override_disabled",
    Fate.MISSING: "missing_from_source",
    Fate.PRUNED: "unchanged_since_last_copy",
    Fate.LEFT_OUT: "warehouse_asleep",
}


class Ending(StrEnum):
    """How the run as a whole ended."""

    ORDINARY = "ordinary"
    INTERRUPTED = "interrupted"
    BUDGET = "over a budget that is an error"
    NOT_COMPILED = "the project does not compile"
    SAME_REQUEST = "skipped: done before"
    IN_FLIGHT = "skipped: in flight"
    ODD_EXIT = "an exit code that nothing explains"
    NO_JSON = "nothing on stdout"
    CUT_OFF = "half a JSON"
    NOT_JSON = "no JSON but text"


@dataclass(frozen=True, kw_only=True)
class EngineAnswer:
    """What the engine does when it is started once.

    Attributes:
        ending: How the run ended.
        document: The JSON object, or `None` where none is printed.
        stdout: What is printed.
        stderr: Log lines and, where the engine prints one, the `Error:` text.
        exit_code: The exit code; below 0 the process dies of that signal.
        fates: What is true of every unit that was asked for.
        verdicts: Every check result in the JSON that is about a built asset, in its order, by engine key and the
            engine's name of the check; a result without a verdict is `None`.
        severities: The severities that belong to `verdicts`.
        also_built: What was built though nobody asked: assets of the run's `extras`, and other partitions.
        other_errors: Texts of errors that are about nothing that was asked for.
        live: What is told while the run goes on, in that order. It is true unless the fate says otherwise.
    """

    ending: Ending
    document: dict[str, Any] | None
    stdout: str
    stderr: str
    exit_code: int
    fates: Mapping[UnitKey, Fate]
    verdicts: Mapping[tuple[EngineKey, str], tuple[bool | None, ...]] = field(default_factory=dict)
    severities: Mapping[tuple[EngineKey, str], tuple[str, ...]] = field(default_factory=dict)
    also_built: tuple[UnitKey, ...] = ()
    other_errors: tuple[str, ...] = ()
    live: tuple[EngineAsset, ...] = ()
