"""What can a person write below the top level of the YAML? One strict model per concern, each field described."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import dagster as dg
from pydantic import Field, ValidationInfo, field_validator, model_validator

from dagster_rocky.engine import idempotency
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.partitions import parse_start
from dagster_rocky.vocabulary import Mode
from dagster_rocky.yaml.launch import table_suffix
from dagster_rocky.yaml.mistakes import Mistake, near
from dagster_rocky.yaml.schema import DescribedModel


def time_zone(value: str) -> str:
    """A time zone; Dagster fails late and obscurely on one that does not exist.

    Args:
        value: As it is written.

    Raises:
        ValueError: With a zone that is near.

    Example:
        ```python
        time_zone("Europe/Lisbon")  # 'Europe/Lisbon'
        ```
    """
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(
            f"{value!r} is no time zone: write it like {near(value, available_timezones()) or 'Europe/Lisbon'!r}"
        ) from error
    return value


class RunSection(RunOptions, DescribedModel):
    """`run` in the YAML: the options of every engine run, as `RunOptions` has them.

    Example:
        ```yaml
        run: {timeout_seconds: 1800, mask_env: [WAREHOUSE_DSN]}
        ```
    """

    shadow: Annotated[
        str,
        dg.Resolver(
            lambda context, value: "off" if value is False else context.resolve_value(value),
            model_field_type=str | Literal[False],
            description=(
                "`off`, a suffix for shadow tables beside the real ones, or `branch_deployment`: a suffix of its own "
                "for each Dagster+ branch deployment, and the real tables elsewhere."
            ),
            examples=["branch_deployment", "__try"],
        ),
    ] = "off"

    @field_validator("shadow", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: object) -> object:
        """YAML reads a bare `off` as false."""
        return "off" if value is False else value

    @field_validator("shadow", "shadow_suffix")
    @classmethod
    def _is_a_suffix(cls, value: str | None, info: ValidationInfo) -> str | None:
        """What is put behind a table's name has to make a name in every warehouse."""
        return value if value is None else table_suffix(value, f"run.{info.field_name}")

    @model_validator(mode="after")
    def _shadow_is_said_once(self) -> Self:
        if self.shadow != "off" and self.shadow_suffix:
            raise ValueError(
                "run.shadow and run.shadow_suffix both say where to write: leave one of them out"
            )
        return self

    @field_validator("idempotency_key")
    @classmethod
    def _key_changes(cls, value: str | None) -> str | None:
        """A key that is the same in every run would run once and never again."""
        if value is not None and not idempotency.placeholders(value) - {"selection"}:
            raise ValueError(
                f"{value!r} is the same in every run, so the engine would build once and skip ever after: "
                "add {run_id}, {root_run_id} or, for partitioned assets, {partition}"
            )
        return value

    @model_validator(mode="after")
    def _resume_can_be(self) -> Self:
        """What a resumed run leaves out is what these ask for."""
        if self.resume and self.retry_scope == "all":
            raise Mistake(
                "resume", "goes on with what is missing, and `retry_scope: all` asks for everything: drop one"
            )
        if self.resume and self.plan:
            raise Mistake(
                "resume", "cannot go with `plan`: a plan that is applied copies all of it. Drop one of them"
            )
        return self

    @field_validator("governance_override")
    @classmethod
    def _revokes_nothing_unasked(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        """Warehouses with governance refuse an empty list, and DuckDB ignores it: told here it is told in both."""
        if value and value.get("workspace_ids") == [] and value.get("allow_empty_workspace_ids") is not True:
            raise ValueError(
                "workspace_ids is empty, which would revoke every binding of the catalogs: "
                "name the workspaces, leave workspace_ids out, or say allow_empty_workspace_ids: true"
            )
        return value


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
            shape = "backoff" if self.backoff else "jitter"
            raise Mistake(shape, "shapes `delay_seconds`, so set that too, for example delay_seconds: 30")
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
    per_run: int = Field(
        default=50,
        ge=1,
        description=(
            "How many partitions one engine run builds at most. A longer range is cut into several engine runs, each "
            "told when it ends, so that a long backfill shows progress and a cancelled one keeps what it finished."
        ),
        examples=[24],
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
                kind = "first partition" if info.field_name == "start" else "date"
                raise ValueError(f"{value!r} is no {kind}: write it like '2026-05-01'") from error
        return value

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        return time_zone(value)

    @field_validator("lookback")
    @classmethod
    def _lookback_is_not_negative(cls, value: int | str | None) -> int | str | None:
        """The engine counts backwards from the first selected partition."""
        if isinstance(value, int) and value < 0:
            raise ValueError(f"counts earlier partitions, so it must be 0 or more, not {value}")
        return value

    @model_validator(mode="after")
    def _combination_works(self) -> Self:
        """Fields that need others are refused without them."""
        if self.dynamic and self.by is None:
            raise Mistake(
                "dynamic", "makes the partitions of `by` dynamic, so set that too, for example by: airport"
            )
        if self.every is not None and self.start is None:
            raise Mistake("every", 'needs `start`, the first partition, for example start: "2026-05-01"')
        if self.start and self.end and parse_start("day", self.start) >= parse_start("day", self.end):
            raise Mistake("end", f"{self.end} must come after `start`, which is {self.start}")
        if self.every is not None and self.dynamic:
            raise Mistake("every", "does not go together with `dynamic`: leave one of them out")
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
        description=(
            "Whether checks that the project gives severity error stop downstream assets; a model's tests on the "
            "warehouse only do where `overrides` says so."
        ),
        examples=[True],
    )
    rules: Sequence[Literal["compliance", "retention", "budget"]] = Field(
        default=(),
        description=(
            "Rules of the project that become checks: `compliance` (classified columns are masked) and `retention` "
            "of models that have them, `budget` of everything that a run with a `[budget]` builds."
        ),
        examples=[["compliance", "budget"]],
    )
    compare: bool = Field(
        default=False,
        description=(
            "A check `compare` of each copied table: after a shadow run, whether the shadow has its rows and columns. "
            "It can be launched alone; after other runs it is not evaluated."
        ),
        examples=[True],
    )
    overrides: dict[str, CheckOverride] = Field(
        default_factory=dict,
        description=(
            "By the engine's name of the check or a glob over it; the first match counts. A model's tests are called "
            "`test:<type>:<column>` or `test:<name>`, and `unit_test:<name>`."
        ),
        examples=[{"column_match": {"enabled": False}, "test:unique:*": {"blocking": True}}],
    )


MetadataAddon = Literal["column_schema", "column_lineage", "code_references", "history", "optimize"]
KeyStyle = Literal["engine", "warehouse"]

__all__ = [
    "CheckOverride",
    "ChecksOptions",
    "KeyStyle",
    "MetadataAddon",
    "Mode",
    "ModelsOptions",
    "PartitionsOptions",
    "RetryOptions",
    "RunSection",
]
