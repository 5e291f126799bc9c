"""What compiling finds wrong with a model: its placeholders, its variables, its contracts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rocky_local.project.lineage import QueryLineage
from rocky_local.project.models import Model
from rocky_local.project.sidecar import Contract

_SEVERITIES = {"E": "Error", "W": "Warning", "I": "Info"}
# What each code says, and what it suggests, of `{0}`.
_TEXTS = {
    "I001": ("SELECT * used — consider explicit column list for stability", None),
    "I002": ("{0} column(s) have unknown types — provide source schemas for full type checking", None),
    "E010": (
        "required column '{0}' missing from model output",
        "add `{0}` to the SELECT, or remove it from `[rules] required`",
    ),
    "E012": (
        "column '{0}' must be non-nullable per contract, but is nullable",
        "filter out NULLs (e.g. `WHERE {0} IS NOT NULL`) or COALESCE `{0}` to a default, "
        "or relax `nullable = true` in the contract",
    ),
    "E013": (
        "protected column '{0}' has been removed",
        "restore `{0}` in the SELECT, or remove it from `[rules] protected`",
    ),
    "E024": (
        "time_interval model must reference both `@start_date` and `@end_date` in its SQL",
        "Add `WHERE <ts_col> >= @start_date AND <ts_col> < @end_date` to the model SQL",
    ),
    "E028": (
        "run variable `{0}` is not set and has no default",
        "pass `--var {0}=<value>`, or give it a default: `@var({0}, <default>)`",
    ),
    "W010": ("contract column '{0}' not found in model output", None),
}
_TYPED = {"aggregation: count", "aggregation: avg"}


@dataclass(frozen=True)
class Diagnostic:
    """One finding about one model.

    Attributes:
        severity: `Error`, `Warning` or `Info`; a model with an error is not built.
        span: `{file, line, col}`, or None where the finding is about no place in particular.
    """

    severity: str
    code: str
    message: str
    span: dict[str, Any] | None
    model: str
    suggestion: str | None

    def as_json(self) -> dict[str, Any]:
        """Return the finding as results print it."""
        return asdict(self)


def diagnose(
    model: Model, lineage: QueryLineage, contracts: list[Contract], variables: dict[str, str]
) -> list[Diagnostic]:
    """Return the findings about a model, those about its SQL first."""
    start = {"file": model.file, "line": 1, "col": 1}
    about_sql = [(code, about, start) for code, about in _in_sql(model, lineage, variables)]
    broken = [(code, about, None) for contract in contracts for code, about in breaches(contract, lineage)]
    found = []
    for code, about, span in [*about_sql, *broken]:
        message, suggestion = (text and text.format(about) for text in _TEXTS[code])
        found.append(Diagnostic(_SEVERITIES[code[0]], code, message or "", span, model.name, suggestion))
    return found


def _in_sql(model: Model, lineage: QueryLineage, variables: dict[str, str]) -> Iterator[tuple[str, object]]:
    if lineage.has_star:
        yield "I001", ""
    known = [bool(_TYPED.intersection(lineage.transforms(column))) for column in lineage.columns]
    if any(known) and not all(known):
        yield "I002", known.count(False)
    if model.kind == "time_interval" and not ("@start_date" in model.sql and "@end_date" in model.sql):
        yield "E024", ""
    for name in dict.fromkeys(model.missing_variables(variables)):
        yield "E028", name


def breaches(contract: Contract, lineage: QueryLineage) -> Iterator[tuple[str, str]]:
    """Compare a contract with the columns that a model's query gives (contract, 2.2).

    Types are unknown on DuckDB, so declared types are never compared. A query with a star gives columns
    that nobody can name beforehand; nothing is said about those.

    Example:
        >>> from rocky_local.project.lineage import QueryLineage
        >>> from rocky_local.project.sidecar import Contract
        >>> list(breaches(Contract.model_validate({"rules": {"required": ["a"]}}), QueryLineage(["b"])))
        [('E010', 'a')]
    """

    def absent(names: Iterable[str]) -> list[str]:
        return [name for name in names if name not in lineage.columns and not lineage.has_star]

    yield from (("E010", name) for name in absent(contract.required))
    for column in contract.columns:
        if column.name not in lineage.columns:
            yield from (("W010", name) for name in absent([column.name]))
        elif not column.nullable and "aggregation: count" not in lineage.transforms(column.name):
            yield "E012", column.name
    yield from (("E013", name) for name in absent(contract.protected))
