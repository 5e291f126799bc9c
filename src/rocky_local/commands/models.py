"""What can be said of models without building them: `compile`, `emit-sql`, `lineage`, `estimate`."""

import json
import re
from contextlib import suppress
from typing import Any

from rocky_local.args import Arguments
from rocky_local.errors import ConfigError, EngineError, Unsupported
from rocky_local.execution.builds import statement_outside_of_a_run, strategy_of
from rocky_local.output import Answer, Entry
from rocky_local.project.compiler import Compiled, Diagnostic, EdgeEnd, LineageEdge, compile_project
from rocky_local.project.config import load_config
from rocky_local.project.lineage import QueryLineage
from rocky_local.project.models import Model, load_project
from rocky_local.project.tables import Place
from rocky_local.tracing import Log

_LOG = Log("rocky_compiler::incrementality")
_SOURCE_ROWS, _SOURCE_COST = 10_000, 2.28e-05
_BYTES_PER_ROW = 256
_KEPT_FRACTION = 0.8
_COST_PER_ROW = 5e-9
_TIMESTAMP = re.compile(r"_(at|date|time|timestamp|ts)$")
_NUMBER = re.compile(r"(^|_)id$")
_EXISTING_TARGET = """\
-- NOTE: incremental/merge statement — operates on an existing target.
-- `rocky run` bootstraps the table on first build and threads the
-- incremental watermark from state; this static SQL does neither.
"""


class _CostHint(Entry):
    estimated_rows: int
    estimated_bytes: int
    estimated_cost_usd: float
    confidence: str


class _IncrementalityHint(Entry):
    is_candidate: bool
    recommended_column: str
    confidence: str
    signals: list[str]


class _ModelDetail(Entry):
    name: str
    strategy: dict[str, Any]
    target: Place
    freshness: dict[str, Any] | None = None
    contract_source: str | None = None
    incrementality_hint: _IncrementalityHint | None = None
    cost_hint: _CostHint | None = None
    depends_on: tuple[str, ...] | None = None
    tags: dict[str, str] | None = None


class _Estimate(Entry):
    model_name: str
    raw_explain: str


class _LineageNode(Entry):
    """A model with its schema, or a table that no model builds."""

    model: str
    target_schema: str | None = None
    source_id: str | None = None


def answer_compile(args: Arguments) -> Answer:
    """Give the findings about all models, or one; one that is an error fails the command."""
    masked: set[str] | None = None
    with suppress(ConfigError):
        masked = load_config(args.config).masked_tags()
    contracts, variables = args.get("contracts"), args.variables
    compiled = compile_project(args.models, contracts_dir=contracts, variables=variables, masked=masked)
    models = {model.name: model for model in compiled.project.chosen(args.get("model"))}
    findings = [finding for finding in compiled.diagnostics if finding.model in models]
    failed = any(finding.severity == "Error" for finding in findings)
    costs = _cost_hints(compiled)
    result = {
        "models": len(models),
        "execution_layers": sum(not models.keys().isdisjoint(layer) for layer in compiled.layers),
        "diagnostics": findings,
        "has_errors": failed,
        "compile_timings": compiled.timings,
        "models_detail": [_detail(compiled, model, costs[model.name]) for model in models.values()],
    }
    answer = Answer("compile", result, _human(compiled, models, findings))
    return answer.unless(failed, "compilation failed with errors")


def _detail(compiled: Compiled, model: Model, cost: _CostHint) -> _ModelDetail:
    return _ModelDetail(
        model.name,
        model.strategy.shown(),
        model.place,
        model.freshness or None,
        contract_source="auto" if model.contract else None,
        incrementality_hint=_incrementality_hint(model, compiled.lineage[model.name]),
        cost_hint=cost,
        depends_on=model.depends_on or None,
        tags=dict(sorted(model.tags.items())) or None,
    )


def _cost_hints(compiled: Compiled) -> dict[str, _CostHint]:
    """Estimate each model: one without dependencies has 10,000 rows, any other four fifths of what it reads."""
    hints: dict[str, _CostHint] = {}
    for model in compiled.order:
        rows, cost, confidence = _SOURCE_ROWS, _SOURCE_COST, "high"
        if model.depends_on:
            above = [hints[name] for name in dict.fromkeys(model.depends_on)]
            read = sum(hint.estimated_rows for hint in above)
            rows, confidence = int(read * _KEPT_FRACTION), "medium"
            cost = sum(hint.estimated_cost_usd for hint in above) + read * _COST_PER_ROW
        hints[model.name] = _CostHint(rows, rows * _BYTES_PER_ROW, cost, confidence)
    return hints


