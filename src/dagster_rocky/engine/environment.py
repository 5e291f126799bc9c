"""Which environment does the engine's process get: Dagster's own, without what would change the run unasked?"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dagster_rocky.engine.logs.forward import EventLogger

CHANGES_A_RUN = ("ROCKY_IDEMPOTENCY_KEY", "ROCKY_PRINCIPAL", "ROCKY_BRANCH_APPROVAL_SKIP")
"""Variables that the engine obeys and that nobody would expect to reach it (contract, section 18)."""
TRIGGER_ENV = "ROCKY_RUN_TRIGGER"
SUBMISSION_ENV = "ROCKY_SUBMISSION_ID"

Trigger = Literal["manual", "schedule", "sensor", "webhook", "ci"]


@dataclass(frozen=True, kw_only=True)
class RunOrigin:
    """Where an engine run comes from; the engine writes it into its history.

    Attributes:
        submission_id: The id of the Dagster run.
        trigger: What started it, in the engine's words.

    Example:
        ```python
        RunOrigin.of_dagster_run("3f2a", {"dagster/schedule_name": "hourly"}).trigger  # 'schedule'
        ```
    """

    submission_id: str
    trigger: Trigger = "manual"

    @classmethod
    def of_dagster_run(cls, run_id: str, tags: Mapping[str, str]) -> "RunOrigin":
        """The origin that the tags of a Dagster run tell."""
        trigger: Trigger = "manual"
        if "dagster/schedule_name" in tags:
            trigger = "schedule"
        elif {"dagster/sensor_name", "dagster/from_automation_condition"} & tags.keys():
            trigger = "sensor"
        return cls(submission_id=run_id, trigger=trigger)

    def variables(self) -> dict[str, str]:
        """What tells the engine."""
        return {TRIGGER_ENV: self.trigger, SUBMISSION_ENV: self.submission_id}


def process_environment(extra: Mapping[str, str], origin: RunOrigin | None = None) -> dict[str, str]:
    """The whole environment of the engine's process.

    Inherited Pipes variables of other sessions and those that change what a run does are left out.

    Args:
        extra: What this invocation sets; it wins.
        origin: Where the run comes from.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("DAGSTER_PIPES_") and name not in CHANGES_A_RUN
    }
    told = origin.variables() if origin else {}
    return {**inherited, "ROCKY_SUPPRESS_DEPRECATION": "1", **told, **extra}


class _Said:
    """For which Dagster run something was said last."""

    run: str | None = None


def say_what_is_left_out(logger: EventLogger, extra: Mapping[str, str], origin: RunOrigin | None) -> None:
    """Names the inherited variables that the engine does not get, once for each Dagster run."""
    left_out = [name for name in CHANGES_A_RUN if name in os.environ and name not in extra]
    run = origin.submission_id if origin else ""
    if not left_out or run == _Said.run:
        return
    _Said.run = run
    logger.log(
        logging.INFO,
        f"rocky: the engine does not get {', '.join(left_out)} of the environment, which would change what it runs; "
        "where that is meant, set it in run.environment",
    )
