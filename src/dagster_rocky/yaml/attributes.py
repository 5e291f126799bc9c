"""What can a person write at the top level of the YAML?"""

from collections.abc import Sequence
from typing import Annotated, Self

import dagster as dg
from dagster.components import DefsStateConfigArgs
from dagster.components.resolved.core_models import OpSpec
from pydantic import Field, field_validator, model_validator

from dagster_rocky.yaml.automation import (
    ScheduleOptions,
    SensorOptions,
    SourcesOptions,
    StateSensorOptions,
    names_are_unique,
)
from dagster_rocky.yaml.health import HealthOptions
from dagster_rocky.yaml.mistakes import Mistake
from dagster_rocky.yaml.options import (
    ChecksOptions,
    KeyStyle,
    MetadataAddon,
    Mode,
    ModelsOptions,
    PartitionsOptions,
    RetryOptions,
    RunSection,
)
from dagster_rocky.yaml.paths import resolve_binary, resolve_path
from dagster_rocky.yaml.schema import DescribedModel


class RockyAttributes(DescribedModel):
    """The attributes of a `RockyComponent`, but for `translation`, which speaks of assets.

    Example:
        ```yaml
        config_path: rocky.toml
        binary_path: rocky-local
        filters: ["airport=jfk"]
        ```
    """

    config_path: Annotated[
        str,
        dg.Resolver(
            resolve_path,
            model_field_type=str,
            description="The project's `rocky.toml`, relative to this file.",
            examples=["rocky.toml", "{{ context.project_root }}/rocky.toml"],
        ),
    ] = "rocky.toml"
    binary_path: Annotated[
        str,
        dg.Resolver(
            resolve_binary,
            model_field_type=str,
            description="The engine: `rocky`, `rocky-local`, or a path relative to this file.",
            examples=["rocky", "rocky-local", "{{ env.ROCKY_BIN }}"],
        ),
    ] = "rocky"
    allow_missing_binary: bool = Field(
        default=False,
        description="Load where the engine is not installed, for example on a code server that runs no steps.",
        examples=[True],
    )
    mode: Mode = Field(
        default=Mode.STREAMING,
        description="How the engine is run: all three end with the same events and differ in when.",
        examples=["buffered", "streaming", "pipes"],
    )
    pipelines: Sequence[str] | None = Field(
        default=None,
        description="Pipelines that this component owns; all of them when unset.",
        examples=[["landing"]],
    )
    filters: Sequence[str] = Field(
        default=(),
        description="Sources that this component owns, as `key=value`; several are a union.",
        examples=[["airport=jfk", "id=raw__ewr__ops"]],
    )
    exclude_filters: Sequence[str] = Field(
        default=(), description="Sources and tables taken away from that.", examples=[["table=scratch"]]
    )
    models: ModelsOptions = Field(
        default_factory=ModelsOptions,
        description="Which models this component owns, and where they are.",
        examples=[{"exclude": ["tmp_*"]}],
    )
    partitions: PartitionsOptions = Field(
        default_factory=PartitionsOptions,
        description="Partitions beyond the models' own grain.",
        examples=[{"by": "airport"}],
    )
    parallelism: int | None = Field(
        default=None, ge=1, description="The engine's `--parallel`.", examples=[4]
    )
    run: RunSection = Field(
        default_factory=RunSection,
        description="What every engine run is given, and how it is watched.",
        examples=[{"timeout_seconds": 1800}],
    )
    checks: ChecksOptions = Field(
        default_factory=ChecksOptions,
        description="Which of the project's checks are declared, and how.",
        examples=[{"overrides": {"row_count": {"blocking": True}}}],
    )
    key_style: KeyStyle = Field(
        default="engine",
        description=(
            "The keys of copied tables: the engine's (adapter, components, table), or where they are in the warehouse "
            "(catalog, schema, table), as models have them. All components of one project take the same. A table that "
            "is partitioned by a component keeps the engine's."
        ),
        examples=["warehouse"],
    )
    metadata: Sequence[MetadataAddon] = Field(
        default=("column_schema", "column_lineage", "code_references"),
        description=(
            "Extras to attach to models; `history` and `optimize` ask the engine once at the end of a step, and show "
            "what it says as observations."
        ),
        examples=[["column_schema", "code_references", "history"]],
    )
    state_path: str | None = Field(
        default=None,
        description="The engine's own run state file, relative to rocky.toml.",
        examples=["state/landing.redb"],
    )
    state_namespace: str | None = Field(
        default=None, description="A run state of its own under `models/.rocky-state/`.", examples=["jfk"]
    )
    sources: SourcesOptions = Field(
        default_factory=SourcesOptions,
        description="Whether the tables that are copied are in the graph, upstream of their copies.",
        examples=[{"as_assets": True}],
    )
    sensor: SensorOptions | None = Field(
        default=None,
        description="A sensor that requests runs for sources that were synced again.",
        examples=[{"every_seconds": 300, "per": "source"}],
    )
    state_sensor: StateSensorOptions | None = Field(
        default=None,
        description="A sensor that says when the project has moved away from the defs state.",
        examples=[{"every_seconds": 3600}],
    )
    preview_job: bool = Field(
        default=False,
        description="A job that says what a selection would run, and runs none of it.",
        examples=[True],
    )
    schedules: Sequence[ScheduleOptions] = Field(
        default=(),
        description="Schedules over the component's assets.",
        examples=[[{"name": "nightly", "cron": "0 3 * * *"}]],
    )
    health: HealthOptions = Field(
        default_factory=HealthOptions,
        description="When the engine is asked how it is, and which versions of it will do.",
        examples=[{"doctor": "before_run", "engine_version": ">=1.71"}],
    )
    op: OpSpec | None = Field(
        default=None, description="Dagster's op settings: name, tags, pool.", examples=[{"pool": "warehouse"}]
    )
    retry: RetryOptions | None = Field(
        default=None, description="Dagster's retry policy of the steps.", examples=[{"max_retries": 2}]
    )
    defs_state: Annotated[
        DefsStateConfigArgs,
        dg.Resolver.default(
            description="Where the snapshot of the project is kept, and under which key.",
            examples=[{"management_type": "LOCAL_FILESYSTEM", "key": "rocky-landing"}],
        ),
    ] = Field(default_factory=DefsStateConfigArgs.local_filesystem)

    @field_validator("filters", "exclude_filters")
    @classmethod
    def _filters_are_pairs(cls, texts: Sequence[str]) -> Sequence[str]:
        for number, text in enumerate(texts):
            key, equals, value = text.partition("=")
            if not (key and equals and value):
                raise Mistake((number,), f"{text!r} is no `key=value`: write it like airport=jfk")
        return texts

    @field_validator("schedules")
    @classmethod
    def _schedules_are_apart(cls, schedules: Sequence[ScheduleOptions]) -> Sequence[ScheduleOptions]:
        return names_are_unique(schedules)

    @model_validator(mode="after")
    def _sensor_does_something(self) -> Self:
        if self.sensor and not self.sensor.request_runs and not self.sources.as_assets:
            raise ValueError(
                "sensor.request_runs is false, and there are no source assets to tell of syncs: set sources.as_assets, "
                "or leave request_runs out"
            )
        return self

    @model_validator(mode="after")
    def _state_is_one(self) -> Self:
        if self.state_path and self.state_namespace:
            raise Mistake(
                "state_namespace", "says where the run state is, as `state_path` does: leave one of them out"
            )
        return self