def _incrementality_hint(model: Model, query: QueryLineage) -> _IncrementalityHint | None:
    """Name the column by which a fully refreshed model could be built incrementally, and log it."""
    named = [name for kind in (_TIMESTAMP, _NUMBER) for name in query.columns if kind.search(name)]
    column = next(iter([*named, *(name for name in query.order if name in query.columns)]), None)
    if model.kind != "full_refresh" or column is None:
        return None
    stamp = _TIMESTAMP.search(column)
    why = f"ends with '{stamp[0]}' (timestamp pattern)" if stamp else "matches auto-increment ID pattern"
    confidence, signals = "medium", [f"column name '{column}' {why}"]
    if not named:
        confidence, signals = "low", [f"column '{column}' appears in ORDER BY (suggests monotonic ordering)"]
    if re.search(rf"\b{re.escape(column)}\s*[<>]", model.sql):
        signals.append(f"column '{column}' used with comparison operator in SQL (suggests range filtering)")
    _LOG.info(
        "incrementality candidate detected",
        model=model.name,
        column=column,
        confidence=confidence.capitalize(),
        signals=json.dumps(signals),
    )
    return _IncrementalityHint(True, column, confidence, signals)


def _human(compiled: Compiled, chosen: dict[str, Model], findings: list[Diagnostic]) -> str:
    failing = {finding.model for finding in findings if finding.severity == "Error"}
    lines = []
    for name in (model.name for model in compiled.project.order(by_name=True) if model.name in chosen):
        columns = len(compiled.lineage[name].columns)
        lines.append(f"  ✗ {name}" if name in failing else f"  ✓ {name} ({columns} columns)")
    for finding in findings:
        lines.append(f"  x {finding.severity.lower()}[{finding.code}]: {finding.message}")
        lines += [f"  help: {finding.suggestion}"] if finding.suggestion else []
        lines.append("")
    errors, warnings = (sum(f.severity == kind for f in findings) for kind in ("Error", "Warning"))
    return "\n".join([*lines, f"  Compiled: {len(chosen)} models, {errors} errors, {warnings} warnings"])


def answer_emit_sql(args: Arguments) -> Answer:
    """Give the statement that builds each model, in the order of a run, in any output form as plain SQL."""
    variables, emitted, left = args.variables, [], []
    project = compile_project(args.models, variables=variables).project
    chosen = project.chosen(args.get("model"))
    for model in (model for model in project.order(by_name=True) if model in chosen):
        try:
            sql = statement_outside_of_a_run(model, model.rendered(variables))
            note = _EXISTING_TARGET if strategy_of(model).bootstrap else ""
            emitted.append(f"-- model: {model.name}\n{note}{sql};")
        except EngineError as error:
            left.append(f"  - {model.name} ({error.message})")
    closing = "\n".join([f"emit-sql: {len(left)} model(s) not emitted:", *left]) if left else None
    return Answer("emit-sql", {}, "\n\n".join(emitted), closing=closing)


def answer_estimate(args: Arguments) -> Answer:
    """Give DuckDB's plan for each model whose statement can be written without a run and refers to what is there."""
    config, found = load_config(args.config), []
    with config.open(next(iter(config.adapter), "default")) as adapter:
        models = load_project(args.models).chosen(args.get("model"))
        for model in sorted(models, key=lambda model: model.name):
            with suppress(EngineError):
                sql = statement_outside_of_a_run(model, model.rendered(args.variables))
                plan = str(adapter.query(f"EXPLAIN {sql}")[0][1])
                found.append(_Estimate(model.name, plan))
    return Answer("estimate", {"estimates": found, "total_models": len(found)})


def answer_lineage(args: Arguments) -> Answer:
    """Give where the columns of a model come from and go to, or the trace of one of its columns."""
    if args.get("format") not in (None, "json"):
        raise Unsupported(f"lineage --format {args.get('format')}")
    name, _, dotted = args.positionals[0].partition(".")
    column = args.get("column") or dotted
    compiled = compile_project(args.models)
    model, down = compiled.project.find(name), args.has("downstream")
    found = _of_column(compiled, name, column, down) if column else _of_model(compiled, model)
    return Answer("lineage", {"model": name, **found})


def _of_model(compiled: Compiled, model: Model) -> dict[str, Any]:
    edges, known = compiled.column_edges(model), compiled.project.by_name()
    names = dict.fromkeys([model.name, *(edge.source.model for edge in edges)])
    return {
        "columns": [{"name": name} for name in compiled.lineage[model.name].columns],
        "upstream": list(model.depends_on),
        "downstream": compiled.project.consumers(model.name),
        "edges": edges,
        "nodes": [
            _LineageNode(name, known[name].place.schema)
            if name in known
            else _LineageNode(name, source_id=name)
            for name in names
        ],
    }


def _of_column(compiled: Compiled, model: str, column: str, downstream: bool) -> dict[str, Any]:
    edges: dict[EdgeEnd, list[LineageEdge]] = {}
    for edge in dict.fromkeys(edge for each in compiled.order for edge in compiled.column_edges(each)):
        edges.setdefault(edge.source if downstream else edge.target, []).append(edge)
    waiting, trace = [EdgeEnd(model, column)], []
    for end in waiting:
        # An end that is met again gives nothing new.
        found = edges.pop(end, [])
        trace += found
        waiting += [edge.target if downstream else edge.source for edge in found]
    return {"column": column, "direction": "downstream" if downstream else "upstream", "trace": trace}
