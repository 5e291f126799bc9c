"""What SQL brings a source table to its copy, and the copy in line with a changed source (contract, 5.3 and 7)."""

import re
from collections.abc import Callable
from typing import NamedTuple

from rocky_local import clock
from rocky_local.adapter import Column
from rocky_local.execution.builds import merge_sql
from rocky_local.execution.discovery import TableCopy
from rocky_local.execution.result import DriftAction, Materialization

# How a watermark is written for columns that a plain TIMESTAMP would be compared with wrongly.
_LITERALS = {"TIMESTAMP WITH TIME ZONE": ("TIMESTAMPTZ", "+00"), "TIMESTAMP_NS": ("TIMESTAMP_NS", "")}
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_PREVIEW = "-- preview: duckdb resolves explicit UPDATE/INSERT columns from the live source at run time"


class CopyStrategy(NamedTuple):
    """One kind of copy: its name in plans, its statement, and whether one cut off half-way leaves rows."""

    purpose: str
    sql: Callable[[TableCopy, str, list[Column], int | None], str]
    appends: bool = False


def _incremental(copy: TableCopy, target: str, columns: list[Column], watermark: int | None) -> str:
    """Append the rows after the watermark; later arrivals with older timestamps are never seen."""
    kinds = {column.name.lower(): column.type for column in columns}
    kind, zone = _LITERALS.get(kinds.get(copy.timestamp_column.lower(), ""), ("TIMESTAMP", ""))
    after = clock.rfc3339(watermark or 0, zone).replace("T", " ", 1)
    return f"INSERT INTO {target}\n{copy.select()}\nWHERE {copy.timestamp_column} > {kind} '{after}'"


def _merge(copy: TableCopy, target: str, columns: list[Column], watermark: int | None) -> str:
    if watermark is None:
        return f"{merge_sql(target, copy.select(), copy.merge_keys, None)}\n{_PREVIEW}"
    keys = {key.lower() for key in copy.merge_keys}
    others = [column.name for column in columns if column.name.lower() not in keys]
    return merge_sql(target, copy.select(), copy.merge_keys, others)


COPY_STRATEGIES = {
    "full_refresh": CopyStrategy(
        "full_refresh_copy", lambda copy, target, *_: f"CREATE OR REPLACE TABLE {target} AS\n{copy.select()}"
    ),
    "incremental": CopyStrategy("incremental_copy", _incremental, appends=True),
    "merge": CopyStrategy("merge_copy", _merge),
    # The first run makes a table, on which this then fails, as in the real engine.
    "view": CopyStrategy(
        "view", lambda copy, target, *_: f"CREATE OR REPLACE VIEW {target} AS\n{copy.select()}"
    ),
}


class Drift(NamedTuple):
    """One finding: its entry in the result, the log line, and the statements to run."""

    entry: DriftAction
    message: str
    fields: dict[str, int]
    statements: list[str]


class Copied(NamedTuple):
    """A table that was copied: the columns of its source, its own before that, and its entry in the result."""

    copy: TableCopy
    source_columns: list[Column]
    columns_before: list[Column]
    drift: Drift | None
    entry: Materialization


def detect(source: list[Column], target: list[Column], table: str) -> Drift | None:
    """Compare the columns of a source with its copy's; a dropped one is no drift: the next append fails on it."""
    existing = {column.name.lower(): column for column in target}
    pairs = [(column, existing.get(column.name.lower())) for column in source]
    changed = [(new, old) for new, old in pairs if old and old.type != new.type]
    unsafe = [(new, old) for new, old in changed if not widens(old.type, new.type)]
    added = [new for new, old in pairs if not old]
    statements = [f"ALTER TABLE {table} ALTER COLUMN {old.name} TYPE {new.type}" for new, old in changed]
    statements += [f"ALTER TABLE {table} ADD COLUMN {column.name} {column.type}" for column in added]
    fields = {}
    if unsafe:
        action, message = "drop_and_recreate", "dropping target"
        reason = ", ".join(f"column '{old.name}' changed {new.type} → {old.type}" for new, old in unsafe)
        statements = [f"DROP TABLE IF EXISTS {table}"]
    elif changed:
        action, message = "alter_column_types", f"widening {len(changed)} column type(s)"
        reason = ", ".join(f"column '{old.name}' widened {old.type} → {new.type}" for new, old in changed)
        fields = {"widened": len(changed)}
    elif added:
        action, message = "add_columns", f"adding {len(added)} column(s) to target"
        reason = ", ".join(f"added column '{column.name}' ({column.type})" for column in added)
        fields = {"added": len(added)}
    else:
        return None
    return Drift(DriftAction(table, action, reason), f"drift detected, {message}", fields, statements)


def widens(old: str, new: str) -> bool:
    """Return whether every value of the old type fits the new one.

    Example:
        >>> widens("INTEGER", "BIGINT"), widens("BIGINT", "VARCHAR"), widens("DECIMAL(4,1)", "DECIMAL(6,1)")
        (True, False, True)
    """
    if old in _INTEGERS and new in _INTEGERS:
        return _INTEGERS.index(new) > _INTEGERS.index(old)
    before, after = _DECIMAL.fullmatch(old), _DECIMAL.fullmatch(new)
    if before and after:
        scales = int(before[2]), int(after[2])
        return scales[0] <= scales[1] and int(before[1]) - scales[0] <= int(after[1]) - scales[1]
    return (old, new) == ("FLOAT", "DOUBLE")
