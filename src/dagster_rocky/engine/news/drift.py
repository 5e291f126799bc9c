"""Which columns changed, from what to what, as the words of a drift action tell (contract, section 7)?"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NEXT = r"(?=, (?:added )?column '|$)"
_WORDS = {
    "added": re.compile(rf"added column '(?P<column>.+?)' \((?P<after>.+?)\){_NEXT}"),
    "widened": re.compile(rf"column '(?P<column>.+?)' widened (?P<before>.+?) → (?P<after>.+?){_NEXT}"),
    # The engine tells the new type first here.
    "changed": re.compile(rf"column '(?P<column>.+?)' changed (?P<after>.+?) → (?P<before>.+?){_NEXT}"),
}


@dataclass(frozen=True)
class ColumnChange:
    """One column of a source table that changed; without `before` it is new."""

    column: str
    before: str | None
    after: str

    def __str__(self) -> str:
        """For people."""
        if self.before is None:
            return f"new column {self.column!r} ({self.after})"
        return f"column {self.column!r} from {self.before} to {self.after}"


def column_changes(reason: str) -> Sequence[ColumnChange]:
    """The changes that the reason of a drift action names.

    Args:
        reason: The engine's words.

    Returns:
        One for each column in the order of the words; none when they say anything else too.

    Example:
        ```python
        column_changes("column 'pct' changed VARCHAR → BIGINT")
        # [ColumnChange(column='pct', before='BIGINT', after='VARCHAR')]
        ```
    """
    found: list[tuple[int, ColumnChange]] = []
    rest = reason
    for pattern in _WORDS.values():
        for match in pattern.finditer(reason):
            told = match.groupdict()
            found.append((match.start(), ColumnChange(told["column"], told.get("before"), told["after"])))
            rest = rest.replace(match.group(), "", 1)
    return [] if rest.strip(", ") else [change for _, change in sorted(found, key=lambda one: one[0])]
