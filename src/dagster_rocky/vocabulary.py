"""Which words do load time and run time share? What the engine builds, its checks, and the run modes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import dagster as dg

EngineKey = tuple[str, ...]
"""The engine's own asset key, e.g. `("duckdb", "jfk", "wx", "weather")` or `("nyc", "marts", "daily")`."""

AssetKind = Literal["table", "model", "seed", "load", "quality", "snapshot"]
Granularity = Literal["hour", "day", "month", "year"]

Evaluator = Literal["run", "compile", "test", "unit_test", "compliance", "retention", "compare"]
"""What the engine evaluates a check with: the run that builds the asset, or a command of its own beside it."""


class Mode(StrEnum):
    """How a run talks to Dagster while it runs; what it ends with is the same in all of them."""

    BUFFERED = "buffered"
    STREAMING = "streaming"
    PIPES = "pipes"


def check_name(engine_name: str) -> str:
    """A Dagster check name: what is outside `[A-Za-z0-9_]` becomes `_` (contract, section 12).

    Example:
        ```python
        check_name("null_rate:email")  # 'null_rate_email'
        ```
    """
    return "".join(c if (c.isascii() and c.isalnum()) or c == "_" else "_" for c in engine_name)


@dataclass(frozen=True, kw_only=True)
class CheckDeclaration:
    """A check that the graph declares.

    Attributes:
        engine_name: The engine's name of it, e.g. `null_rate:email` or `row_count_range:-`.
        occurrence: Which of the engine's results of that name on one table it is, counted from 0 in the project's
            order: assertions without names share one (contract, section 18).
        name: The Dagster check name, unique on its asset.
        evaluated_by: What evaluates it.
        severity: Overrides what the engine reports for a failing result; `None` keeps the engine's.
        configured_severity: What the project gives it: that of a check that the engine says nothing of.
        blocking: Whether Dagster stops downstream assets on an error-severity failure.
        shared: Whether the engine gives one result for all assets of a run that declare this engine name, and
            attaches it to any one of them (`cross_source_overlap`).
    """

    engine_name: str
    name: str
    occurrence: int = 0
    evaluated_by: Evaluator = "run"
    severity: Literal["WARN", "ERROR"] | None = None
    configured_severity: Literal["WARN", "ERROR"] = "ERROR"
    blocking: bool = False
    shared: bool = False
    description: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineAsset:
    """One thing that the engine builds, with the asset that stands for it.

    Attributes:
        engine_key: The key under which the engine reports it.
        asset_key: The key in the Dagster graph, after translation.
        kind: What it is for the engine.
        name: The name that the engine's log lines and errors use: the bare table name, or the model's name.
        pipeline: The pipeline that builds it.
        target: `catalog.schema.table` of what is written, when known.
        source_id: Of a replicated table: the id of its source (`--filter id=…`).
        components: Of a replicated table: the schema pattern's values; multi-valued ones are tuples.
        granularity: Of a `time_interval` model: its grain.
        checks: Declared checks, in the project's order.
        code_version: A hash of what defines it, when known.
        partition_key: Of a replicated table whose component value is a Dagster partition: that value.
            Several engine assets then share one `asset_key`.
        path: Of a model: its file, relative to the folder of `rocky.toml`, when known.
        reads: Of a model: `catalog.schema.table` of what it depends on or names.
    """

    engine_key: EngineKey
    asset_key: dg.AssetKey
    kind: AssetKind
    name: str
    pipeline: str | None = None
    target: str | None = None
    source_id: str | None = None
    components: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    granularity: Granularity | None = None
    checks: tuple[CheckDeclaration, ...] = ()
    code_version: str | None = None
    partition_key: str | None = None
    path: str | None = None
    reads: tuple[str, ...] = ()
