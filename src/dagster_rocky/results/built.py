"""What did a run build, leave out or change, table by table?"""

from enum import StrEnum
from typing import Any

from pydantic import Field

from dagster_rocky.results.base import Bytes, EngineObject
from dagster_rocky.results.failures import Attempts


class PartitionWindow(EngineObject):
    """The partition that a materialization is of: its key in the engine's format, half-open UTC bounds."""

    key: str = ""
    start: str | None = None
    end: str | None = None
    batched_with: list[str] = Field(default_factory=list)


class MaterializationMetadata(EngineObject):
    """How a table or model was built; `strategy` is the effective one."""

    strategy: str | None = None
    watermark: str | None = None
    target_table_full_name: str | None = None
    sql_hash: str | None = None
    column_count: int | None = None
    compile_time_ms: int | None = None


class Materialization(EngineObject):
    """One table, model or partition that the engine built."""

    asset_key: list[str] = Field(default_factory=list)
    rows_copied: int | None = None
    duration_ms: int | None = None
    started_at: str | None = None
    metadata: MaterializationMetadata = Field(default_factory=MaterializationMetadata)
    partition: PartitionWindow | None = None
    cost_usd: float | None = None
    bytes_scanned: Bytes = None
    bytes_written: Bytes = None
    attempts: Attempts = Field(default_factory=list)


class ExclusionReason(StrEnum):
    """Why a table was left out (contract, section 18); the engine may know more reasons than these."""

    SWITCHED_OFF = "table_override_disabled"
    MISSING = "missing_from_source"
    UNCHANGED = "unchanged_since_last_copy"


class ExcludedTable(EngineObject):
    """A table that was not copied, and why: `reason` is an `ExclusionReason` or one that is not known here."""

    asset_key: list[str] = Field(default_factory=list)
    source_schema: str | None = None
    table_name: str = ""
    reason: str = ""


class DriftAction(EngineObject):
    """What the engine did about a changed source; `table` is `catalog.schema.table`. One table may have several."""

    table: str = ""
    action: str = ""
    reason: str = ""


class Drift(EngineObject):
    """Schema drift that a replication found."""

    tables_checked: int = 0
    tables_drifted: int = 0
    actions_taken: list[DriftAction] = Field(default_factory=list)

    def actions_by_table(self) -> dict[str, list[DriftAction]]:
        """All actions of each table, in the engine's order.

        Example:
            ```python
            drift = Drift.model_validate({"actions_taken": [
                {"table": "wh.raw.t", "action": "add_columns"}, {"table": "wh.raw.t", "action": "alter_column_types"},
            ]})
            {table: [a.action for a in found] for table, found in drift.actions_by_table().items()}
            # {'wh.raw.t': ['add_columns', 'alter_column_types']}
            ```
        """
        found: dict[str, list[DriftAction]] = {}
        for action in self.actions_taken:
            found.setdefault(action.table, []).append(action)
        return found


class ModelDecision(EngineObject):
    """Why a model was built or skipped by the skip gate."""

    model: str = ""
    decision: str = ""
    reason: str = ""


class ContainedModel(EngineObject):
    """A model that was withheld because something before it failed."""

    model: str = ""
    blocked_by: list[str] = Field(default_factory=list)
    unblock_hint: str | None = None


class PartitionSummary(EngineObject):
    """How many partitions of one model were planned and built."""

    model: str = ""
    partitions_planned: int = 0
    partitions_succeeded: int = 0
    partitions_failed: int = 0


class OverrideWarning(EngineObject):
    """A table override rule that did not do what it says."""

    rule_index: int | None = None
    kind: str = ""
    message: str = ""
    connector: str | None = None
    table: str | None = None


class Permissions(EngineObject):
    """What a run granted, revoked and created beside tables."""

    grants_added: int = 0
    grants_revoked: int = 0
    catalogs_created: int = 0
    schemas_created: int = 0

    def changes(self) -> dict[str, Any]:
        """What is not zero, by its field name.

        Example:
            ```python
            Permissions(grants_added=2, schemas_created=1).changes()  # {'grants_added': 2, 'schemas_created': 1}
            ```
        """
        return {name: value for name, value in self.model_dump().items() if value}
