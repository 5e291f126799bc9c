"""Are the project's rules about its data kept? The outputs of `compliance` and `retention-status`."""

from pydantic import Field

from dagster_rocky.results.base import EngineObject, EngineOutput


class Masking(EngineObject):
    """How a classified column is masked in one environment."""

    env: str = ""
    masking_strategy: str = ""
    enforced: bool = False


class ClassifiedColumn(EngineObject):
    """A classified column of a model, with its masking in each environment."""

    model: str = ""
    column: str = ""
    classification: str = ""
    envs: list[Masking] = Field(default_factory=list)


class ComplianceException(EngineObject):
    """A classified column that nothing masks."""

    model: str = ""
    column: str = ""
    env: str | None = None
    classification: str | None = None
    reason: str | None = None


class ComplianceSummary(EngineObject):
    """How many columns are classified, masked, and neither masked nor allowed to be open."""

    total_classified: int = 0
    total_masked: int = 0
    total_exceptions: int = 0


class ComplianceResult(EngineOutput):
    """The output of `compliance`.

    Example:
        ```python
        result = ComplianceResult.model_validate({"exceptions": [{"model": "crew", "column": "email"}]})
        [f"{found.model}.{found.column}" for found in result.exceptions]  # ['crew.email']
        ```
    """

    summary: ComplianceSummary = Field(default_factory=ComplianceSummary)
    per_column: list[ClassifiedColumn] = Field(default_factory=list)
    exceptions: list[ComplianceException] = Field(default_factory=list)


class ModelRetention(EngineObject):
    """How long a model's data is to be kept, and, with `--drift`, how long the warehouse keeps it."""

    model: str = ""
    configured_days: int | None = None
    warehouse_days: int | None = None
    in_sync: bool | None = None


class RetentionStatusResult(EngineOutput):
    """The output of `retention-status`."""

    models: list[ModelRetention] = Field(default_factory=list)
