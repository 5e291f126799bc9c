"""Is everything in order: `rocky validate` looks into the files, `rocky doctor` at what they lead to."""

from collections.abc import Iterator
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from rocky_local import clock, support
from rocky_local.args import Arguments
from rocky_local.errors import ConfigError, EngineError
from rocky_local.output import Answer, Entry
from rocky_local.project.compiler import models_below
from rocky_local.project.config import ADAPTER_TYPES, Config, load_config, unsupported_adapter
from rocky_local.project.models import Project, load_project
from rocky_local.project.pipeline import Pipeline
from rocky_local.state import SCHEMA_VERSION, reading

_MARKS = {"ok": "ok", "lint": "note", "warn": "warn", "error": "fail"}
_DOCTORS_MARKS = {"healthy": "ok", "warning": "warn", "critical": "FAIL"}
_RANKS = list(_DOCTORS_MARKS)
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
_NEEDING_CONFIG = "adapters pipelines state_sync state_rw state_concurrency auth scheduler"


class Message(Entry):
    """One finding, with its place if it has one."""

    severity: str
    code: str
    message: str
    file: str | None = None
    field: str | None = None


class _CheckedAdapter(Entry):
    name: str
    adapter_type: str
    ok: bool


class _CheckedPipeline(Entry):
    name: str
    pipeline_type: str
    strategy: str
    catalog_template: str
    schema_template: str
    ok: bool = True


class _CheckedModels(Entry):
    found: bool = False
    count: int = 0
    dag_valid: bool = False


class _Validation(Entry):
    adapters: list[_CheckedAdapter]
    pipelines: list[_CheckedPipeline]
    models: _CheckedModels
    messages: list[Message]


class _Check(Entry):
    """One finding of the doctor; what to do about it is told apart."""

    name: str
    status: str
    message: str
    duration_ms: int = 0
    suggestion = ""


def answer_validate(args: Arguments) -> Answer:
    """Give the findings, advice last; one that is an error fails the command."""
    try:
        found = _examine(load_config(args.config))
    except ConfigError as error:
        reason = f"Failed to parse config: {error.reason}"
        found = _Validation([], [], _CheckedModels(), [Message("error", "V001", reason, file=args.config)])
    found.messages.sort(key=lambda message: message.severity == "lint")
    valid = all(message.severity != "error" for message in found.messages)
    lines = [f"{_MARKS[message.severity]:>4} {message.message}" for message in found.messages]
    lines += ["", "Validation complete." if valid else "Validation failed."]
    return Answer("validate", {"valid": valid, **vars(found)}, "\n".join(lines), int(not valid))


def _examine(config: Config) -> _Validation:
    known = sorted(config.adapter.items())
    adapters = [_CheckedAdapter(name, each.type, each.type in ADAPTER_TYPES) for name, each in known]
    pipelines = [config.pipeline[name] for name in sorted(config.pipeline)]
    building = next((pipeline for pipeline in pipelines if pipeline.type == "transformation"), None)
    models, about_models = _examine_models(config.models_dir(building))
    messages = [*_general(config, adapters, pipelines), *about_models]
    return _Validation(adapters, [_checked(pipeline) for pipeline in pipelines], models, messages)


def _checked(pipeline: Pipeline) -> _CheckedPipeline:
    strategy = pipeline.strategy if pipeline.type == "replication" else ""
    templates = pipeline.target.catalog_template, pipeline.target.schema_template
    return _CheckedPipeline(pipeline.name, pipeline.type, strategy, *templates)


def _general(config: Config, adapters: list[_CheckedAdapter], pipelines: list[Pipeline]) -> Iterator[Message]:
    yield Message("ok", "V001", "Config syntax valid (v2 format)", file=config.path)
    if config.state.get("backend", "local") == "local":
        text = f"[state] backend='local' is the default — {_OMIT}"
        yield Message("lint", "L004", text, field="state.backend")
    for adapter in adapters:
        place, kind = f"adapter.{adapter.name}", adapter.adapter_type
        if adapter.ok:
            yield Message("ok", "V010", f"{place}: {kind}{' (local)' if kind == 'duckdb' else ''}")
        else:
            text = f"{place}: {unsupported_adapter(kind, 'unknown type')}"
            yield Message("error", "V017", text, field=f"{place}.type")
    if not adapters:
        yield Message("warn", "V010", "No adapters defined", field="adapter")
    if not pipelines:
        yield Message("warn", "V020", "No pipelines defined", field="pipeline")
    for pipeline in pipelines:
        yield from _about_pipeline(config, pipeline)
    only = next(iter(config.adapter), "default")
    uses = sum(_count_uses(pipeline.written, only) for pipeline in pipelines)
    if len(config.adapter) == 1 and only != "default" and uses > 1:
        repeats = f"single-adapter project repeats adapter='{only}' {uses} times"
        yield Message("lint", "L007", f"{repeats} — consider unnamed [adapter]")
    if any(pipeline.depends_on for pipeline in pipelines):
        yield _about_order(pipelines)


