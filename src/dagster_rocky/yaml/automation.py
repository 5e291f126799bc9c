"""What can a person write about sources, sensors and schedules?"""

from collections.abc import Sequence
from string import Formatter
from typing import Literal

import dagster as dg
from pydantic import Field, field_validator

from dagster_rocky.yaml.options import time_zone
from dagster_rocky.yaml.schema import DescribedModel

Status = Literal["RUNNING", "STOPPED"]


class SourcesOptions(DescribedModel):
    """Whether the tables that are copied are in the graph, upstream of their copies.

    Example:
        ```yaml
        sources: {as_assets: true, key: "raw/{source}/{table}"}
        ```
    """

    as_assets: bool = Field(
        default=False, description="Show each source table as an external asset.", examples=[True]
    )
    key: str = Field(
        default="{source}/{table}",
        description="The key of a source table: `{source}` is the source's id, `{table}` its name.",
        examples=["fivetran/{source}/{table}"],
    )
    owned_elsewhere: bool = Field(
        default=False,
        description="Another component (Fivetran, Airbyte, dlt, Sling) has assets of these keys: only edges are made.",
        examples=[True],
    )

    @field_validator("key")
    @classmethod
    def _key_names_the_table(cls, value: str) -> str:
        """Two tables of one key would be one asset."""
        try:
            fields = {name for _, name, _, _ in Formatter().parse(value) if name is not None}
        except ValueError as error:
            raise ValueError(f"{value!r} is no template: {error}") from error
        if not fields <= {"source", "table"} or "table" not in fields or not all(value.split("/")):
            raise ValueError(
                f"{value!r} must be made of {{source}} and {{table}}, parts separated by `/`, and hold "
                "{table}; for example `raw/{source}/{table}`"
            )
        return value


class SensorOptions(DescribedModel):
    """A sensor that asks the engine for its sources, and requests runs for those that were synced again.

    Example:
        ```yaml
        sensor: {every_seconds: 300, per: source, max_runs_in_flight: 5}
        ```
    """

    every_seconds: int = Field(
        default=300, ge=30, description="Seconds between two ticks, at least.", examples=[600]
    )
    per: Literal["source", "pipeline"] = Field(
        default="source",
        description="One run for each synced source, or one for all of a pipeline.",
        examples=["pipeline"],
    )
    max_runs_in_flight: int | None = Field(
        default=None,
        ge=1,
        description="How many runs of this sensor may be unfinished; the rest is requested later.",
        examples=[5],
    )
    request_runs: bool = Field(
        default=True,
        description=(
            "`false` requests no run and only tells source assets of their syncs, for automation conditions to act on."
        ),
        examples=[False],
    )
    tick_seconds: float = Field(
        default=45, gt=0, description="How long one tick may ask the engine, in seconds.", examples=[30]
    )
    tags: dict[str, str] = Field(
        default_factory=dict, description="Tags of every requested run.", examples=[{"team": "data"}]
    )
    default_status: Status = Field(
        default="STOPPED", description="Whether it runs without being switched on.", examples=["RUNNING"]
    )


class StateSensorOptions(DescribedModel):
    """A sensor that says when the project or its sources have moved away from the defs state.

    Example:
        ```yaml
        state_sensor: {every_seconds: 3600, default_status: RUNNING}
        ```
    """

    every_seconds: int = Field(
        default=3600, ge=30, description="Seconds between two ticks, at least.", examples=[900]
    )
    default_status: Status = Field(
        default="STOPPED", description="Whether it runs without being switched on.", examples=["RUNNING"]
    )


class ScheduleOptions(DescribedModel):
    """A schedule over assets of the component.

    Example:
        ```yaml
        schedules:
          - {name: nightly, cron: "0 3 * * *", selection: "group:landing", timezone: Europe/Lisbon}
        ```
    """

    name: str = Field(description="Of the schedule and its job.", examples=["nightly"])
    cron: str = Field(description="When, as a cron expression.", examples=["0 3 * * *"])
    selection: str = Field(
        default="*",
        description="What, in Dagster's selection syntax, over the component's assets.",
        examples=["group:landing or tag:tier=gold"],
    )
    timezone: str = Field(
        default="UTC", description="In which time zone the cron is read.", examples=["Europe/Lisbon"]
    )
    partitions: Literal["latest", "missing"] = Field(
        default="latest",
        description="Of partitioned assets: the last partition that exists, or all that were never built.",
        examples=["missing"],
    )
    look_back: int = Field(
        default=30,
        ge=1,
        description="With `missing`: how many of the last partitions are looked through.",
        examples=[7],
    )
    tags: dict[str, str] = Field(
        default_factory=dict, description="Tags of every run.", examples=[{"team": "data"}]
    )
    default_status: Status = Field(
        default="STOPPED", description="Whether it runs without being switched on.", examples=["RUNNING"]
    )

    @field_validator("cron")
    @classmethod
    def _is_a_cron(cls, value: str) -> str:
        try:
            dg.ScheduleDefinition(name="checked", cron_schedule=value, job_name="checked")
        except dg.DagsterInvalidDefinitionError as error:
            raise ValueError(f"{value!r} is no cron expression; write it like `0 3 * * *`") from error
        return value

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            return time_zone(value)
        except ValueError as error:
            raise ValueError(f"{error}") from error


def names_are_unique(schedules: Sequence[ScheduleOptions]) -> Sequence[ScheduleOptions]:
    """Refuses two schedules of one name.

    Args:
        schedules: All of a component.

    Raises:
        ValueError: With the name.
    """
    names = [schedule.name for schedule in schedules]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"schedules: two are called {name!r}; give each a name of its own")
    return schedules


def sensor_status(status: Status) -> dg.DefaultSensorStatus:
    """The YAML's word as Dagster takes it."""
    return dg.DefaultSensorStatus[status]


def schedule_status(status: Status) -> dg.DefaultScheduleStatus:
    """The YAML's word as Dagster takes it."""
    return dg.DefaultScheduleStatus[status]
