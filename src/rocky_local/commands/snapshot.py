"""`rocky snapshot`: keep the history of a table; DuckDB refuses the engine's MERGE, so only a dry run succeeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rocky_local import clock, output, tracing
from rocky_local.config import load_config
from rocky_local.errors import DatabaseError, EngineError
from rocky_local.snapshots import command_steps, read_snapshot

if TYPE_CHECKING:
    from rocky_local.args import Arguments

_TARGET = "rocky_cli::commands::snapshot"


def run(args: Arguments) -> int:
    """Run the steps, or only list them."""
    from rocky_local.adapter import DuckDBAdapter  # noqa: PLC0415

    started = clock.now_ns()
    config = load_config(args.config)
    pipeline = config.select(args.get("pipeline"))
    if pipeline.type != "snapshot":
        kind = f"pipeline '{pipeline.name}' is type '{pipeline.type}'"
        raise EngineError(f"{kind}, but this command only supports snapshot pipelines")
    snapshot = read_snapshot(pipeline)
    dry = args.has("dry-run")
    adapter = DuckDBAdapter(config.duckdb_path(pipeline.adapter), pipeline.adapter)
    tracing.info(
        _TARGET,
        "running snapshot",
        pipeline=pipeline.name,
        source=tracing.Display(snapshot.source),
        target=tracing.Display(snapshot.target),
        strategy="timestamp",
    )
    try:
        steps = []
        for name, sql in command_steps(snapshot):
            begun = clock.now_ns()
            if not dry:
                _execute(adapter, name, sql)
            elapsed = (clock.now_ns() - begun) // 1_000_000
            steps.append(
                {"step": name, "sql": sql, "status": "dry_run" if dry else "ok", "duration_ms": elapsed}
            )
    finally:
        adapter.close()
    result = {
        **output.head("snapshot"),
        "pipeline": pipeline.name,
        "source": snapshot.source,
        "target": snapshot.target,
        "dry_run": dry,
        "steps_total": len(steps),
        "steps_ok": 0 if dry else len(steps),
        "steps": steps,
        "duration_ms": (clock.now_ns() - started) // 1_000_000,
    }
    if args.json:
        output.print_json(result)
    else:
        output.print_text("\n".join(f"-- {step['step']}\n{step['sql']};" for step in steps))
    return 0


def _execute(adapter: Any, name: str, sql: str) -> None:
    try:
        adapter.execute(sql)
    except DatabaseError as error:
        tracing.error(_TARGET, "snapshot step failed", step=name, error=tracing.Display(error.brief))
        raise EngineError(f"snapshot step failed: {error.brief}") from error
    if name == "initial_load":
        tracing.info(_TARGET, "initial load DDL executed (CREATE TABLE IF NOT EXISTS)")
