"""Compile a project: parse every model, put them in order, and say what is wrong with each."""

import time
from collections.abc import Container
from pathlib import Path
from typing import Any, NamedTuple

from rocky_local.errors import CompileError
from rocky_local.project import toml
from rocky_local.project.diagnostics import Diagnostic as Diagnostic  # noqa: PLC0414
from rocky_local.project.diagnostics import diagnose, diagnose_together
from rocky_local.project.lineage import LineageError, QueryLineage
from rocky_local.project.models import Model, Project, files_below, load_project
from rocky_local.project.query_cache import QueryCache
from rocky_local.project.sidecar import Contract, read_table
from rocky_local.tracing import Log

_PROJECT = Log("rocky_compiler::project")
_TIMINGS = Log("rocky::compile::timings")
_UNMEASURED = ("semantic_graph_ms", "typecheck_ms", "typecheck_join_keys_ms", "contracts_ms")


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

    def column_edges(self, model: Model) -> list[dict[str, Any]]:
        """Return the edges into a model's columns as results print them; of computed ones the engine says nothing."""
        return [
            {
                "source": {"model": edge.source, "column": edge.source_column},
                "target": {"model": model.name, "column": edge.column},
                "transform": edge.transform,
            }
            for edge in self.lineage[model.name].edges
            if edge.transform != "expression"
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
        contracts = [model.contract, _separate_contract(contracts_dir, model)]
        found += diagnose(model, lineage[model.name], [each for each in contracts if each], variables or {})
    found += diagnose_together(project.models, lineage, masked)
    timings = {
        "project_load_ms": (loaded - started) // 1_000_000,
        **dict.fromkeys(_UNMEASURED, 0),
        "total_ms": (time.monotonic_ns() - started) // 1_000_000,
    }
    compiled = Compiled(project, project.order(), layers, lineage, found, timings)
    compiled.log()
    return compiled


def _analyse_all(project: Project, variables: dict[str, str]) -> dict[str, QueryLineage]:
    found, failed = {}, []
    with QueryCache() as cache:
        for model in project.models:
            try:
                found[model.name] = cache.analyse(model.rendered(variables))
            except LineageError as error:
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
