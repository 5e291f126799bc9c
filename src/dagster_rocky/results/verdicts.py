"""What did a run find out about the data? Checks, quarantined rows, row counts that stand out."""

from typing import Any

from pydantic import Field

from dagster_rocky.results.base import EngineObject


class CheckOutcome(EngineObject):
    """One evaluated check; its details (`failing_rows`, `lag_seconds`, …) are in `model_extra`.

    A check without a verdict has not passed.
    """

    name: str = ""
    passed: bool = False
    severity: str = "error"

    @property
    def details(self) -> dict[str, Any]:
        """What the engine says of this check beyond name, verdict and severity.

        Example:
            ```python
            CheckOutcome.model_validate({"name": "unique:id", "passed": False, "failing_rows": 3}).details
            # {'failing_rows': 3}
            ```
        """
        return dict(self.model_extra or {})


class CheckResult(EngineObject):
    """The evaluated checks of one asset, in the order in which the project declares them."""

    asset_key: list[str] = Field(default_factory=list)
    checks: list[CheckOutcome] = Field(default_factory=list)


class Quarantine(EngineObject):
    """Where a quality pipeline put the valid and the invalid rows of a table; `ok` is false when it could not."""

    asset_key: list[str] = Field(default_factory=list)
    mode: str = ""
    valid_table: str | None = None
    quarantine_table: str | None = None
    valid_rows: int | None = None
    quarantined_rows: int | None = None
    ok: bool | None = None
    error: str | None = None


class Anomaly(EngineObject):
    """A row count far from its history; `table` is `catalog.schema.table`."""

    table: str = ""
    current_count: int | None = None
    baseline_avg: float | None = None
    deviation_pct: float | None = None
    reason: str = ""
