"""What a pipeline is made of: its steps, whose expressions are sqlglot's."""

from dataclasses import dataclass

from sqlglot import exp

Named = tuple[tuple[str, exp.Expression], ...]


@dataclass(frozen=True)
class From:
    """Read a table; `table` holds the parts of its name."""

    table: tuple[str, ...]
    alias: str | None


@dataclass(frozen=True)
class Where:
    """Keep the rows for which a condition holds."""

    condition: exp.Expression


@dataclass(frozen=True)
class Derive:
    """Add columns."""

    columns: Named


@dataclass(frozen=True)
class Group:
    """One row for each combination of keys, with aggregates."""

    keys: tuple[exp.Column, ...]
    aggregates: Named


@dataclass(frozen=True)
class Select:
    """Replace the columns."""

    columns: tuple[exp.Expression, ...]


@dataclass(frozen=True)
class Join:
    """Put the rows of another table beside those with equal keys."""

    table: str
    alias: str | None
    keys: tuple[str, ...]
    kept: tuple[exp.Expression, ...]


@dataclass(frozen=True)
class Sort:
    """Put the rows in order."""

    keys: tuple[exp.Ordered, ...]


@dataclass(frozen=True)
class Take:
    """Keep the first rows."""

    count: int


@dataclass(frozen=True)
class Distinct:
    """Keep one of equal rows."""


@dataclass(frozen=True)
class Replicate:
    """Take all columns as they are."""


Step = From | Where | Derive | Group | Select | Join | Sort | Take | Distinct | Replicate
