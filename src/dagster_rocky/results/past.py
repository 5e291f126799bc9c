"""What happened before? The outputs of `state`, `history`, `trace` and `metrics`."""

from typing import Any

from pydantic import Field

from dagster_rocky.results.base import EngineObject, EngineOutput
from dagster_rocky.results.catalog import RecipeIdentity


class Watermark(EngineObject):
    """How far a copied table has come; `table` is `catalog.schema.table`."""

    table: str = ""
    last_value: str | None = None
    updated_at: str | None = None


class StateResult(EngineOutput):
    """The output of `state`."""

    watermarks: list[Watermark] = Field(default_factory=list)
    schema_version_supported: int | None = None
    schema_version_on_disk: int | None = None


class PastModel(EngineObject):
    """One table or model of an earlier run; `model_name` is the name of its table, or `<runtime>` and the like."""

    model_name: str = ""
    duration_ms: int | None = None
    status: str = ""
    recipe_identity: RecipeIdentity | None = None


class HistoryRun(EngineObject):
    """One earlier run; what only `--audit` tells comes last."""

    run_id: str = ""
    started_at: str | None = None
    status: str = ""
    trigger: str | None = None
    models_executed: int = 0
    duration_ms: int | None = None
    pipeline: str | None = None
    models: list[PastModel] = Field(default_factory=list)
    submission_id: str | None = None
    idempotency_key: str | None = None
    session_source: str | None = None
    hostname: str | None = None
    target_catalog: str | None = None
    rocky_version: str | None = None


class ModelExecution(EngineObject):
    """One earlier build of one model."""

    started_at: str | None = None
    duration_ms: int | None = None
    status: str = ""
    sql_hash: str = ""
    recipe_identity: RecipeIdentity | None = None

    @property
    def outcome(self) -> str:
        """The status without the quotes that the engine puts round it a second time.

        Example:
            ```python
            ModelExecution(status='"success"').outcome  # 'success'
            ```
        """
        return self.status.strip('"')


class RollingFigure(EngineObject):
    """A figure's mean and spread over the last builds of a model."""

    mean: float | None = None
    std_dev: float | None = None
    latest_z_score: float | None = None


class RollingStats(EngineObject):
    """How the last builds of one model compare with each other."""

    window: int | None = None
    samples: int | None = None
    rows_affected: RollingFigure | None = None
    duration_ms: RollingFigure | None = None
    health_score: float | None = None


class HistoryResult(EngineOutput):
    """The output of `history`, newest first; with `--model`, `executions` instead of `runs`."""

    runs: list[HistoryRun] = Field(default_factory=list)
    executions: list[ModelExecution] = Field(default_factory=list)
    model: str | None = None
    count: int = 0
    rolling_stats: RollingStats | None = None


class TracedModel(EngineObject):
    """When one model of an earlier run was built, and in which of the lanes that ran side by side."""

    model_name: str = ""
    status: str = ""
    start_offset_ms: int | None = None
    duration_ms: int | None = None
    sql_hash: str = ""
    lane: int | None = None
    recipe_identity: RecipeIdentity | None = None


class TraceResult(EngineOutput):
    """The output of `trace`: one earlier run on a time line."""

    run_id: str = ""
    status: str = ""
    trigger: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    run_duration_ms: int | None = None
    lane_count: int | None = None
    models: list[TracedModel] = Field(default_factory=list)


class MetricsResult(EngineOutput):
    """The output of `metrics`: the quality figures that the engine has of a model, and a message where it has none."""

    model: str = ""
    snapshots: list[dict[str, Any]] = Field(default_factory=list)
    count: int = 0
    alerts: list[dict[str, Any]] = Field(default_factory=list)
    message: str | None = None
