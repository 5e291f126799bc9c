"""How a source table has changed since it was copied, and what brings the copy back in line (contract, 7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rocky_local.adapter import Column

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


class Drift(NamedTuple):
    """One finding: the action and its reason as results print them, the log line, and the statements to run."""

    action: str
    reason: str
    message: str
    fields: dict[str, int]
    statements: list[str]

    @property
    def recreates(self) -> bool:
        """Whether the copy is dropped and made anew."""
        return self.action == "drop_and_recreate"


def detect(source: list[Column], target: list[Column], table: str) -> Drift | None:
    """Compare the columns of a source with its copy's; a dropped one is no drift: the next append fails on it."""
    existing = {column.name.lower(): column for column in target}
    pairs = [(column, existing.get(column.name.lower())) for column in source]
    changed = [(new, old) for new, old in pairs if old and old.type != new.type]
    unsafe = [(new, old) for new, old in changed if not widens(old.type, new.type)]
    if unsafe:
        reason = ", ".join(f"column '{old.name}' changed {new.type} → {old.type}" for new, old in unsafe)
        statements = [f"DROP TABLE IF EXISTS {table}"]
        return Drift("drop_and_recreate", reason, "drift detected, dropping target", {}, statements)
    added = [new for new, old in pairs if not old]
    statements = [f"ALTER TABLE {table} ALTER COLUMN {old.name} TYPE {new.type}" for new, old in changed]
    statements += [f"ALTER TABLE {table} ADD COLUMN {column.name} {column.type}" for column in added]
    if changed:
        reason = ", ".join(f"column '{old.name}' widened {old.type} → {new.type}" for new, old in changed)
        message = f"drift detected, widening {len(changed)} column type(s)"
        return Drift("alter_column_types", reason, message, {"widened": len(changed)}, statements)
    if added:
        reason = ", ".join(f"added column '{column.name}' ({column.type})" for column in added)
        message = f"drift detected, adding {len(added)} column(s) to target"
        return Drift("add_columns", reason, message, {"added": len(added)}, statements)
    return None


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
