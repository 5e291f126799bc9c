"""What did the work cost, and what would cost less? `cost`, `optimize`, `estimate`, and a run's own figures."""

from pydantic import Field

from dagster_rocky.results.base import Bytes, EngineObject, EngineOutput


class ModelCost(EngineObject):
    """The cost of one asset of a run."""

    asset_key: list[str] = Field(default_factory=list)
    duration_ms: int | None = None
    cost_usd: float | None = None
    bytes_scanned: Bytes = None
    bytes_written: Bytes = None


class CostSummary(EngineObject):
    """The cost of a run, in US dollars."""

    total_cost_usd: float | None = None
    total_duration_ms: int | None = None
    total_bytes_scanned: Bytes = None
    total_bytes_written: Bytes = None
    per_model: list[ModelCost] = Field(default_factory=list)
    adapter_type: str | None = None


class BudgetBreach(EngineObject):
    """A budget that the run exceeded: `max_usd`, `max_duration_ms` or `max_bytes_scanned`."""

    limit_type: str = ""
    limit: float | None = None
    actual: float | None = None


class PastModelCost(EngineObject):
    """The cost of one table or model of an earlier run; `model_name` is the name of its table."""

    model_name: str = ""
    status: str = ""
    duration_ms: int | None = None
    cost_usd: float | None = None
    bytes_scanned: Bytes = None
    bytes_written: Bytes = None


class CostResult(EngineOutput):
    """The output of `cost`: what one earlier run cost, in US dollars. Its status is in snake case.

    Example:
        ```python
        result = CostResult.model_validate({"per_model": [{"model_name": "daily", "cost_usd": 0.5}]})
        {model.model_name: model.cost_usd for model in result.per_model}  # {'daily': 0.5}
        ```
    """

    run_id: str = ""
    status: str = ""
    trigger: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    duration_ms: int | None = None
    adapter_type: str | None = None
    total_cost_usd: float | None = None
    total_duration_ms: int | None = None
    total_bytes_scanned: Bytes = None
    total_bytes_written: Bytes = None
    per_model: list[PastModelCost] = Field(default_factory=list)


class Recommendation(EngineObject):
    """What `optimize` advises for one model; `model_name` is the name of its table, savings are in US dollars."""

    model_name: str = ""
    current_strategy: str = ""
    recommended_strategy: str = ""
    estimated_monthly_savings: float | None = None
    reasoning: str = ""
    compute_cost_per_run: float | None = None
    storage_cost_per_month: float | None = None
    downstream_references: int = 0

    @property
    def advises_a_change(self) -> bool:
        """Whether the recommended strategy is another one than the current."""
        return self.recommended_strategy not in ("", self.current_strategy)


class OptimizeResult(EngineOutput):
    """The output of `optimize`."""

    recommendations: list[Recommendation] = Field(default_factory=list)
    total_models_analyzed: int = 0
    incrementality_note: str | None = None
    message: str | None = None


class ModelEstimate(EngineObject):
    """The warehouse's own plan of one model, as text, and what it may read and cost where that is known."""

    model_name: str = ""
    raw_explain: str | None = None
    estimated_rows: int | None = None
    estimated_bytes_scanned: Bytes = None
    estimated_cost_usd: float | None = None


class EstimateResult(EngineOutput):
    """The output of `estimate`."""

    estimates: list[ModelEstimate] = Field(default_factory=list)
    total_models: int = 0
