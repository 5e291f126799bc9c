"""Is everything in order: `rocky validate` looks into the files, `rocky doctor` at what they lead to."""

from collections.abc import Iterator
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

from rocky_local import clock, support
from rocky_local.args import Arguments
from rocky_local.errors import ConfigError, EngineError
from rocky_local.output import Answer, Entry, head
from rocky_local.project.compiler import models_below
from rocky_local.project.config import ADAPTER_TYPES, Config, load_config, unsupported_adapter
from rocky_local.project.models import load_project
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


class _Check(NamedTuple):
    name: str
    status: str
    message: str
    duration_ms: int = 0
    suggestion: str | None = None


def answer_doctor(args: Arguments) -> Answer:
    """Give the findings; the exit code is 3 when one of them is critical."""
    only = args.get("check")
    if only == "support":
        found = [
            _Check(f"support/{title}", "healthy", ", ".join(names))
            for title, names in support.table().items()
        ]
    else:
        found = _all(args, only)
    checks = [check for check in found if only in (None, check.name.split("/")[0])]
    overall = _RANKS[max((_RANKS.index(check.status) for check in checks), default=0)]
    suggestions = [check.suggestion for check in checks if check.suggestion]
    result = {
        "command": "doctor",
        "overall": overall,
        "checks": [dict(zip(_Check._fields[:-1], check, strict=False)) for check in checks],
        "suggestions": suggestions,
    }
    lines = [f"  {_DOCTORS_MARKS[c.status]:<3} {c.name} — {c.message} ({c.duration_ms}ms)" for c in checks]
    lines = ["", "Rocky Doctor", "", *lines, "", f"Overall: {overall}", ""]
    text = "\n".join(lines + [f"  - {suggestion}" for suggestion in suggestions])
    return Answer(result, text, 3 if overall == "critical" else 0)


def _all(args: Arguments, only: str | None) -> list[_Check]:
    state = _state(args.state_file)
    try:
        config = load_config(args.config)
    except ConfigError as error:
        advice = f"Fix config file at {args.config}"
        first = _Check("config", "critical", f"Config invalid: {error.reason}", suggestion=advice)
        return [first, *state, *(_without_config(name, error.reason) for name in _NEEDING_CONFIG.split())]
    healthy = (
        ("adapters", f"{len(config.adapters)} adapter(s) configured"),
        ("pipelines", f"{len(config.pipelines)} pipeline(s) valid"),
        ("state_sync", "State backend: local"),
        ("state_rw", "Local backend — no remote probe needed"),
    )
    return [
        _Check("config", "healthy", "Config syntax valid"),
        *state,
        *(_Check(name, "healthy", message) for name, message in healthy),
        *(_authentication(config) if only in (None, "auth") else []),
    ]


def _without_config(name: str, reason: str) -> _Check:
    if name == "auth":
        return _Check(name, "critical", f"Cannot load config: {reason}")
    message = f"could not load config: {reason} — run `rocky doctor --check config`"
    advice = f"{name}: could not load config — run `rocky doctor --check config` to diagnose"
    return _Check(name, "critical", message, suggestion=advice)


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
    if not config.adapters:
        return [_Check("auth", "warning", "No warehouse adapters registered")]
    started = clock.now_ns()
    found, reached = [], []
    for name in sorted(config.adapters):
        try:
            config.open(name).close()
        except EngineError as error:
            message = f"Adapter construction failed: {error.message}"
            advice = "Fix adapter configuration — see `rocky doctor --check adapters` for details"
            return [_Check("auth", "critical", message, clock.since_ms(started), advice)]
        label, message = f"auth/{name}", f"Discovery adapter {name} reachable"
        found.append(_Check(label, "healthy", f"Authenticated to {name}"))
        reached.append(_Check(label, "healthy", message, clock.since_ms(started)))
    message = f"All {len(found)} warehouse adapter(s) authenticated"
    return [*found, _Check("auth", "healthy", message, clock.since_ms(started)), *reached]
