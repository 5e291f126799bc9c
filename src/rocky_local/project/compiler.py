"""Compile a project: parse every model, put them in order, and say what is wrong with each."""

import time
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rocky_local.errors import CompileError, NotAQuery
from rocky_local.output import Entry
from rocky_local.project import toml
from rocky_local.project.lineage import QueryCache, QueryLineage
from rocky_local.project.models import Model, Project, files_below, load_project
from rocky_local.project.sidecar import Contract, read_table
from rocky_local.tracing import Log

_PROJECT = Log("rocky_compiler::project")
_TIMINGS = Log("rocky::compile::timings")
_UNMEASURED = ("semantic_graph_ms", "typecheck_ms", "typecheck_join_keys_ms", "contracts_ms")
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


class EdgeEnd(NamedTuple):
    """A column of a model, or of a table as a query names it."""

    model: str
    column: str


class LineageEdge(NamedTuple):
    """From which column one of a model is made, and how."""

    source: EdgeEnd
    target: EdgeEnd
    transform: str


class Compiled(NamedTuple):
    """A project that parses, has all its dependencies and no cycle; its models in the order of a run."""

    project: Project
    order: list[Model]
    layers: list[list[str]]
    lineage: dict[str, QueryLineage]
    diagnostics: list[Diagnostic]
    timings: dict[str, int]

    @property
    def errors(self) -> list[Diagnostic]:
        """The findings that keep a model from being built."""
        return [finding for finding in self.diagnostics if finding.severity == "Error"]

    def log(self) -> None:
        """Write the lines of a compilation."""
        models = self.project.models
        own = sum(model.file.endswith(".rocky") for model in models)
        if own:
            _PROJECT.info("loaded .rocky models", count=own, dir=self.project.directory)
        _TIMINGS.info("compile finished", **self.timings, models=len(models))

    def column_edges(self, model: Model) -> list[LineageEdge]:
        """Return the edges into a model's columns as results print them; of computed ones the engine says nothing."""
        return [
            LineageEdge(EdgeEnd(source, read), EdgeEnd(model.name, made), transform)
            for source, read, made, transform in self.lineage[model.name].edges
            if transform != "expression"
        ]


def compile_project(
    directory: str,
    *,
    contracts_dir: str | None = None,
    variables: dict[str, str] | None = None,
    masked: Container[str] | None = None,
) -> Compiled:
    """Compile all models of a folder and log how long it took; `masked` is None where nobody asks for masks."""
    started = time.monotonic_ns()
    project = load_project(directory)
    if not project.models:
        raise CompileError(f"no models found in {directory}")
    lineage = _analyse_all(project, variables or {})
    layers = project.layers()
    loaded = time.monotonic_ns()
    found: list[Diagnostic] = []
    for model in project.models:
        query, separate = lineage[model.name], _separate_contract(contracts_dir, model)
        contracts = [contract for contract in (model.contract, separate) if contract]
        broken = (breach for contract in contracts for breach in breaches(contract, query))
        about_sql = _in_sql(model, query, variables or {})
        found += [_finding(model, code, about) for code, about in (*about_sql, *broken)]
    found += _diagnose_together(project.models, lineage, masked)
    timings = {
        "project_load_ms": (loaded - started) // 1_000_000,
        **dict.fromkeys(_UNMEASURED, 0),
        "total_ms": (time.monotonic_ns() - started) // 1_000_000,
    }
    compiled = Compiled(project, [*project.order()], layers, lineage, found, timings)
    compiled.log()
    return compiled


def _analyse_all(project: Project, variables: dict[str, str]) -> dict[str, QueryLineage]:
    found, failed = {}, []
    with QueryCache() as cache:
        for model in project.models:
            try:
                found[model.name] = cache.analyse(model.rendered(variables))
            except NotAQuery as error:
                failed.append(f"  - {model.name}: {error}")
    if failed:
        reason = "\n".join([f"{len(failed)} model(s) failed to parse:", *failed])
        raise CompileError(f"dependency resolution failed: {reason}", reason)
    return found


def _separate_contract(directory: str | None, model: Model) -> Contract | None:
    if directory is None:
        return None
    path = Path(directory, f"{model.name}.contract.toml")
    try:
        return read_table(path, Contract)
    except toml.TomlError as error:
        reason = f"failed to parse contract '{path}': {error}"
        raise CompileError(f"failed to load contracts: {reason}", reason, str(error)) from error


def models_below(directory: str) -> bool:
    """Return whether a folder holds any model."""
    return any(path.suffix in (".sql", ".rocky") for path in files_below(Path(directory)))


def _diagnose_together(
    models: Iterable[Model], lineage: dict[str, QueryLineage], masked: Container[str] | None
) -> Iterator[Diagnostic]:
    """Yield the findings about models that only show beside others or, unless that is unknown, the configuration."""
    readers: dict[str, list[str]] = {}
    for name in sorted(lineage):
        for table in dict.fromkeys(edge.source for edge in lineage[name].edges):
            readers.setdefault(table, []).append(name)
    for model in models:
        names = (model.target, ".".join(model.place[1:]))
        consumers = [reader for name in names for reader in readers.get(name, ())]
        if lineage[model.name].has_star and consumers:
            yield _finding(model, "P002", ", ".join(sorted(consumers)))
        for column, tag in sorted(model.sidecar.classification.items()):
            if masked is not None and tag not in masked:
                yield _finding(model, "W004", column, tag)


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
