"""`rocky validate`: is the configuration sound, can the models be read, and what could be shorter."""

from collections.abc import Iterator
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from rocky_local.args import Arguments
from rocky_local.errors import ConfigError, EngineError
from rocky_local.output import Answer, Entry, head
from rocky_local.project.compiler import models_below
from rocky_local.project.config import ADAPTER_TYPES, Config, load_config, unsupported_adapter
from rocky_local.project.models import load_project
from rocky_local.project.pipeline import Pipeline

_MARKS = {"ok": "ok", "lint": "note", "warn": "warn", "error": "fail"}
_SHARED_TARGETS = 3
# The checks that a quality pipeline says nothing with, and that `validate` names.
_NEVER_RUN = ("freshness", "null_rate", "cross_source_overlap")
_OMIT = "you can omit it"
# What is said of a sound pipeline with so many tables; a load pipeline gets no message.
_SUMMARIES = {
    "replication": "{0.strategy} -> {0.target.catalog_template} / {0.target.schema_template}",
    "transformation": "models='{0.models}'",
    "quality": "{1} table ref(s)",
    "snapshot": "{0.source.catalog}.{0.source.schema}.{0.source.table} -> "
    "{0.target.catalog}.{0.target.schema}.{0.target.table}",
}


class Message(Entry):
    """One finding, with its place if it has one."""

    severity: str
    code: str
    message: str
    file: str | None = None
    field: str | None = None


def answer_validate(args: Arguments) -> Answer:
    """Give the findings, advice last; one that is an error fails the command."""
    nothing = {"found": False, "count": 0, "dag_valid": False}
    about: dict[str, Any] = {"adapters": [], "pipelines": [], "models": nothing}
    try:
        messages = list(_examine(load_config(args.config), about))
    except ConfigError as error:
        reason = f"Failed to parse config: {error.reason}"
        messages = [Message("error", "V001", reason, file=args.config)]
    messages.sort(key=lambda found: found.severity == "lint")
    valid = all(found.severity != "error" for found in messages)
    lines = [f"{_MARKS[found.severity]:>4} {found.message}" for found in messages]
    lines += ["", "Validation complete." if valid else "Validation failed."]
    result = {**head("validate"), "valid": valid, **about, "messages": messages}
    return Answer(result, "\n".join(lines), int(not valid))


def _examine(config: Config, about: dict[str, Any]) -> Iterator[Message]:
    """Go through everything that is configured; what is there goes into `about`."""
    pipelines = [config.pipelines[name] for name in sorted(config.pipelines)]
    yield Message("ok", "V001", "Config syntax valid (v2 format)", file=config.path)
    if config.settings.state.get("backend", "local") == "local":
        text = f"[state] backend='local' is the default — {_OMIT}"
        yield Message("lint", "L004", text, field="state.backend")
    for name, adapter in sorted(config.adapters.items()):
        known = adapter.type in ADAPTER_TYPES
        about["adapters"].append({"name": name, "adapter_type": adapter.type, "ok": known})
        if known:
            local = " (local)" if adapter.type == "duckdb" else ""
            yield Message("ok", "V010", f"adapter.{name}: {adapter.type}{local}")
        else:
            text = f"adapter.{name}: {unsupported_adapter(adapter.type, 'unknown type')}"
            yield Message("error", "V017", text, field=f"adapter.{name}.type")
    if not config.adapters:
        yield Message("warn", "V010", "No adapters defined", field="adapter")
    if not pipelines:
        yield Message("warn", "V020", "No pipelines defined", field="pipeline")
    for pipeline in pipelines:
        yield from _about_pipeline(config, pipeline, about["pipelines"])
    only = next(iter(config.adapters), "default")
    uses = sum(_count_uses(pipeline.written, only) for pipeline in pipelines)
    if len(config.adapters) == 1 and only != "default" and uses > 1:
        repeats = f"single-adapter project repeats adapter='{only}' {uses} times"
        yield Message("lint", "L007", f"{repeats} — consider unnamed [adapter]")
    if any(pipeline.depends_on for pipeline in pipelines):
        yield _about_order(pipelines)
    building = next((pipeline for pipeline in pipelines if pipeline.type == "transformation"), None)
    yield from _about_models(config.models_dir(building), about["models"])


