"""Compile a project: parse every model, put them in order, and say what is wrong with each."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from rocky_local import contracts, tracing
from rocky_local.errors import CompileError
from rocky_local.lineage import LineageError, QueryLineage
from rocky_local.lineage_cache import LineageCache
from rocky_local.models import Model, Project, load_project

_TIMINGS = ("project_load", "semantic_graph", "typecheck", "typecheck_join_keys", "contracts", "total")
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
    model: str
    span: dict[str, Any] | None = None
    suggestion: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the finding as results print it."""
        return {
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "span": self.span,
            "model": self.model,
            "suggestion": self.suggestion,
        }


@dataclass
class Compiled:
    """A project that parses, has all its dependencies and no cycle.

    Attributes:
        order: The models as a run builds them.
        lineage: What each model's query gives and reads, by model name.
    """

    project: Project
    order: list[Model]
    layers: list[list[str]]
    lineage: dict[str, QueryLineage]
    diagnostics: list[Diagnostic] = field(default_factory=list)
    timings: dict[str, int] = field(default_factory=dict)

    @property
    def errors(self) -> list[Diagnostic]:
        """The findings that keep a model from being built."""
        return [finding for finding in self.diagnostics if finding.severity == "Error"]

    def log(self) -> None:
        """Write the lines of a compilation."""
        project = self.project
        if project.rocky_models:
            count, shown = project.rocky_models, tracing.Display(project.directory)
            tracing.info("rocky_compiler::project", "loaded .rocky models", count=count, dir=shown)
        tracing.info(
            "rocky::compile::timings", "compile finished", **self.timings, models=len(project.models)
        )

    def listed(self) -> list[Model]:
        """Return the models in dependency order, taking by name among those that are ready."""
        models, dependents = self.project.by_name(), self.project.dependents()
        waiting = {name: len(set(model.depends_on)) for name, model in models.items()}
        ready = sorted(name for name, count in waiting.items() if not count)
        ordered = []
        while ready:
            name = heappop(ready)
            ordered.append(models[name])
            for dependent in dependents[name]:
                waiting[dependent] -= 1
                if not waiting[dependent]:
                    heappush(ready, dependent)
        return ordered


def compile_project(
    directory: str, *, contracts_dir: str | None = None, variables: dict[str, str] | None = None
) -> Compiled:
    """Compile all models of a folder and log how long it took.

    Args:
        directory: The folder as log lines and messages should show it.
        contracts_dir: A folder of `<model>.contract.toml`; contracts beside their model always count.
        variables: The run variables for `@var(name)`.

    Raises:
        CompileError: No models, a query that cannot be parsed, an unknown or a cyclic dependency.
    """
    started = time.monotonic_ns()
    project = load_project(directory)
    if not project.models:
        raise CompileError(f"no models found in {directory}")
    lineage = _analyse_all(project, variables or {})
    layers = project.layers()
    loaded = time.monotonic_ns()
    separate = contracts.read_contracts(contracts_dir, project)
    found = [
        diagnostic
        for model in project.models
        for diagnostic in _diagnose(model, lineage[model.name], separate.get(model.name), variables or {})
    ]
    ended = time.monotonic_ns()
    spent = {"project_load": loaded - started, "total": ended - started}
    timings = {f"{name}_ms": spent.get(name, 0) // 1_000_000 for name in _TIMINGS}
    compiled = Compiled(project, project.order(), layers, lineage, found, timings)
    compiled.log()
    return compiled


def _analyse_all(project: Project, variables: dict[str, str]) -> dict[str, QueryLineage]:
    found, failed = {}, []
    with LineageCache() as cache:
        for model in project.models:
            try:
                found[model.name] = cache.analyse(model.rendered(variables))
            except LineageError as error:
                failed.append(f"  - {model.name}: {error}")
    if failed:
        reason = "\n".join([f"{len(failed)} model(s) failed to parse:", *failed])
        raise CompileError(f"dependency resolution failed: {reason}", reason)
    return found


def _diagnose(
    model: Model, lineage: QueryLineage, contract: dict[str, Any] | None, variables: dict[str, str]
) -> list[Diagnostic]:
    found = []
    start = {"file": model.file, "line": 1, "col": 1}
    known = [bool(_TYPED.intersection(lineage.transforms(column))) for column in lineage.columns]
    if any(known) and not all(known):
        unknown = f"{known.count(False)} column(s) have unknown types"
        message = f"{unknown} — provide source schemas for full type checking"
        found.append(Diagnostic("Info", "I002", message, model.name, start))
    if model.kind == "time_interval" and not ("@start_date" in model.sql and "@end_date" in model.sql):
        found.append(
            Diagnostic(
                "Error",
                "E024",
                "time_interval model must reference both `@start_date` and `@end_date` in its SQL",
                model.name,
                start,
                "Add `WHERE <ts_col> >= @start_date AND <ts_col> < @end_date` to the model SQL",
            )
        )
    for name in dict.fromkeys(model.missing_variables(variables)):
        found.append(
            Diagnostic(
                "Error",
                "E028",
                f"run variable `{name}` is not set and has no default",
                model.name,
                start,
                f"pass `--var {name}=<value>`, or give it a default: `@var({name}, <default>)`",
            )
        )
    for terms in filter(None, (model.contract, contract)):
        found += [
            Diagnostic(breach.severity, breach.code, breach.message, model.name, None, breach.suggestion)
            for breach in contracts.check(terms, lineage)
        ]
    return found


def models_below(directory: str) -> bool:
    """Return whether a folder holds any model."""
    root = Path(directory)
    return any(root.rglob("*.sql")) or any(root.rglob("*.rocky"))
