"""What became of every selected asset: the ledger of a step, from which it is green or red."""

from collections.abc import Iterable
from enum import StrEnum

import dagster as dg

from dagster_rocky.planning.plan import Unit

_MAX_ROWS = 1_000
_MAX_REASON = 1_000


class Status(StrEnum):
    """What became of a selected asset."""

    MATERIALIZED = "materialized"
    CHECKED = "checked"
    UNCHANGED = "unchanged"
    EXCLUDED = "excluded"
    ABSENT = "not in this partition"
    FAILED = "failed"
    BLOCKED = "blocked"
    NOT_REPORTED = "not reported"

    @property
    def fails_the_step(self) -> bool:
        """Whether a step with such an outcome is red."""
        return self in (Status.FAILED, Status.BLOCKED, Status.NOT_REPORTED)


class OutcomeLedger:
    """Outcomes by unit; the first one that is noted stays.

    Args:
        units: What the step owes an outcome for, in the order in which it is shown.
    """

    def __init__(self, units: Iterable[Unit]) -> None:
        self._outcomes: dict[Unit, tuple[Status, str] | None] = dict.fromkeys(units)

    def note(self, unit: Unit, status: Status, reason: str = "") -> bool:
        """Sets the outcome of a unit that has none yet; returns whether it did."""
        if unit not in self._outcomes or self._outcomes[unit] is not None:
            return False
        self._outcomes[unit] = (status, reason[:_MAX_REASON])
        return True

    def contradict(self, unit: Unit, reason: str) -> None:
        """Makes a unit failed that was told as built: the engine's result says otherwise."""
        self._outcomes[unit] = (Status.FAILED, reason[:_MAX_REASON])

    def reopen(self, units: Iterable[Unit]) -> None:
        """Takes the outcomes of units back: another engine run is to give them."""
        for unit in units:
            self._outcomes[unit] = None

    def status(self, unit: Unit) -> Status | None:
        """The outcome of a unit so far."""
        outcome = self._outcomes.get(unit)
        return outcome[0] if outcome else None

    def open_units(self, units: Iterable[Unit]) -> list[Unit]:
        """Those of the units that have no outcome yet."""
        return [unit for unit in units if unit in self._outcomes and self._outcomes[unit] is None]

    def close(self, units: Iterable[Unit], status: Status, reason: str) -> None:
        """Gives the same outcome to all of the units that have none yet."""
        for unit in self.open_units(units):
            self.note(unit, status, reason)

    def failures(self) -> list[tuple[Unit, Status, str]]:
        """Everything that makes the step red."""
        return [
            (unit, *outcome)
            for unit, outcome in self._outcomes.items()
            if outcome is not None and outcome[0].fails_the_step
        ]

    def rows(self) -> list[tuple[Unit, str, str]]:
        """Units with outcome and reason, what failed first; a unit without an outcome is `not finished`."""
        rows = [(unit, outcome) for unit, outcome in self._outcomes.items()]
        rows.sort(key=lambda row: row[1] is not None and not row[1][0].fails_the_step)
        return [
            (unit, outcome[0].value, outcome[1]) if outcome else (unit, "not finished", "")
            for unit, outcome in rows
        ]

    def table(self) -> dg.TableMetadataValue:
        """All outcomes as one table: what failed first, at most a thousand rows."""
        columns = [
            dg.TableColumn("asset"),
            dg.TableColumn("partition"),
            dg.TableColumn("outcome"),
            dg.TableColumn("reason"),
        ]
        return dg.MetadataValue.table(
            records=[
                dg.TableRecord(
                    {
                        "asset": unit.asset.asset_key.to_user_string(),
                        "partition": unit.partition or "",
                        "outcome": outcome,
                        "reason": reason,
                    }
                )
                for unit, outcome, reason in self.rows()[:_MAX_ROWS]
            ],
            schema=dg.TableSchema(columns=columns),
        )

    def counts(self) -> str:
        """`3 materialized, 1 failed`, for a log line."""
        found = [outcome[0] for outcome in self._outcomes.values() if outcome is not None]
        return ", ".join(f"{found.count(status)} {status.value}" for status in Status if status in found)
