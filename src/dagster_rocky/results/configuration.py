"""Is the project in order, and what is configured in it? `validate`, `doctor`, `list pipelines|models|adapters`."""

from pydantic import Field

from dagster_rocky.results.base import EngineObject, EngineOutput


class ValidatedPipeline(EngineObject):
    """One pipeline as `validate` sees it; the templates are those of a replication's target."""

    name: str = ""
    pipeline_type: str = ""
    strategy: str = ""
    catalog_template: str = ""
    schema_template: str = ""
    ok: bool = True


class ValidatedAdapter(EngineObject):
    """One adapter as `validate` sees it."""

    name: str = ""
    adapter_type: str = ""
    ok: bool = True


class ValidatedModels(EngineObject):
    """Whether `validate` found models, how many, and whether their order is one."""

    found: bool = False
    count: int = 0
    dag_valid: bool = True


class ValidationMessage(EngineObject):
    """One line of `validate`: severity ok, warn, error or lint."""

    severity: str = ""
    code: str = ""
    message: str = ""
    file: str | None = None
    field: str | None = None


class ValidateResult(EngineOutput):
    """The output of `validate`, valid or not."""

    valid: bool = False
    adapters: list[ValidatedAdapter] = Field(default_factory=list)
    pipelines: list[ValidatedPipeline] = Field(default_factory=list)
    models: ValidatedModels = Field(default_factory=ValidatedModels)
    messages: list[ValidationMessage] = Field(default_factory=list)

    @property
    def errors(self) -> list[ValidationMessage]:
        """The messages that make the project invalid."""
        return [message for message in self.messages if message.severity == "error"]


class DoctorCheck(EngineObject):
    """One check-up of `doctor`: healthy, warning or critical."""

    name: str = ""
    status: str = ""
    message: str = ""
    duration_ms: int | None = None


class DoctorResult(EngineOutput):
    """The output of `doctor`, which has no `version`; `overall` is healthy, warning or critical."""

    overall: str = ""
    checks: list[DoctorCheck] = Field(default_factory=list)
    suggestions: list[str] = Field(default_factory=list)


class ListedPipeline(EngineObject):
    """One pipeline of `list pipelines`; `concurrency` is a number as text, or `adaptive`."""

    name: str = ""
    pipeline_type: str = ""
    target_adapter: str | None = None
    source_adapter: str | None = None
    depends_on: list[str] = Field(default_factory=list)
    concurrency: str | None = None


class ListPipelinesResult(EngineOutput):
    """The output of `list pipelines`, in alphabetical order."""

    pipelines: list[ListedPipeline] = Field(default_factory=list)


class ListedModel(EngineObject):
    """One model of `list models`; `target` is `catalog.schema.table`."""

    name: str = ""
    target: str = ""
    strategy: str = ""
    depends_on: list[str] = Field(default_factory=list)
    has_contract: bool = False


class ListModelsResult(EngineOutput):
    """The output of `list models`."""

    models: list[ListedModel] = Field(default_factory=list)


class ListedAdapter(EngineObject):
    """One adapter of `list adapters`."""

    name: str = ""
    adapter_type: str = ""


class ListAdaptersResult(EngineOutput):
    """The output of `list adapters`."""

    adapters: list[ListedAdapter] = Field(default_factory=list)
