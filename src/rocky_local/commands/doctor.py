"""`rocky doctor`: can everything be read, opened and reached."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rocky_local import output
from rocky_local.config import Config, load_config
from rocky_local.errors import ConfigError, EngineError
from rocky_local.state import SCHEMA_VERSION, locate, open_for_reading

if TYPE_CHECKING:
    from rocky_local.args import Arguments

Check = dict[str, Any]
_RANKS = ("healthy", "warning", "critical")
_MARKS = {"healthy": "ok", "warning": "warn", "critical": "FAIL"}
_NEEDING_CONFIG = ("adapters", "pipelines", "state_sync", "state_rw", "state_concurrency", "scheduler")


def run(args: Arguments) -> int:
    """Print the findings; 3 when one of them is critical."""
    only = args.get("check")
    suggestions: list[str] = []
    checks = _config_and_state(args, suggestions)
    try:
        config = load_config(args.config)
    except ConfigError as error:
        checks += _without_config(error, suggestions)
    else:
        checks += _of_config(config)
        if only in (None, "auth"):
            checks += _authentication(config, suggestions)
    if only is not None:
        checks = [check for check in checks if check["name"].split("/")[0] == only]
    worst = max((_RANKS.index(check["status"]) for check in checks), default=0)
    result = {
        "command": "doctor",
        "overall": _RANKS[worst],
        "checks": checks,
        "suggestions": suggestions if only is None else [],
    }
    if args.json:
        output.print_json(result)
    else:
        output.print_text(_human(result))
    return 3 if result["overall"] == "critical" else 0


def _check(name: str, status: str, message: str, started_ns: int | None = None) -> Check:
    elapsed = 0 if started_ns is None else (time.monotonic_ns() - started_ns) // 1_000_000
    return {"name": name, "status": status, "message": message, "duration_ms": elapsed}


def _config_and_state(args: Arguments, suggestions: list[str]) -> list[Check]:
    try:
        load_config(args.config)
        first = _check("config", "healthy", "Config syntax valid")
    except ConfigError as error:
        first = _check("config", "critical", f"Config invalid: {error.reason}")
        suggestions.append(f"Fix config file at {args.config}")
    path = locate(args.get("state-path"), args.get("state-namespace"))

    def marks() -> str:
        store = open_for_reading(path)
        count = len(store.watermarks()) if store else 0
        if store:
            store.close()
        return f"State store healthy ({count} watermarks)"

    def schema() -> str:
        store = open_for_reading(path)
        if store is None:
            return f"no on-disk state schema (binary supports v{SCHEMA_VERSION})"
        version = store.schema_version
        store.close()
        return f"state schema v{version} matches this binary"

    return [
        first,
        _attempt("state", marks, "Cannot open state store"),
        _attempt("state_schema", schema, "Cannot read on-disk state schema version"),
    ]


def _attempt(name: str, look: Callable[[], str], failed: str) -> Check:
    started = time.monotonic_ns()
    try:
        return _check(name, "healthy", look(), started)
    except EngineError as error:
        return _check(name, "warning", f"{failed}: {error.message}", started)


def _without_config(error: ConfigError, suggestions: list[str]) -> list[Check]:
    found = []
    for name in _NEEDING_CONFIG:
        if name == "scheduler":
            found.append(_check("auth", "critical", f"Cannot load config: {error.reason}"))
        message = f"could not load config: {error.reason} — run `rocky doctor --check config`"
        found.append(_check(name, "critical", message))
        suggestions.append(f"{name}: could not load config — run `rocky doctor --check config` to diagnose")
    return found


def _of_config(config: Config) -> list[Check]:
    return [
        _check("adapters", "healthy", f"{len(config.adapters)} adapter(s) configured"),
        _check("pipelines", "healthy", f"{len(config.pipelines)} pipeline(s) valid"),
        _check("state_sync", "healthy", "State backend: local"),
        _check("state_rw", "healthy", "Local backend — no remote probe needed"),
    ]


def _authentication(config: Config, suggestions: list[str]) -> list[Check]:
    if not config.adapters:
        return [_check("auth", "warning", "No warehouse adapters registered")]
    from rocky_local.adapter import DuckDBAdapter  # noqa: PLC0415

    started = time.monotonic_ns()
    found, reached = [], []
    for name in sorted(config.adapters):
        try:
            adapter = DuckDBAdapter(config.duckdb_path(name), name)
        except EngineError as error:
            suggestions.append("Fix adapter configuration — see `rocky doctor --check adapters` for details")
            message = f"Adapter construction failed: {error.message}"
            return [_check("auth", "critical", message, started)]
        adapter.query("SELECT 1")
        found.append(_check(f"auth/{name}", "healthy", f"Authenticated to {name}"))
        adapter.close()
        reached.append(_check(f"auth/{name}", "healthy", f"Discovery adapter {name} reachable", started))
    message = f"All {len(found)} warehouse adapter(s) authenticated"
    return [*found, _check("auth", "healthy", message, started), *reached]


def _human(result: dict[str, Any]) -> str:
    lines = ["", "Rocky Doctor", ""]
    for check in result["checks"]:
        mark = _MARKS[check["status"]]
        lines.append(f"  {mark:<3} {check['name']} — {check['message']} ({check['duration_ms']}ms)")
    lines += ["", f"Overall: {result['overall']}", ""]
    lines += [f"  - {suggestion}" for suggestion in result["suggestions"]]
    return "\n".join(lines)
