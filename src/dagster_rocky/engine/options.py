"""What is every engine run given, and how is it watched: one object from the YAML or the keywords to the process."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class RunOptions(BaseModel):
    """What every engine run of the component is given, and how it is watched.

    Example:
        ```yaml
        run:
          timeout_seconds: 1800
          vars: {region: north}
          log_level: engine
        ```
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    force_rebuild: bool = Field(
        default=False,
        description="Build what the engine would leave out as unchanged: its `--force-rebuild`.",
        examples=[True],
    )
    no_prune: bool = Field(
        default=False,
        description="Copy what `prune_unchanged` would leave out: the engine's `--no-prune`.",
        examples=[True],
    )
    plan: bool = Field(
        default=False,
        description=(
            "Plan each replication first, apply exactly that plan, and record its id and statements on what it copied. "
            "The engine plans replications only; other pipelines run as ever."
        ),
        examples=[True],
    )
    resume: bool = Field(
        default=False,
        description=(
            "Let a retry go on with the engine run that failed (`--resume`) where that is cheaper than to copy anew "
            "what is missing; replications only."
        ),
        examples=[True],
    )
    idempotency_key: str | None = Field(
        default=None,
        description=(
            "The engine runs a key once and skips repeats. It is made of `{run_id}` (Dagster's run), `{root_run_id}` "
            "(the run whose work it goes on with), `{partition}`, `{selection}` and other text; each engine run of a "
            "step gets a key of its own, made from this one."
        ),
        examples=["dagster-{root_run_id}", "nightly-{partition}"],
    )
    environment: dict[str, str] = Field(
        default_factory=dict,
        description=(
            "Environment variables of the engine's process, on top of Dagster's own. Variables of the engine that "
            "change what a run does, such as ROCKY_PRINCIPAL, reach it only from here."
        ),
        examples=[{"ROCKY_PRINCIPAL": "agent"}],
    )
    timeout_seconds: float = Field(
        default=3600,
        gt=0,
        description="Deadline of one engine run, and of its wait for another run, in seconds.",
        examples=[1800],
    )
    termination_grace_seconds: float = Field(
        default=25,
        ge=0,
        description="Seconds between asking the engine to stop and killing it.",
        examples=[30],
    )
    live_after_seconds: float = Field(
        default=5,
        ge=0,
        description=(
            "How long what is reported live waits for the result that completes it, in seconds; 0 tells it at once."
        ),
        examples=[30],
    )
    retry_scope: Literal["missing", "all"] = Field(
        default="missing",
        description=(
            "What a retry or a re-execution asks the engine for: only what its predecessors did not finish, or all."
        ),
        examples=["all"],
    )
    fail_fast: bool = Field(
        default=False,
        description="After a failed engine run, leave out the remaining runs of the step.",
        examples=[True],
    )
    log_level: Literal["info", "engine"] = Field(
        default="engine",
        description="`engine`: WARN and ERROR lines keep their own level. `info`: every engine line at INFO.",
        examples=["info"],
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
