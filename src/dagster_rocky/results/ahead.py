"""What would happen, and where else could it? The outputs of `plan`, `snapshot` and `branch`."""

from pydantic import Field

from dagster_rocky.results.base import EngineObject, EngineOutput


class PlannedStatement(EngineObject):
    """A statement that a plan announces; its SQL is an indication, not what will be executed."""

    purpose: str = ""
    target: str = ""
    sql: str = ""


class PlanResult(EngineOutput):
    """The output of `plan`; `plan_id` is a hash of what it was made from.

    Example:
        ```python
        plan = PlanResult.model_validate({"statements": [{"purpose": "merge_copy", "target": "raw.orders"}]})
        [statement.target for statement in plan.statements]  # ['raw.orders']
        ```
    """

    filter: str = ""
    statements: list[PlannedStatement] = Field(default_factory=list)
    plan_id: str = ""
    plan_kind: str = ""
    created_at: str | None = None
    models: list[str] = Field(default_factory=list)
    execution_layers: list[list[str]] = Field(default_factory=list)


class SnapshotStep(EngineObject):
    """One statement of a snapshot pipeline."""

    step: str = ""
    sql: str = ""
    status: str = ""
    duration_ms: int | None = None
    error: str | None = None


class SnapshotResult(EngineOutput):
    """The output of `snapshot`; with `--dry-run` the steps are only listed."""

    pipeline: str = ""
    source: str = ""
    target: str = ""
    dry_run: bool = False
    steps_total: int = 0
    steps_ok: int = 0
    steps: list[SnapshotStep] = Field(default_factory=list)
    duration_ms: int | None = None


class Branch(EngineObject):
    """A branch: another place for the tables of a project."""

    name: str = ""
    schema_prefix: str = ""
    created_by: str | None = None
    created_at: str | None = None
    description: str | None = None


class BranchResult(EngineOutput):
    """The output of `branch create` and `branch show`."""

    branch: Branch = Field(default_factory=Branch)


class BranchListResult(EngineOutput):
    """The output of `branch list`."""

    branches: list[Branch] = Field(default_factory=list)
    total: int = 0
