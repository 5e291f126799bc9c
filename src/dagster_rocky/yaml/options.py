"""The YAML of a `RockyComponent`, below its top level: one strict model per concern, each field described."""

from collections.abc import Sequence
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import dagster as dg
from pydantic import Field, ValidationInfo, field_validator, model_validator

from dagster_rocky.engine.strategies import Mode
from dagster_rocky.partitions import parse_start
from dagster_rocky.yaml.schema import DescribedModel


class RunOptions(DescribedModel):
    """What every engine run of the component is given, and how it is watched.

    Example:
        ```yaml
        run:
          timeout_seconds: 1800
          vars: {region: north}
          log_level: engine
        ```
    """

    env: str | None = Field(
        default=None, description="The engine's `--env`: which environment's masks apply.", examples=["prod"]
    )
    vars: dict[str, str] = Field(
        default_factory=dict,
        description="Values for `@var(name)` in models.",
        examples=[{"region": "north"}],
    )
    governance_override: dict[str, Any] | None = Field(
        default=None,
        description="Sent as JSON with `--governance-override`.",
        examples=[{"workspace_ids": [123]}],
    )
    shadow_suffix: str | None = Field(
        default=None,
        description="Write to shadow tables with this suffix instead of the real ones.",
        examples=["_rocky_shadow"],
    )
    idempotency_key: str | None = Field(
        default=None,
        description=(
            "The engine runs a key once and skips repeats. `{run_id}` stands for the Dagster run's id; each "
            "engine run of a step gets a key of its own, made from this one."
        ),
        examples=["dagster-{run_id}"],
    )
    timeout_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Deadline of one engine run in seconds; the resource's default is one hour.",
        examples=[1800],
    )
    termination_grace_seconds: float | None = Field(
        default=None,
        ge=0,
        description="Seconds between asking the engine to stop and killing it.",
        examples=[30],
    )
    fail_fast: bool = Field(
        default=False,
        description="After a failed engine run, leave out the remaining runs of the step.",
        examples=[True],
    )
    log_level: Literal["info", "engine"] = Field(
        default="info",
        description="`info`: every engine line at INFO. `engine`: WARN and ERROR keep their own level.",
        examples=["engine"],
    )
    min_log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Engine lines below this level stay out of the event log.",
        examples=["warning"],
    )
    mask_env: Sequence[str] = Field(
        default=(),
        description="Environment variables whose values are masked in logs, failures and shown commands.",
        examples=[["WAREHOUSE_DSN"]],
    )


class RetryOptions(DescribedModel):
    """Dagster's retry policy for the component's steps; a retry asks the engine only for what is missing.

    Example:
        ```yaml
        retry: {max_retries: 2, delay_seconds: 30, backoff: exponential}
        ```
    """

    max_retries: int = Field(
        default=1, ge=0, description="How many times a failed step is retried.", examples=[2]
    )
    delay_seconds: float | None = Field(
        default=None, ge=0, description="Seconds before a retry.", examples=[30]
    )
    backoff: Literal["linear", "exponential"] | None = Field(
        default=None, description="How the delay grows from retry to retry.", examples=["exponential"]
    )
    jitter: Literal["full", "plus_minus"] | None = Field(
        default=None, description="How the delay is spread at random.", examples=["full"]
    )

    @model_validator(mode="after")
    def _delay_is_there(self) -> Self:
        """A backoff or a jitter shapes a delay, so there must be one."""
        if self.delay_seconds is None and (self.backoff or self.jitter):
            raise ValueError("retry.backoff and retry.jitter shape retry.delay_seconds: set that too")
        return self

    def to_policy(self) -> dg.RetryPolicy:
        """The policy as Dagster takes it."""
        return dg.RetryPolicy(
            max_retries=self.max_retries,
            delay=self.delay_seconds,
            backoff=dg.Backoff[self.backoff.upper()] if self.backoff else None,
            jitter=dg.Jitter[self.jitter.upper()] if self.jitter else None,
        )


class ModelsOptions(DescribedModel):
    """Which models the component owns, and where they are.

    A pattern is a glob over model names; `tag:KEY` and `tag:KEY=VALUE` choose by tag.

    Example:
        ```yaml
        models:
          select: ["fct_*", "tag:tier=gold"]
          exclude: ["fct_hourly_oven"]
        ```
    """

    select: Sequence[str] = Field(
        default=("*",),
        description="Patterns of models to own; several are a union.",
        examples=[["fct_*", "dim_shop"]],
    )
    exclude: Sequence[str] = Field(
        default=(), description="Patterns of models to leave out.", examples=[["tag:tier=bronze"]]
    )
    directory: str | None = Field(
        default=None,
        description="The models' folder, relative to rocky.toml; the engine's default is `models`.",
        examples=["models"],
    )
    contracts_dir: str | None = Field(
        default=None,
        description=(
            "A folder of contracts, relative to rocky.toml, that are not next to their models. The engine's "
            "`run` does not look there: the component compiles with it and reports the contracts as checks."
        ),
        examples=["contracts"],
    )