def _about_pipeline(config: Config, pipeline: Pipeline) -> Iterator[Message]:
    kind, name = pipeline.type, f"pipeline.{pipeline.name}"
    if kind == "replication":
        yield Message("ok", "V021", f"{name}: schema pattern parseable")
        if not pipeline.target.governance.auto_create_catalogs:
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


def _examine_models(folder: str) -> tuple[_CheckedModels, list[Message]]:
    """Look at the models together, then at each of them."""
    if not models_below(folder):
        return _CheckedModels(), []
    try:
        project = load_project(folder)
    except EngineError as error:
        return _CheckedModels(), [Message("error", "V030", error.message)]
    models = _CheckedModels(found=True, count=len(project.models))
    try:
        project.layers()
        models.dag_valid = True
        order = Message("ok", "V031", f"DAG valid ({models.count} nodes, no cycles)")
    except EngineError as error:
        order = Message("error", "V031", f"DAG error: {error.message}")
    loaded = Message("ok", "V030", f"{models.count} transformation models loaded")
    return models, [loaded, order, *_about_models(project)]


def _about_models(project: Project) -> Iterator[Message]:
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


def answer_doctor(args: Arguments) -> Answer:
    """Give the findings; the exit code is 3 when one of them is critical."""
    only = args.get("check")
    if only == "support":
        lists = support.table().items()
        found = [_Check(f"support/{title}", "healthy", ", ".join(names)) for title, names in lists]
    else:
        found = _all(args, only)
    checks = [check for check in found if only in (None, check.name.split("/")[0])]
    overall = _RANKS[max((_RANKS.index(check.status) for check in checks), default=0)]
    suggestions = [check.suggestion for check in checks if check.suggestion]
    result = {"command": "doctor", "overall": overall, "checks": checks, "suggestions": suggestions}
    lines = [f"  {_DOCTORS_MARKS[c.status]:<3} {c.name} — {c.message} ({c.duration_ms}ms)" for c in checks]
    lines = ["", "Rocky Doctor", "", *lines, "", f"Overall: {overall}", ""]
    text = "\n".join(lines + [f"  - {suggestion}" for suggestion in suggestions])
    return Answer("", result, text, 3 if overall == "critical" else 0)


def _all(args: Arguments, only: str | None) -> list[_Check]:
    state = _state(args.state_file)
    try:
        config = load_config(args.config)
    except ConfigError as error:
        first = _Check("config", "critical", f"Config invalid: {error.reason}")
        first.suggestion = f"Fix config file at {args.config}"
        return [first, *state, *(_without_config(name, error.reason) for name in _NEEDING_CONFIG.split())]
    return [
        _Check("config", "healthy", "Config syntax valid"),
        *state,
        _Check("adapters", "healthy", f"{len(config.adapter)} adapter(s) configured"),
        _Check("pipelines", "healthy", f"{len(config.pipeline)} pipeline(s) valid"),
        _Check("state_sync", "healthy", "State backend: local"),
        _Check("state_rw", "healthy", "Local backend — no remote probe needed"),
        *(_authentication(config) if only in (None, "auth") else []),
    ]


def _without_config(name: str, reason: str) -> _Check:
    if name == "auth":
        return _Check(name, "critical", f"Cannot load config: {reason}")
    check = _Check(name, "critical", f"could not load config: {reason} — run `rocky doctor --check config`")
    check.suggestion = f"{name}: could not load config — run `rocky doctor --check config` to diagnose"
    return check


def _state(path: Path) -> list[_Check]:
    """Look into the state file; where there is none, an empty one is left behind."""
    started, status = clock.now_ns(), "healthy"
    try:
        if path.parent.is_dir() and not path.exists():
            path.touch()
        with reading(path) as store:
            marks = f"State store healthy ({len(store.watermarks())} watermarks)"
            schema = f"no on-disk state schema (binary supports v{SCHEMA_VERSION})"
            if store.schema_version is not None:
                schema = f"state schema v{store.schema_version} matches this binary"
    except (EngineError, OSError) as error:
        status, marks = "warning", f"Cannot open state store: {error}"
        schema = f"Cannot read on-disk state schema version: {error}"
    found = (("state", marks), ("state_schema", schema))
    return [_Check(name, status, message, clock.since_ms(started)) for name, message in found]


def _authentication(config: Config) -> list[_Check]:
    if not config.adapter:
        return [_Check("auth", "warning", "No warehouse adapters registered")]
    started = clock.now_ns()
    found, reached = [], []
    for name in sorted(config.adapter):
        try:
            config.open(name).close()
        except EngineError as error:
            message = f"Adapter construction failed: {error.message}"
            check = _Check("auth", "critical", message, clock.since_ms(started))
            check.suggestion = "Fix adapter configuration — see `rocky doctor --check adapters` for details"
            return [check]
        label, message = f"auth/{name}", f"Discovery adapter {name} reachable"
        found.append(_Check(label, "healthy", f"Authenticated to {name}"))
        reached.append(_Check(label, "healthy", message, clock.since_ms(started)))
    message = f"All {len(found)} warehouse adapter(s) authenticated"
    return [*found, _Check("auth", "healthy", message, clock.since_ms(started)), *reached]
