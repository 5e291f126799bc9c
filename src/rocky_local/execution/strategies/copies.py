"""The kinds of replication: what SQL brings a source table to its target (contract, 5.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from rocky_local import clock
from rocky_local.errors import EngineError
from rocky_local.execution.discovery import TableCopy

if TYPE_CHECKING:
    from rocky_local.adapter import Column


# How a watermark is written for columns that a plain TIMESTAMP would be compared with wrongly.
_LITERALS = {"TIMESTAMP WITH TIME ZONE": ("TIMESTAMPTZ", "+00"), "TIMESTAMP_NS": ("TIMESTAMP_NS", "")}


class CopyStrategy(ABC):
    """One kind of copy.

    Attributes:
        name: As results show it.
        purpose: As plans show it.
        appends: Whether a copy cut off half-way leaves rows that a watermark must account for.
    """

    name = ""
    purpose = ""
    appends = False

    @abstractmethod
    def sql(self, copy: TableCopy, target: str, columns: list[Column], watermark: int) -> str:
        """Return the statement.

        Args:
            copy: What to copy.
            target: The table to write, in the form that the statement should use.
            columns: The source's columns.
            watermark: Where the last copy ended, in nanoseconds since 1970.
        """

    def preview(self, copy: TableCopy, target: str, columns: list[Column]) -> str:
        """Return the statement as plans show it, which do not look at watermarks."""
        return self.sql(copy, target, columns, 0)


class FullRefreshCopy(CopyStrategy):
    """Replace the copy by everything in the source."""

    name, purpose = "full_refresh", "full_refresh_copy"

    def sql(self, copy: TableCopy, target: str, columns: list[Column], watermark: int) -> str:
        """Return the statement."""
        return f"CREATE OR REPLACE TABLE {target} AS\n{copy.select()}"


class IncrementalCopy(CopyStrategy):
    """Append the rows after the watermark; later arrivals with older timestamps are never seen."""

    name, purpose, appends = "incremental", "incremental_copy", True

    def sql(self, copy: TableCopy, target: str, columns: list[Column], watermark: int) -> str:
        """Return the statement."""
        kinds = {column.name.lower(): column.type for column in columns}
        kind, zone = _LITERALS.get(kinds.get(copy.timestamp_column.lower(), ""), ("TIMESTAMP", ""))
        after = clock.rfc3339(watermark, zone).replace("T", " ", 1)
        return f"INSERT INTO {target}\n{copy.select()}\nWHERE {copy.timestamp_column} > {kind} '{after}'"


class MergeCopy(CopyStrategy):
    """Bring every row of the source in, updating those whose keys are there."""

    name, purpose = "merge", "merge_copy"

    def sql(self, copy: TableCopy, target: str, columns: list[Column], watermark: int) -> str:
        """Return the statement.

        Raises:
            EngineError: No keys are configured.
        """
        self._check(copy, target)
        keys = {key.lower() for key in copy.merge_keys}
        others = [column.name for column in columns if column.name.lower() not in keys]
        return merge_sql(target, copy.select(), copy.merge_keys, others)

    def preview(self, copy: TableCopy, target: str, columns: list[Column]) -> str:
        """Return the statement as plans show it."""
        self._check(copy, target)
        hint = "-- preview: duckdb resolves explicit UPDATE/INSERT columns from the live source at run time"
        return f"{merge_sql(target, copy.select(), copy.merge_keys, None)}\n{hint}"

    @staticmethod
    def _check(copy: TableCopy, target: str) -> None:
        if not copy.merge_keys:
            raise EngineError(f"merge strategy for '{target}' needs merge_keys; set them on the override")


class ViewCopy(CopyStrategy):
    """A view on the source. The first run makes a table, on which this then fails, as in the real engine."""

    name, purpose = "view", "view"

    def sql(self, copy: TableCopy, target: str, columns: list[Column], watermark: int) -> str:
        """Return the statement."""
        return f"CREATE OR REPLACE VIEW {target} AS\n{copy.select()}"


COPY_STRATEGIES: dict[str, CopyStrategy] = {
    kind.name: kind for kind in (FullRefreshCopy(), IncrementalCopy(), MergeCopy(), ViewCopy())
}


def merge_sql(target: str, source: str, keys: tuple[str, ...], updated: list[str] | None) -> str:
    """Return a MERGE of a query into a table.

    Args:
        target: The table.
        source: The query.
        keys: The columns that say which rows are the same.
        updated: The columns to update; None for all of them.
    """
    matching = " AND ".join(f"t.{key} = s.{key}" for key in keys)
    assignments = "*" if updated is None else ", ".join(f"{name} = s.{name}" for name in updated)
    when_matched = f"WHEN MATCHED THEN UPDATE SET {assignments}\n" if assignments else ""
    return (
        f"MERGE INTO {target} AS t\nUSING (\n{source}\n) AS s\nON {matching}\n"
        f"{when_matched}WHEN NOT MATCHED THEN INSERT *"
    )