class PartitionsOptions(DescribedModel):
    """What partitions have beyond the models' own grain and first partition.

    Example:
        ```yaml
        partitions: {by: airport, backfill: single_run}
        ```
    """

    by: str | None = Field(
        default=None,
        description="The schema pattern's component whose values are the partitions of replicated tables.",
        examples=["airport"],
    )
    dynamic: bool = Field(
        default=False,
        description="With `by`: dynamic partitions, kept in step with discovery, instead of static ones.",
        examples=[True],
    )
    every: Literal["hour", "day", "month", "year"] | None = Field(
        default=None,
        description="Replicated tables are partitioned by time; with `by`, by both.",
        examples=["day"],
    )
    start: str | None = Field(
        default=None,
        description="First partition where the project names none: a date, or the engine's key.",
        examples=["2026-05-01"],
    )
    end: str | None = Field(
        default=None,
        description="The first partition that does not exist, as a date; unset, partitions go on to today.",
        examples=["2014-01-01"],
    )
    end_offset: int = Field(
        default=0,
        description="How many partitions beyond the last complete one exist; 1 makes today's runnable today.",
        examples=[1],
    )
    timezone: str = Field(
        default="UTC",
        description="When a partition ends. The engine's windows are UTC, so hourly models take no other.",
        examples=["Europe/Lisbon"],
    )
    lookback: int | Literal["model"] | None = Field(
        default=None,
        description=(
            "Rebuild this many earlier partitions too; `model` takes each model's own setting. Unset, a run "
            "builds exactly the selected partitions."
        ),
        examples=[1, "model"],
    )
    backfill: Literal["single_run", "per_partition"] = Field(
        default="single_run",
        description="Whether a backfill is one Dagster run with ranges, or one run per partition.",
        examples=["per_partition"],
    )

    @field_validator("start", "end")
    @classmethod
    def _is_a_partition(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Read as a day here, so that a mistake is told with its field; each grain moves it to its own window."""
        if value is not None:
            try:
                parse_start("day", value)
            except ValueError as error:
                raise ValueError(f"partitions.{info.field_name}: {error}") from error
        return value

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        """Dagster fails late and obscurely on a zone that does not exist."""
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(
                f"partitions.timezone: {value!r} is no time zone; write it like 'Europe/Lisbon'"
            ) from error
        return value

    @field_validator("lookback")
    @classmethod
    def _lookback_is_not_negative(cls, value: int | str | None) -> int | str | None:
        """The engine counts backwards from the first selected partition."""
        if isinstance(value, int) and value < 0:
            raise ValueError(f"partitions.lookback counts earlier partitions and is 0 or more, not {value}")
        return value

    @model_validator(mode="after")
    def _combination_works(self) -> Self:
        """Fields that need others are refused without them."""
        if self.dynamic and self.by is None:
            raise ValueError("partitions.dynamic makes the partitions of partitions.by dynamic: set that too")
        if self.every is not None and self.start is None:
            raise ValueError(
                "partitions.every needs partitions.start, the first partition, for example 2026-05-01"
            )
        if self.start and self.end and parse_start("day", self.start) >= parse_start("day", self.end):
            raise ValueError(f"partitions.end ({self.end}) must come after partitions.start ({self.start})")
        if self.every is not None and self.dynamic:
            raise ValueError(
                "partitions.every and partitions.dynamic do not go together: leave one of them out"
            )
        return self


class CheckOverride(DescribedModel):
    """How one check is declared, against what the project says."""

    enabled: bool = Field(default=True, description="`false` leaves the check out.", examples=[False])
    severity: Literal["WARN", "ERROR"] | None = Field(
        default=None, description="Severity of a failure, over the engine's.", examples=["WARN"]
    )
    blocking: bool | None = Field(
        default=None,
        description="Whether a failure with severity ERROR stops downstream assets.",
        examples=[True],
    )


class ChecksOptions(DescribedModel):
    """Which of the project's checks are declared, and how.

    Example:
        ```yaml
        checks:
          overrides:
            row_count: {blocking: true}
            "accepted_values:*": {severity: WARN}
        ```
    """

    enabled: bool = Field(
        default=True,
        description="`false` declares none; what the engine evaluates still shows as observations.",
        examples=[False],
    )
    blocking: bool = Field(
        default=False,
        description="Whether checks that the project gives severity error stop downstream assets.",
        examples=[True],
    )
    overrides: dict[str, CheckOverride] = Field(
        default_factory=dict,
        description="By the engine's name of the check or a glob over it; the first match counts.",
        examples=[{"column_match": {"enabled": False}, "null_rate:*": {"severity": "WARN"}}],
    )


MetadataAddon = Literal["column_schema", "column_lineage", "code_references"]

__all__ = [
    "CheckOverride",
    "ChecksOptions",
    "MetadataAddon",
    "Mode",
    "ModelsOptions",
    "PartitionsOptions",
    "RetryOptions",
    "RunOptions",
]
