"""`rocky compile`: check all models without touching the warehouse."""

from contextlib import suppress
from typing import Any

from rocky_local.args import Arguments
from rocky_local.errors import ConfigError, EngineError
from rocky_local.output import Answer, head
from rocky_local.project.compiler import Compiled, Diagnostic, compile_project
from rocky_local.project.config import load_config
from rocky_local.project.hints import cost_hints, incrementality_hint
from rocky_local.project.models import Model


def run(args: Arguments) -> Answer:
    """Compile and give the findings; one that is an error fails the command."""
    masked: set[str] | None = None
    with suppress(ConfigError):
        masked = load_config(args.config).masked_tags()
    compiled = compile_project(
        args.models, contracts_dir=args.get("contracts"), variables=args.variables(), masked=masked
    )
    only = args.get("model")
    models = {model.name: model for model in compiled.project.models if only in (None, model.name)}
    if not models:
        raise EngineError(f"model '{only}' not found")
    findings = [finding for finding in compiled.diagnostics if finding.model in models]
    failed = any(finding.severity == "Error" for finding in findings)
    costs = cost_hints(compiled)
    result = {
        **head("compile"),
        "models": len(models),
        "execution_layers": sum(not models.keys().isdisjoint(layer) for layer in compiled.layers),
        "diagnostics": [finding._asdict() for finding in findings],
        "has_errors": failed,
        "compile_timings": compiled.timings,
        "models_detail": [_detail(compiled, model, costs[model.name]) for model in models.values()],
    }
    text = "" if args.json else _human(compiled, models, findings)
    return Answer(result, text, int(failed), "Error: compilation failed with errors" if failed else None)


def _detail(compiled: Compiled, model: Model, cost: dict[str, Any]) -> dict[str, Any]:
    optional = {
        "freshness": model.freshness,
        "contract_source": "auto" if model.contract is not None else None,
        "incrementality_hint": incrementality_hint(model, compiled.lineage[model.name]),
        "cost_hint": cost,
        "depends_on": list(model.depends_on),
        "tags": dict(sorted(model.tags.items())),
    }
    return {
        "name": model.name,
        "strategy": model.strategy,
        "target": {"catalog": model.catalog, "schema": model.schema, "table": model.table},
        **{key: value for key, value in optional.items() if value},
    }


def _human(compiled: Compiled, chosen: dict[str, Model], findings: list[Diagnostic]) -> str:
    failing = {finding.model for finding in findings if finding.severity == "Error"}
    lines = []
    for name in (model.name for model in compiled.listed() if model.name in chosen):
        columns = len(compiled.lineage[name].columns)
        lines.append(f"  ✗ {name}" if name in failing else f"  ✓ {name} ({columns} columns)")
    for finding in findings:
        lines.append(f"  x {finding.severity.lower()}[{finding.code}]: {finding.message}")
        lines += [f"  help: {finding.suggestion}"] if finding.suggestion else []
        lines.append("")
    errors, warnings = (sum(f.severity == kind for f in findings) for kind in ("Error", "Warning"))
    return "\n".join([*lines, f"  Compiled: {len(chosen)} models, {errors} errors, {warnings} warnings"])
