"""`rocky compile`: check all models without touching the warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rocky_local import output
from rocky_local.compiler import Compiled, Diagnostic, compile_project
from rocky_local.errors import EngineError
from rocky_local.hints import cost_hints, incrementality_hint

if TYPE_CHECKING:
    from rocky_local.args import Arguments
    from rocky_local.models import Model


def run(args: Arguments) -> int:
    """Compile, print the findings, and fail when one of them is an error."""
    compiled = compile_project(
        args.get("models") or "models", contracts_dir=args.get("contracts"), variables=args.variables()
    )
    chosen = _chosen(compiled, args.get("model"))
    findings = [finding for finding in compiled.diagnostics if finding.model in chosen]
    details = _details(compiled, chosen)
    failed = any(finding.severity == "Error" for finding in findings)
    if args.json:
        output.print_json(
            {
                **output.head("compile"),
                "models": len(chosen),
                "execution_layers": sum(bool(chosen.intersection(layer)) for layer in compiled.layers),
                "diagnostics": [finding.as_json() for finding in findings],
                "has_errors": failed,
                "compile_timings": compiled.timings,
                "models_detail": details,
            }
        )
    else:
        output.print_text(_human(compiled, chosen, findings))
    if failed:
        raise EngineError("compilation failed with errors")
    return 0


def _chosen(compiled: Compiled, name: str | None) -> set[str]:
    names = {model.name for model in compiled.project.models}
    if name is None:
        return names
    if name not in names:
        raise EngineError(f"model '{name}' not found")
    return {name}


def _details(compiled: Compiled, chosen: set[str]) -> list[dict[str, Any]]:
    costs = cost_hints(compiled)
    return [
        _detail(model, incrementality_hint(model, compiled.lineage[model.name].columns), costs[model.name])
        for model in compiled.project.models
        if model.name in chosen
    ]


def _detail(model: Model, hint: dict[str, Any] | None, cost: dict[str, Any]) -> dict[str, Any]:
    optional = {
        "freshness": model.freshness,
        "contract_source": "auto" if model.contract is not None else None,
        "incrementality_hint": hint,
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


def _human(compiled: Compiled, chosen: set[str], findings: list[Diagnostic]) -> str:
    failing = {finding.model for finding in findings if finding.severity == "Error"}
    lines = []
    for model in compiled.listed():
        if model.name in failing:
            lines.append(f"  ✗ {model.name}")
        elif model.name in chosen:
            lines.append(f"  ✓ {model.name} ({len(compiled.lineage[model.name].columns)} columns)")
    for finding in findings:
        lines.append(f"  x {finding.severity.lower()}[{finding.code}]: {finding.message}")
        lines += [f"  help: {finding.suggestion}"] if finding.suggestion else []
        lines.append("")
    counts = {kind: sum(f.severity == kind for f in findings) for kind in ("Error", "Warning")}
    lines.append(f"  Compiled: {len(chosen)} models, {counts['Error']} errors, {counts['Warning']} warnings")
    return "\n".join(lines)
