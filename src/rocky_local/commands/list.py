"""`rocky list`: what a project holds: pipelines, adapters, models, sources, and a model's neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rocky_local import output
from rocky_local.config import load_config
from rocky_local.errors import EngineError
from rocky_local.models import Project, load_project

if TYPE_CHECKING:
    from rocky_local.args import Arguments
    from rocky_local.config import Config, Pipeline

_KINDS = ("pipelines", "adapters", "models", "sources", "deps", "consumers")


def run(args: Arguments) -> int:
    """Print one list."""
    kind = args.positionals[0] if args.positionals else ""
    if kind not in _KINDS:
        raise EngineError(f"unknown list '{kind}'; choose one of {', '.join(_KINDS)}")
    if kind in ("deps", "consumers") and len(args.positionals) == 1:
        raise EngineError(f"name the model: rocky list {kind} <MODEL>")
    config = load_config(args.config)
    if kind in ("deps", "consumers"):
        result = _neighbours(_project(args, config), kind, args.positionals[1])
    elif kind == "models":
        result = {"models": _models(_project(args, config))}
    elif kind == "pipelines":
        result = {"pipelines": [_pipeline(config.pipelines[name]) for name in sorted(config.pipelines)]}
    elif kind == "adapters":
        adapters = [config.adapters[name] for name in sorted(config.adapters)]
        result = {"adapters": [{"name": entry.name, "adapter_type": entry.type} for entry in adapters]}
    else:
        pipelines = [config.pipelines[name] for name in sorted(config.pipelines)]
        result = {"sources": [_source(entry) for entry in pipelines if entry.type == "replication"]}
    result = {**output.head(f"list_{kind}"), **result}
    if args.json:
        output.print_json(result)
    else:
        output.print_text(_human(result))
    return 0


def _project(args: Arguments, config: Config) -> Project:
    return load_project(args.get("models") or config.models_dir())


def _pipeline(pipeline: Pipeline) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": pipeline.name,
        "pipeline_type": pipeline.type,
        "target_adapter": pipeline.adapter,
    }
    if pipeline.type == "replication":
        entry["source_adapter"] = pipeline.source_adapter
    entry["depends_on"] = list(pipeline.depends_on)
    entry["concurrency"] = "adaptive" if pipeline.execution.adaptive else str(pipeline.execution.concurrency)
    return entry


def _models(project: Project) -> list[dict[str, Any]]:
    return [
        {
            "name": model.name,
            "target": model.target,
            "strategy": model.kind,
            "depends_on": list(model.depends_on),
            "has_contract": model.contract is not None,
        }
        for model in sorted(project.models, key=lambda model: model.name)
    ]


def _source(pipeline: Pipeline) -> dict[str, Any]:
    discovery = pipeline.raw.get("source", {}).get("discovery", {})
    entry: dict[str, Any] = {
        "pipeline": pipeline.name,
        "adapter": pipeline.source_adapter,
        "schema_prefix": pipeline.pattern.prefix,
    }
    if "adapter" in discovery:
        entry["discovery_adapter"] = discovery["adapter"]
    entry["components"] = list(pipeline.pattern.components)
    return entry


def _neighbours(project: Project, kind: str, name: str) -> dict[str, Any]:
    model = project.by_name().get(name)
    if model is None:
        raise EngineError(f"model '{name}' not found")
    if kind == "deps":
        return {"model": name, "direction": "depends_on", "related": list(model.depends_on)}
    return {"model": name, "direction": "consumed_by", "related": project.dependents()[name]}


def _human(result: dict[str, Any]) -> str:
    rows = next(value for value in result.values() if isinstance(value, list))
    lines = []
    for row in rows:
        cells = row.values() if isinstance(row, dict) else [row]
        lines.append("  ".join(", ".join(cell) if isinstance(cell, list) else str(cell) for cell in cells))
    return "\n".join(lines) or "nothing found"