def _about_pipeline(config: Config, pipeline: Pipeline, listed: list[dict[str, Any]]) -> Iterator[Message]:
    kind, name, target = pipeline.type, f"pipeline.{pipeline.name}", pipeline.target
    if kind == "replication":
        yield Message("ok", "V021", f"{name}: schema pattern parseable")
        if not target.governance.auto_create_catalogs:
            advice = f"{name}: auto_create_catalogs=false is the default — {_OMIT}"
            yield Message("lint", "L006", advice, field=f"{name}.target.governance.auto_create_catalogs")
    elif kind == "transformation" and not Path(config.models_dir(pipeline)).is_dir():
        missing = f"{name}: models directory '{config.models_dir(pipeline)}' does not exist"
        yield Message("warn", "V025", missing, field=f"{name}.models")
    if kind in _SUMMARIES:
        text = _SUMMARIES[kind].format(pipeline, len(pipeline.tables))
        yield Message("ok", "V020", f"{name}: {kind} / {text}")
    for check in _NEVER_RUN if kind == "quality" else ():
        if check in pipeline.checks.written:
            idle = f"{name}: checks.{check} is configured but a quality pipeline does not execute it"
            advice = "the check never runs (no-op). Move it to a pipeline type that runs it, or remove it."
            yield Message("warn", "V034", f"{idle} — {advice}", field=f"{name}.checks.{check}")
    strategy = pipeline.strategy if kind == "replication" else ""
    templates = {"catalog_template": target.catalog_template, "schema_template": target.schema_template}
    known = {"name": pipeline.name, "pipeline_type": kind, "strategy": strategy}
    listed.append({**known, **templates, "ok": True})


def _count_uses(table: dict[str, Any], adapter: str) -> int:
    inside = sum(_count_uses(value, adapter) for value in table.values() if isinstance(value, dict))
    return inside + (table.get("adapter") == adapter)


def _about_order(pipelines: list[Pipeline]) -> Message:
    needs = {pipeline.name: pipeline.depends_on for pipeline in pipelines}
    order: list[str] = []
    with suppress(CycleError):
        order = list(TopologicalSorter(needs).static_order())
    if needs.keys() == set(order):
        text = f"pipeline dependency graph is acyclic (execution order: {' -> '.join(order)})"
        return Message("ok", "V030", text)
    text = f"pipeline dependencies are cyclic or name unknown pipelines: {', '.join(needs)}"
    return Message("error", "V030", text, field="pipeline")


def _about_models(folder: str, about: dict[str, Any]) -> Iterator[Message]:
    if not models_below(folder):
        return
    code, failed = "V030", ""
    try:
        project = load_project(folder)
        count = len(project.models)
        about |= {"found": True, "count": count}
        yield Message("ok", code, f"{count} transformation models loaded")
        code, failed = "V031", "DAG error: "
        project.layers()
        about["dag_valid"] = True
        yield Message("ok", code, f"DAG valid ({count} nodes, no cycles)")
    except EngineError as error:
        yield Message("error", code, f"{failed}{error.message}")
        if not about["found"]:
            return
    shared: dict[tuple[str, str], list[str]] = {}
    for model in project.models:
        name = model.name
        if Path(model.file).stem == name:
            text = f"model '{name}' declares name='{name}' which matches its filename — {_OMIT}"
            yield Message("lint", "L001", text, file=model.file, field="name")
        if model.place.table == name:
            text = f"model '{name}' declares target.table='{name}' which matches name — {_OMIT}"
            yield Message("lint", "L002", text, file=model.file, field="target.table")
        shared.setdefault(model.place[:2], []).append(name)
    for (catalog, schema), names in sorted(shared.items()):
        if len(names) >= _SHARED_TARGETS:
            same = f"target.catalog='{catalog}' and target.schema='{schema}'"
            text = f"models {', '.join(names)} all declare {same} — consider models/_defaults.toml"
            yield Message("lint", "L003", text)
