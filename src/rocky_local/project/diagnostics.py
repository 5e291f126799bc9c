"""What compiling finds wrong with a model: its placeholders, its variables, its contracts."""

from collections.abc import Container, Iterable, Iterator
from typing import Any

from rocky_local.output import Entry
from rocky_local.project.lineage import QueryLineage
from rocky_local.project.models import Model
from rocky_local.project.sidecar import Contract

_SEVERITIES = {"E": "Error", "W": "Warning", "P": "Warning", "I": "Info"}
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
    "E020": (
        "time_interval `time_column` '{0}' is not in the model's output columns",
        "add `{0}` to the SELECT, or name a column of the output in `[strategy] time_column`",
    ),
    "E024": (
        "time_interval model must reference both `@start_date` and `@end_date` in its SQL",
        "Add `WHERE <ts_col> >= @start_date AND <ts_col> < @end_date` to the model SQL",
    ),
    "E028": (
        "model references run variable `@var({0})` but no value was supplied and it has no inline default",
        "pass `--var {0}=<value>` or give the reference an inline default `@var({0}, <default>)`",
    ),
    "P002": (
        "SELECT * feeds downstream model(s) that read its columns by name: {0}",
        "replace `SELECT *` with the columns that are needed",
    ),
    "W004": (
        "classification tag '{1}' on column '{0}' has no matching `[mask]` strategy",
        "add `[mask.{1}]` to rocky.toml or list `{1}` in `[classifications.allow_unmasked]`",
    ),
    "W010": ("contract column '{0}' not found in model output", None),
}
_ABOUT_THE_QUERY = ("I001", "I002", "E024", "P002")
_TYPED = {"aggregation: count", "aggregation: avg"}


class Diagnostic(Entry):
    """One finding about one model, which is not built if it is an `Error`, with its place if it has one."""

    severity: str
    code: str
    message: str
    span: dict[str, Any] | None
    model: str
    suggestion: str | None


def diagnose(
    model: Model, lineage: QueryLineage, contracts: list[Contract], variables: dict[str, str]
) -> list[Diagnostic]:
    """Return the findings about a model, those about its SQL first."""
    about_sql = [_finding(model, code, about) for code, about in _in_sql(model, lineage, variables)]
    broken = (breach for contract in contracts for breach in breaches(contract, lineage))
    return [*about_sql, *(_finding(model, code, about) for code, about in broken)]


def diagnose_together(
    models: Iterable[Model], lineage: dict[str, QueryLineage], masked: Container[str] | None
) -> list[Diagnostic]:
    """Return the findings about models that only show beside others or, unless that is unknown, the configuration."""
    readers: dict[str, list[str]] = {}
    for name in sorted(lineage):
        for table in dict.fromkeys(edge.source for edge in lineage[name].edges):
            readers.setdefault(table, []).append(name)
    found = []
    for model in models:
        names = (model.target, ".".join(model.place[1:]))
        consumers = [reader for name in names for reader in readers.get(name, ())]
        if lineage[model.name].has_star and consumers:
            found.append(_finding(model, "P002", ", ".join(sorted(consumers))))
        for column, tag in sorted(model.sidecar.classification.items()):
            if masked is not None and tag not in masked:
                found.append(_finding(model, "W004", column, tag))
    return found


def _finding(model: Model, code: str, *about: object) -> Diagnostic:
    message, suggestion = (text and text.format(*about) for text in _TEXTS[code])
    span = {"file": model.file, "line": 1, "col": 1} if code in _ABOUT_THE_QUERY else None
    return Diagnostic(_SEVERITIES[code[0]], code, message or "", span, model.name, suggestion)


def _in_sql(model: Model, lineage: QueryLineage, variables: dict[str, str]) -> Iterator[tuple[str, object]]:
    if lineage.has_star:
        yield "I001", ""
    known = [bool(_TYPED.intersection(lineage.transforms(column))) for column in lineage.columns]
    if model.kind != "ephemeral" and any(known) and not all(known):
        yield "I002", known.count(False)
    if model.kind == "time_interval" and not ("@start_date" in model.sql and "@end_date" in model.sql):
        yield "E024", ""
    column = model.strategy.time_column
    if model.kind == "time_interval" and not lineage.has_star and column not in lineage.columns:
        yield "E020", column
    for name in dict.fromkeys(model.missing_variables(variables)):
        yield "E028", name


def breaches(contract: Contract, lineage: QueryLineage) -> Iterator[tuple[str, str]]:
    """Compare a contract with the columns that a model's query gives (contract, 2.2).

    Types are unknown on DuckDB, so declared types are never compared. A query with a star gives columns
    that nobody can name beforehand; nothing is said about those.

    Example:
        >>> from rocky_local.project.lineage import QueryLineage
        >>> from rocky_local.project.sidecar import Contract
        >>> from rocky_local.project.tables import checked
        >>> list(breaches(checked(Contract, {"rules": {"required": ["a"]}}), QueryLineage(["b"], [], [], [])))
        [('E010', 'a')]
    """

    def absent(names: Iterable[str]) -> list[str]:
        return [name for name in names if name not in lineage.columns and not lineage.has_star]

    yield from (("E010", name) for name in absent(contract.rules.required))
    for column in contract.columns:
        if column.name not in lineage.columns:
            yield from (("W010", name) for name in absent([column.name]))
        elif not column.nullable and "aggregation: count" not in lineage.transforms(column.name):
            yield "E012", column.name
    yield from (("E013", name) for name in absent(contract.rules.protected))
