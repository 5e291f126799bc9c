"""The kinds of replication: what SQL brings a source table to its target (contract, 5.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from rocky_local import clock
from rocky_local.errors import EngineError
from rocky_local.execution.discovery import TableCopy

if TYPE_CHECKING:
    from rocky_local.adapter import Column

# How a watermark is written for columns that a plain TIMESTAMP would be compared with wrongly.
_LITERALS = {"TIMESTAMP WITH TIME ZONE": ("TIMESTAMPTZ", "+00"), "TIMESTAMP_NS": ("TIMESTAMP_NS", "")}
_PREVIEW = "-- preview: duckdb resolves explicit UPDATE/INSERT columns from the live source at run time"


class CopyStrategy(NamedTuple):
    """One kind of copy: its name in results and plans, its statement, and whether one cut off half-way leaves rows."""

    name: str
    purpose: str
    sql: Callable[[TableCopy, str, list[Column], int | None], str]
    appends: bool = False


def merge_sql(target: str, source: str, keys: tuple[str, ...], updated: list[str] | None) -> str:
    """Return a MERGE of a query into a table by keys; of known rows, some columns or all (None) are updated."""
    matching = " AND ".join(f"t.{key} = s.{key}" for key in keys)
    assignments = "*" if updated is None else ", ".join(f"{name} = s.{name}" for name in updated)
    when_matched = f"WHEN MATCHED THEN UPDATE SET {assignments}\n" if assignments else ""
    return (
        f"MERGE INTO {target} AS t\nUSING (\n{source}\n) AS s\nON {matching}\n"
        f"{when_matched}WHEN NOT MATCHED THEN INSERT *"
    )


def _full_refresh(copy: TableCopy, target: str, _: list[Column], __: int | None) -> str:
    return f"CREATE OR REPLACE TABLE {target} AS\n{copy.select()}"


def _view(copy: TableCopy, target: str, _: list[Column], __: int | None) -> str:
    """The first run makes a table, on which this then fails, as in the real engine."""
    return f"CREATE OR REPLACE VIEW {target} AS\n{copy.select()}"


def _incremental(copy: TableCopy, target: str, columns: list[Column], watermark: int | None) -> str:
    """Append the rows after the watermark; later arrivals with older timestamps are never seen."""
    kinds = {column.name.lower(): column.type for column in columns}
    kind, zone = _LITERALS.get(kinds.get(copy.timestamp_column.lower(), ""), ("TIMESTAMP", ""))
    after = clock.rfc3339(watermark or 0, zone).replace("T", " ", 1)
    return f"INSERT INTO {target}\n{copy.select()}\nWHERE {copy.timestamp_column} > {kind} '{after}'"


def _merge(copy: TableCopy, target: str, columns: list[Column], watermark: int | None) -> str:
    if not copy.merge_keys:
        raise EngineError(f"merge strategy for '{target}' needs merge_keys; set them on the override")
    if watermark is None:
        return f"{merge_sql(target, copy.select(), copy.merge_keys, None)}\n{_PREVIEW}"
    keys = {key.lower() for key in copy.merge_keys}
    others = [column.name for column in columns if column.name.lower() not in keys]
    return merge_sql(target, copy.select(), copy.merge_keys, others)


COPY_STRATEGIES = {
    "full_refresh": CopyStrategy("full_refresh", "full_refresh_copy", _full_refresh),
    "incremental": CopyStrategy("incremental", "incremental_copy", _incremental, appends=True),
    "merge": CopyStrategy("merge", "merge_copy", _merge),
    "view": CopyStrategy("view", "view", _view),
}
