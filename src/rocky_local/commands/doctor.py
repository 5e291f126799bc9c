"""`rocky doctor`: can everything be read, opened and reached."""

from pathlib import Path
from typing import NamedTuple

from rocky_local import clock, support
from rocky_local.args import Arguments
from rocky_local.errors import ConfigError, EngineError
from rocky_local.output import Answer
from rocky_local.project.config import Config, load_config
from rocky_local.state import SCHEMA_VERSION, reading

_MARKS = {"healthy": "ok", "warning": "warn", "critical": "FAIL"}
_RANKS = list(_MARKS)
_NEEDING_CONFIG = "adapters pipelines state_sync state_rw state_concurrency auth scheduler"


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
    lines = [f"  {_MARKS[c.status]:<3} {c.name} — {c.message} ({c.duration_ms}ms)" for c in checks]
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
