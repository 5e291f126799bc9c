"""`rocky plan`: the statements that a replication would run, kept under the hash of what was asked for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rocky_local import clock, output
from rocky_local.compiler import Compiled, compile_project, models_below
from rocky_local.config import load_config
from rocky_local.discovery import discover_sources, parse_filter, plan_copies
from rocky_local.errors import EngineError
from rocky_local.options import check_governance_override, shadow_from
from rocky_local.strategies.builds import strategy_of
from rocky_local.strategies.copies import COPY_STRATEGIES, EPOCH

if TYPE_CHECKING:
    from rocky_local.adapter import DuckDBAdapter
    from rocky_local.args import Arguments
    from rocky_local.config import Pipeline
    from rocky_local.models import Model

Statement = dict[str, str]
PLANS = Path(".rocky", "plans")
# The engine compiles the models once for each part of a plan that mentions them.
_COMPILATIONS = 4
_KEPT_OPTIONS = (
    "pipeline",
    "filter",
    "models",
    "model",
    "all",
    "shadow",
    "shadow-suffix",
    "shadow-schema",
    "idempotency-key",
    "skip-unchanged",
    "force-rebuild",
    "parallel",
)


def run(args: Arguments) -> int:
    """Print the plan and keep it for `apply`."""
    from rocky_local.adapter import DuckDBAdapter  # noqa: PLC0415

    config = load_config(args.config)
    pipeline = config.select_replication(args.get("pipeline"))
    check_governance_override(args.get("governance-override"))
    shadow_from(args)
    adapter = DuckDBAdapter(config.duckdb_path(pipeline.source_adapter), pipeline.source_adapter)
    try:
        models = args.get("models") or "models"
        compiled = _compile(models, args) if models_below(models) else None
        if args.get("model"):
            statements = [_model_statement(compiled, str(args.get("model")))]
        else:
            statements = _copy_statements(adapter, pipeline, args)
    finally:
        adapter.close()
    plan = _plan(args, statements, compiled)
    _keep(plan, args)
    if args.json:
        output.print_json(plan)
    else:
        output.print_text("\n\n".join(f"-- {s['purpose']}: {s['target']}\n{s['sql']};" for s in statements))
    return 0


def _compile(directory: str, args: Arguments) -> Compiled:
    compiled = compile_project(directory, variables=args.variables())
    for _ in range(_COMPILATIONS - 1 + args.has("model")):
        compiled.log()
    return compiled


def _copy_statements(adapter: DuckDBAdapter, pipeline: Pipeline, args: Arguments) -> list[Statement]:
    plan = plan_copies(pipeline, discover_sources(adapter, pipeline), parse_filter(args.get("filter")))
    by_source: dict[str, list[Statement]] = {}
    for copy in plan.copies:
        target = f"{copy.schema}.{copy.target_table}"
        known = by_source.setdefault(copy.source.id, [])
        columns = adapter.columns(copy.source_name)
        sql = COPY_STRATEGIES[copy.strategy].sql(copy, target, columns, EPOCH)
        known.append({"purpose": _PURPOSES[copy.strategy], "target": target, "sql": sql})
    for excluded in plan.excluded:
        schema = pipeline.pattern.fill(pipeline.schema_template, excluded.source.components)
        sql = (
            f"-- {excluded.table}: excluded by [[table_overrides]] enabled = false "
            "(rocky run skips this table)"
        )
        entry = {"purpose": "excluded", "target": f"{schema}.{excluded.table}", "sql": sql}
        by_source.setdefault(excluded.source.id, []).append(entry)
    statements = []
    for _, entries in sorted(by_source.items()):
        schema = entries[0]["target"].rsplit(".", 1)[0]
        if pipeline.auto_create_schemas:
            sql = f"CREATE SCHEMA IF NOT EXISTS {schema}"
            statements.append({"purpose": "create_schema", "target": schema, "sql": sql})
        statements += sorted(entries, key=lambda entry: entry["target"])
    return statements


_PURPOSES = {
    "full_refresh": "full_refresh_copy",
    "incremental": "incremental_copy",
    "merge": "merge_copy",
    "view": "view",
}


def model_sql(model: Model, variables: dict[str, str]) -> str:
    """Return the one statement that builds a model outside of a run.

    Raises:
        EngineError: The model has partitions, which only a run knows, or builds nothing of its own.
        Unsupported: A strategy that only the real engine knows.
    """
    if model.kind == "time_interval":
        raise EngineError(
            "cannot render offline: time_interval plan is missing its PartitionWindow — the runtime must populate "
            "`window` per partition before calling generate_transformation_sql"
        )
    if model.kind == "ephemeral":
        raise EngineError("ephemeral — inlined as a CTE")
    return strategy_of(model).statements(model, model.rendered(variables), model.target)[0]


def _model_statement(compiled: Compiled | None, name: str) -> Statement:
    model = compiled.project.by_name().get(name) if compiled else None
    if model is None:
        raise EngineError(f"model '{name}' not found")
    return {"purpose": model.kind, "target": model.target, "sql": model_sql(model, {})}


def _plan(args: Arguments, statements: list[Statement], compiled: Compiled | None) -> dict[str, Any]:
    options = {name: args.values[name] for name in _KEPT_OPTIONS if name in args.values}
    content = json.dumps([options, args.repeated, statements], sort_keys=True)
    plan: dict[str, Any] = {
        **output.head("plan"),
        "filter": args.get("filter") or "",
        "statements": statements,
        "plan_id": hashlib.sha256(content.encode()).hexdigest(),
        "plan_kind": "run" if compiled else "replication",
        "created_at": clock.rfc3339(clock.now_ns()),
    }
    if compiled:
        wanted = args.get("model")
        layers = [[name for name in layer if wanted in (None, name)] for layer in compiled.layers]
        plan["models"] = [model.name for model in compiled.listed() if wanted in (None, model.name)]
        plan["execution_layers"] = [layer for layer in layers if layer]
    return plan


def _keep(plan: dict[str, Any], args: Arguments) -> None:
    PLANS.mkdir(parents=True, exist_ok=True)
    ignore = PLANS.parent / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    options = {name: args.values[name] for name in _KEPT_OPTIONS if name in args.values}
    kept = {**plan, "options": options, "variables": args.variables()}
    (PLANS / f"{plan['plan_id']}.json").write_text(json.dumps(kept, indent=2), encoding="utf-8")
