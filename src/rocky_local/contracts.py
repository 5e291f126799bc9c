"""Contracts: what a model promises about its columns, and where its query breaks it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rocky_local import toml
from rocky_local.errors import CompileError

if TYPE_CHECKING:
    from rocky_local.lineage import QueryLineage
    from rocky_local.models import Project


@dataclass(frozen=True)
class Breach:
    """One broken promise."""

    severity: str
    code: str
    message: str
    suggestion: str


def read_contracts(directory: str | None, project: Project) -> dict[str, dict[str, Any]]:
    """Return the contracts of a separate folder by model name.

    Raises:
        CompileError: A contract cannot be read.
    """
    found = {}
    for model in project.models if directory else ():
        path = Path(str(directory), f"{model.name}.contract.toml")
        if path.is_file():
            try:
                found[model.name] = toml.parse(path.read_text(encoding="utf-8"))
            except toml.TomlError as error:
                reason = f"failed to parse contract '{path}': {error}"
                raise CompileError(f"failed to load contracts: {reason}", reason, str(error)) from error
    return found


def check(contract: dict[str, Any], lineage: QueryLineage) -> list[Breach]:
    """Compare a contract with the columns that a model's query gives.

    Types are unknown on DuckDB, so declared types are never compared. A query with a star gives columns
    that nobody can name beforehand; nothing is said about those.

    Example:
        >>> from rocky_local.lineage import QueryLineage
        >>> [breach.code for breach in check({"rules": {"required": ["a"]}}, QueryLineage(["b"]))]
        ['E010']
    """
    rules = contract.get("rules", {})
    present = set(lineage.columns)
    found = []
    if not lineage.has_star:
        found += [_required(name) for name in rules.get("required", ()) if name not in present]
    for column in contract.get("columns", ()):
        name = column["name"]
        if name not in present:
            if not lineage.has_star:
                found.append(_absent(name))
        elif column.get("nullable") is False and "aggregation: count" not in lineage.transforms(name):
            found.append(_nullable(name))
    if not lineage.has_star:
        found += [_removed(name) for name in rules.get("protected", ()) if name not in present]
    return found


def _required(name: str) -> Breach:
    return Breach(
        "Error",
        "E010",
        f"required column '{name}' missing from model output",
        f"add `{name}` to the SELECT, or remove it from `[rules] required`",
    )


def _absent(name: str) -> Breach:
    return Breach(
        "Warning",
        "W010",
        f"contract defines column '{name}' but it is not in model output",
        f"add `{name}` to the SELECT, or remove it from the contract",
    )


def _nullable(name: str) -> Breach:
    return Breach(
        "Error",
        "E012",
        f"column '{name}' must be non-nullable per contract, but is nullable",
        f"filter out NULLs (e.g. `WHERE {name} IS NOT NULL`) or COALESCE `{name}` to a default, "
        "or relax `nullable = true` in the contract",
    )


def _removed(name: str) -> Breach:
    return Breach(
        "Error",
        "E013",
        f"protected column '{name}' has been removed",
        f"restore `{name}` in the SELECT, or remove it from `[rules] protected`",
    )
