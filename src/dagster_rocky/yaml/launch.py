"""What can a person change for a single launch? The run config of the component's ops, over what the YAML says."""

import re
from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import Field, ValidationError, field_validator

from dagster_rocky.engine import idempotency
from dagster_rocky.engine.options import RunOptions

_OF_OPTIONS = ("force_rebuild", "no_prune", "plan", "live_after_seconds", "timeout_seconds")


def table_suffix(value: str, field: str) -> str:
    """A suffix for shadow tables, refused where it makes no name of a table.

    Args:
        value: The suffix; `off` and `branch_deployment` stand for what is no suffix.
        field: Where it is written, for the message.

    Raises:
        ValueError: With field and way out.

    Example:
        ```python
        table_suffix("__try", "run.shadow")  # '__try'
        ```
    """
    if value not in ("off", "branch_deployment") and not re.fullmatch(r"_[A-Za-z0-9_]{1,39}", value):
        raise ValueError(
            f"{field}: {value!r} is no suffix for the names of tables: begin with `_` and go on with letters, digits "
            "and `_`, at most 40 in all, like `_pr42`; or write `off`"
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
    plan: bool | None = Field(
        default=None, description="Plan each replication first, record the plan, and apply exactly it."
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

    idempotency_key: str | None = Field(
        default=None,
        description="Another key for the engine to run once, with the same placeholders; `off` gives it none.",
    )

    @field_validator("idempotency_key")
    @classmethod
    def _is_a_template(cls, value: str | None) -> str | None:
        if value is not None:
            if not value or not value.isprintable():
                raise ValueError(f"idempotency_key: {value!r} is no key: write one line, or `off`")
            idempotency.placeholders(value)
        return value

    @field_validator("shadow")
    @classmethod
    def _is_a_suffix(cls, value: str | None) -> str | None:
        if value == "branch_deployment":
            raise ValueError(
                "shadow: a launch takes a suffix, like `_pr42`, or `off`; the rest is the YAML's to say"
            )
        return value if value is None else table_suffix(value, "shadow")

    @classmethod
    def op_schema(cls) -> dict[str, dg.Field]:
        """The run config of an op: every field may be left out, and none comes with a default to look at."""
        return {
            name: dg.Field(
                getattr(field.config_type, "inner_type", field.config_type)
                if field.config_type.kind.name == "NONEABLE"
                else field.config_type,
                is_required=False,
                description=field.description,
            )
            for name, field in cls.to_fields_dict().items()
        }

    @classmethod
    def of(cls, op_config: object) -> "LaunchOptions":
        """The options of a launch, from the config of its op; an op without one has none.

        Args:
            op_config: What `context.op_config` gives.

        Raises:
            dagster.Failure: When a value is out of its bounds, which Dagster's config does not know.
        """
        try:
            return cls(**op_config) if isinstance(op_config, Mapping) else cls()
        except ValidationError as error:
            said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise dg.Failure(
                description=f"The run config of this launch cannot be: {said}. Nothing was run; launch again without.",
                allow_retries=False,
            ) from error

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
        if self.idempotency_key is not None:
            update["idempotency_key"] = None if self.idempotency_key == "off" else self.idempotency_key
        return RunOptions.model_validate(
            {**options.model_dump(include=set(RunOptions.model_fields)), **update}
        )
