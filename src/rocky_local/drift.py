"""How a source table has changed since it was copied, and what brings the copy back in line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rocky_local.adapter import Column

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


@dataclass(frozen=True)
class Drift:
    """One finding: the action and its reason as results print them, and the statements that carry it out.

    Attributes:
        recreate: Whether the copy is dropped and made anew.
    """

    action: str
    reason: str
    message: str
    fields: dict[str, int]
    statements: tuple[str, ...]
    recreate: bool = False


def detect(source: list[Column], target: list[Column], table: str) -> Drift | None:
    """Compare the columns of a source with those of its copy.

    A dropped source column is no drift: the copy keeps it and the next append fails on it.

    Args:
        source: The source's columns.
        target: The copy's columns.
        table: The full name of the copy.
    """
    existing = {column.name.lower(): column for column in target}
    changed = [
        (column, existing[column.name.lower()])
        for column in source
        if column.name.lower() in existing and existing[column.name.lower()].type != column.type
    ]
    unsafe = [(new, old) for new, old in changed if not widens(old.type, new.type)]
    if unsafe:
        reason = ", ".join(f"column '{old.name}' changed {new.type} → {old.type}" for new, old in unsafe)
        return Drift(
            "drop_and_recreate",
            reason,
            "drift detected, dropping target",
            {},
            (f"DROP TABLE IF EXISTS {table}",),
            recreate=True,
        )
    added = [column for column in source if column.name.lower() not in existing]
    if changed:
        reason = ", ".join(f"column '{old.name}' widened {old.type} → {new.type}" for new, old in changed)
        statements = [f"ALTER TABLE {table} ALTER COLUMN {old.name} TYPE {new.type}" for new, old in changed]
        message = f"drift detected, widening {len(changed)} column type(s)"
        return Drift("alter_column_types", reason, message, {"widened": len(changed)}, tuple(statements))
    if added:
        reason = ", ".join(f"added column '{column.name}' ({column.type})" for column in added)
        statements = [f"ALTER TABLE {table} ADD COLUMN {column.name} {column.type}" for column in added]
        message = f"drift detected, adding {len(added)} column(s) to target"
        return Drift("add_columns", reason, message, {"added": len(added)}, tuple(statements))
    return None


def widens(old: str, new: str) -> bool:
    """Return whether every value of the old type fits the new one.

    Example:
        >>> widens("INTEGER", "BIGINT"), widens("BIGINT", "VARCHAR"), widens("DECIMAL(4,1)", "DECIMAL(6,1)")
        (True, False, True)
    """
    if old in _INTEGERS and new in _INTEGERS:
        return _INTEGERS.index(new) > _INTEGERS.index(old)
    if (old, new) == ("FLOAT", "DOUBLE"):
        return True
    before, after = _DECIMAL.fullmatch(old), _DECIMAL.fullmatch(new)
    if before and after:
        scale_grows = int(after[2]) >= int(before[2])
        return scale_grows and int(after[1]) - int(after[2]) >= int(before[1]) - int(before[2])
    return False
