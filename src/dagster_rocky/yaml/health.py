"""What can a person write about the engine's health?"""

from collections.abc import Sequence
from typing import Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import Field, field_validator

from dagster_rocky.yaml.schema import DescribedModel


class HealthOptions(DescribedModel):
    """When the engine is asked how it is, and which versions of it will do.

    Example:
        ```yaml
        health: {doctor: before_run, engine_version: ">=1.71,<2"}
        ```
    """

    doctor: Literal["before_run", "sensor", "off"] = Field(
        default="off",
        description="`before_run`: a critical finding stops a step before anything runs. `sensor`: a sensor asks.",
        examples=["before_run", "sensor"],
    )
    checks: Sequence[str] = Field(
        default=(),
        description="The doctor's check-ups that count, by name; all of them when empty.",
        examples=[["config", "adapters", "auth"]],
    )
    every_seconds: int = Field(
        default=900, ge=30, description="With `sensor`: seconds between two ticks, at least.", examples=[300]
    )
    engine_version: str | None = Field(
        default=None,
        description="Which versions of the engine will do; checked once in each process that runs steps.",
        examples=[">=1.71,<2"],
    )

    @field_validator("engine_version")
    @classmethod
    def _is_a_range(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                SpecifierSet(value)
            except InvalidSpecifier as error:
                raise ValueError(f"{value!r} is no range of versions; write it like `>=1.71,<2`") from error
        return value
