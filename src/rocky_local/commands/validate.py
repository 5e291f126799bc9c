"""`rocky validate`: is the configuration sound, can the models be read, and what could be shorter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rocky_local import output
from rocky_local.compiler import models_below
from rocky_local.config import ADAPTER_TYPES, load_config, unsupported_adapter
from rocky_local.errors import ConfigError, EngineError
from rocky_local.models import Project, load_project

if TYPE_CHECKING:
    from rocky_local.args import Arguments
    from rocky_local.config import Config, Pipeline

Message = dict[str, Any]
_MARKS = {"ok": "ok", "lint": "note", "warn": "warn", "error": "fail"}
_SHARED_TARGETS = 3


def run(args: Arguments) -> int:
    """Print the findings; 1 when one of them is an error."""
    result = {
        **output.head("validate"),
        "valid": False,
        "adapters": [],
        "pipelines": [],
        "models": {"found": False, "count": 0, "dag_valid": False},
        "messages": [],
    }
    try:
        config = load_config(args.config)
    except ConfigError as error:
        result["messages"] = [
            _message("error", "V001", f"Failed to parse config: {error.reason}", file=args.config)
        ]
    else:
        _examine(result, config)
    result["valid"] = not any(message["severity"] == "error" for message in result["messages"])
    if args.json:
        output.print_json(result)
    else:
        output.print_text(_human(result))
    return 0 if result["valid"] else 1


def _message(severity: str, code: str, text: str, **where: str) -> Message:
    return {"severity": severity, "code": code, "message": text, **where}


def _examine(result: dict[str, Any], config: Config) -> None:
    messages: list[Message] = result["messages"]
    messages.append(_message("ok", "V001", "Config syntax valid (v2 format)", file=config.path))
    pipelines = [config.pipelines[name] for name in sorted(config.pipelines)]
    result["adapters"] = [_adapter(config, name, messages) for name in sorted(config.adapters)]
    result["pipelines"] = [_pipeline(pipeline) for pipeline in pipelines]
    if not config.adapters:
        messages.append(_message("warn", "V010", "No adapters defined", field="adapter"))
    if not pipelines:
        messages.append(_message("warn", "V020", "No pipelines defined", field="pipeline"))
    for pipeline in pipelines:
        messages += _about_pipeline(config, pipeline)
    if any(pipeline.depends_on for pipeline in pipelines):
        messages.append(_about_order(config))
    project = _about_models(result, config, pipelines)
    messages += _lint_config(config, pipelines)
    messages += _lint_models(project)


def _adapter(config: Config, name: str, messages: list[Message]) -> dict[str, Any]:
    adapter = config.adapters[name]
    known = adapter.type in ADAPTER_TYPES
    if known:
        text = f"adapter.{name}: {adapter.type}" + (" (local)" if adapter.type == "duckdb" else "")
        messages.append(_message("ok", "V010", text))
    else:
        text = f"adapter.{name}: {unsupported_adapter(adapter.type, 'unknown type')}"
        messages.append(_message("error", "V017", text, field=f"adapter.{name}.type"))
    return {"name": name, "adapter_type": adapter.type, "ok": known}


def _pipeline(pipeline: Pipeline) -> dict[str, Any]:
    copies = pipeline.type == "replication"
    return {
        "name": pipeline.name,
        "pipeline_type": pipeline.type,
        "strategy": pipeline.strategy if copies else "",
        "catalog_template": pipeline.catalog_template if copies else "",
        "schema_template": pipeline.schema_template if copies else "",
        "ok": True,
    }


def _about_pipeline(config: Config, pipeline: Pipeline) -> list[Message]:
    name, raw = f"pipeline.{pipeline.name}", pipeline.raw
    found = []
    if pipeline.type == "replication":
        found.append(_message("ok", "V021", f"{name}: schema pattern parseable"))
        text = (
            f"replication / {pipeline.strategy} -> {pipeline.catalog_template} / {pipeline.schema_template}"
        )
    elif pipeline.type == "transformation":
        folder = config.models_dir(pipeline)
        if not Path(folder).is_dir():
            missing = f"{name}: models directory '{folder}' does not exist"
            found.append(_message("warn", "V025", missing, field=f"{name}.models"))
        text = f"transformation / models='{pipeline.models_glob}'"
    elif pipeline.type == "quality":
        text = f"quality / {len(raw.get('tables', []))} table ref(s)"
    elif pipeline.type == "snapshot":
        text = f"snapshot / {_dotted(raw.get('source', {}))} -> {_dotted(raw.get('target', {}))}"
    else:
        return found
    return [*found, _message("ok", "V020", f"{name}: {text}")]


def _dotted(table: dict[str, Any]) -> str:
    return ".".join(str(table.get(part, "")) for part in ("catalog", "schema", "table"))


def _about_order(config: Config) -> Message:
    waiting = {name: set(entry.depends_on) for name, entry in sorted(config.pipelines.items())}
    order: list[str] = []
    while waiting:
        ready = next((name for name, needs in waiting.items() if needs <= set(order)), None)
        if ready is None:
            involved = ", ".join(waiting)
            text = f"pipeline dependencies are cyclic or name unknown pipelines: {involved}"
            return _message("error", "V030", text, field="pipeline")
        order.append(ready)
        del waiting[ready]
    text = f"pipeline dependency graph is acyclic (execution order: {' -> '.join(order)})"
    return _message("ok", "V030", text)


def _about_models(result: dict[str, Any], config: Config, pipelines: list[Pipeline]) -> Project | None:
    transformation = next((entry for entry in pipelines if entry.type == "transformation"), None)
    folder = config.models_dir(transformation)
    if not models_below(folder):
        return None
    try:
        project = load_project(folder)
    except EngineError as error:
        result["messages"].append(_message("error", "V030", error.message))
        return None
    count = len(project.models)
    result["models"] = {"found": True, "count": count, "dag_valid": True}
    result["messages"].append(_message("ok", "V030", f"{count} transformation models loaded"))
    try:
        project.layers()
        result["messages"].append(_message("ok", "V031", f"DAG valid ({count} nodes, no cycles)"))
    except EngineError as error:
        result["models"]["dag_valid"] = False
        result["messages"].append(_message("error", "V031", f"DAG error: {error.message}"))
    return project


def _lint_config(config: Config, pipelines: list[Pipeline]) -> list[Message]:
    found = []
    if config.raw.get("state", {}).get("backend", "local") == "local":
        text = "[state] backend='local' is the default — you can omit it"
        found.append(_message("lint", "L004", text, field="state.backend"))
    for pipeline in pipelines:
        governance = pipeline.raw.get("target", {}).get("governance", {})
        if pipeline.type == "replication" and not governance.get("auto_create_catalogs", False):
            name = f"pipeline.{pipeline.name}"
            text = f"{name}: auto_create_catalogs=false is the default — you can omit it"
            field = f"{name}.target.governance.auto_create_catalogs"
            found.append(_message("lint", "L006", text, field=field))
    (only,) = config.adapters if len(config.adapters) == 1 else ("default",)
    uses = sum(_count_uses(pipeline.raw, only) for pipeline in pipelines)
    if only != "default" and uses > 1:
        repeats = f"single-adapter project repeats adapter='{only}' {uses} times"
        found.append(_message("lint", "L007", f"{repeats} — consider unnamed [adapter]"))
    return found


def _count_uses(table: dict[str, Any], adapter: str) -> int:
    inside = sum(_count_uses(value, adapter) for value in table.values() if isinstance(value, dict))
    return inside + (table.get("adapter") == adapter)


def _lint_models(project: Project | None) -> list[Message]:
    found = []
    shared: dict[tuple[str, str], list[str]] = {}
    for model in project.models if project else ():
        if Path(model.file).stem == model.name:
            text = f"model '{model.name}' declares name='{model.name}' which matches its filename"
            found.append(_message("lint", "L001", f"{text} — you can omit it", file=model.file, field="name"))
        if model.table == model.name:
            text = f"model '{model.name}' declares target.table='{model.table}' which matches name"
            where = {"file": model.file, "field": "target.table"}
            found.append(_message("lint", "L002", f"{text} — you can omit it", **where))
        shared.setdefault((model.catalog, model.schema), []).append(model.name)
    for (catalog, schema), names in sorted(shared.items()):
        if len(names) >= _SHARED_TARGETS:
            same = f"target.catalog='{catalog}' and target.schema='{schema}'"
            text = f"models {', '.join(names)} all declare {same} — consider models/_defaults.toml"
            found.append(_message("lint", "L003", text))
    return found


def _human(result: dict[str, Any]) -> str:
    lines = [f"{_MARKS[entry['severity']]:>4} {entry['message']}" for entry in result["messages"]]
    ending = "Validation complete." if result["valid"] else "Validation failed."
    return "\n".join([*lines, "", ending])
