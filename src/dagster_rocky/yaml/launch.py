"""What can a person change for a single launch? The run config of the component's ops, over what the YAML says."""

import re
from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import Field, field_validator

from dagster_rocky.engine.options import RunOptions

_OF_OPTIONS = ("force_rebuild", "no_prune", "live_after_seconds", "timeout_seconds")


def table_suffix(value: str, field: str) -> str:
    """A suffix for shadow tables, refused where it makes no name of a table.

    Args:
        value: The suffix, or a word of letters that stands for one.
        field: Where it is written, for the message.

    Raises:
        ValueError: With field and way out.

    Example:
        ```python
        table_suffix("__try", "run.shadow")  # '__try'
        ```
    """
    if not re.fullmatch(r"[A-Za-z0-9_]{1,40}", value):
        raise ValueError(
            f"{field}: {value!r} is no suffix for the names of tables: use letters, digits and `_`, at most 40 of them"
        )
    return value


class LaunchOptions(dg.Config):
    """Run config of every op of a component; what is left out stays as the YAML has it.

    The launchpad shows the fields, and `dg launch --config-json` takes them under the op's name.

    Example:
        ```python
        launch = LaunchOptions(force_rebuild=True, vars={"region": "north"})
        launch.over(RunOptions(timeout_seconds=60)).vars  # {'region': 'north'}
        ```
    """

    force_rebuild: bool | None = Field(
        default=None, description="Build what the engine would leave out as unchanged (`--force-rebuild`)."
    )
    no_prune: bool | None = Field(
        default=None, description="Copy what `prune_unchanged` would leave out (`--no-prune`)."
    )
    vars: dict[str, str] = Field(
        default_factory=dict, description="Values for `@var(name)`, over those of the YAML."
    )
    shadow: str | None = Field(
        default=None,
        description="Write to shadow tables with this suffix; `off` writes to the real ones.",
    )
    parallelism: int | None = Field(default=None, ge=1, description="The engine's `--parallel`.")
    live_after_seconds: float | None = Field(
        default=None,
        ge=0,
        description="How long what is reported live waits for the result that completes it, in seconds.",
    )
    timeout_seconds: float | None = Field(
        default=None, gt=0, description="Deadline of one engine run of this launch, in seconds."
    )

    @field_validator("shadow")
    @classmethod
    def _is_a_suffix(cls, value: str | None) -> str | None:
        return value if value is None else table_suffix(value, "shadow")

    @classmethod
    def of(cls, op_config: object) -> "LaunchOptions":
        """The options of a launch, from the config of its op; an op without one has none.

        Args:
            op_config: What `context.op_config` gives.
        """
        return cls(**op_config) if isinstance(op_config, Mapping) else cls()

    def changes(self) -> Mapping[str, Any]:
        """What this launch changes, for people: the names of variables without their values."""
        said = {name: value for name, value in self.model_dump().items() if value not in (None, {})}
        if self.vars:
            said["vars"] = sorted(self.vars)
        return said

    def over(self, options: RunOptions) -> RunOptions:
        """The options of the YAML with those of this launch over them.

        Args:
            options: The component's.
        """
        update: dict[str, Any] = {
            name: value for name in _OF_OPTIONS if (value := getattr(self, name)) is not None
        }
        if self.vars:
            update["vars"] = {**options.vars, **self.vars}
        if self.shadow is not None:
            update["shadow_suffix"] = None if self.shadow == "off" else self.shadow
        return RunOptions.model_validate(
            {**options.model_dump(include=set(RunOptions.model_fields)), **update}
        )
