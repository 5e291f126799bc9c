"""`rocky plan`: the statements that a replication would run, kept for `apply` (contract, 4)."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from rocky_local import clock
from rocky_local.adapter import DuckDBAdapter
from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.execution.discovery import discover_sources, parse_filter, plan_copies
from rocky_local.execution.options import check_governance_override
from rocky_local.execution.strategies.builds import strategy_of
from rocky_local.execution.strategies.copies import COPY_STRATEGIES
from rocky_local.output import Answer, head
from rocky_local.project.compiler import Compiled, compile_project, models_below
from rocky_local.project.config import load_config
from rocky_local.project.pipeline import Pipeline

Statement = dict[str, str]
PLANS = Path(".rocky", "plans")
# The engine compiles the models once for each part of a plan that mentions them.
_COMPILATIONS = 4
_KEPT_OPTIONS = (
    "pipeline filter models model all shadow shadow-suffix shadow-schema idempotency-key skip-unchanged force-rebuild "
    "parallel"
)


def run(args: Arguments) -> Answer:
    """Plan, and keep the plan for `apply`."""
    config = load_config(args.config)
    pipeline = config.select_replication(args.get("pipeline"))
    check_governance_override(args.get("governance-override"))
    name, model = pipeline.source_adapter, args.get("model")
    with DuckDBAdapter(config.duckdb_path(name), name) as adapter:
        compiled = _compile(args) if models_below(args.models) else None
        if model:
            statements = [_model_statement(compiled, model, args.variables())]
        else:
            statements = _copy_statements(adapter, pipeline, args.get("filter"))
    options = {name: args.values[name] for name in _KEPT_OPTIONS.split() if name in args.values}
    content = json.dumps([options, args.repeated, statements], sort_keys=True)
    plan: dict[str, Any] = {
        **head("plan"),
        "filter": args.get("filter") or "",
        "statements": statements,
        "plan_id": hashlib.sha256(content.encode()).hexdigest(),
        "plan_kind": "run" if compiled else "replication",
        "created_at": clock.rfc3339(clock.now_ns()),
    }
    if compiled:
        layers = [[name for name in layer if model in (None, name)] for layer in compiled.layers]
        plan["models"] = [each.name for each in compiled.listed() if model in (None, each.name)]
        plan["execution_layers"] = [layer for layer in layers if layer]
    _keep({**plan, "options": options, "variables": args.variables()})
    return Answer(plan, "\n\n".join(f"-- {s['purpose']}: {s['target']}\n{s['sql']};" for s in statements))


def _compile(args: Arguments) -> Compiled:
    compiled = compile_project(args.models, variables=args.variables())
    for _ in range(_COMPILATIONS - 1 + args.has("model")):
        compiled.log()
    return compiled


def _copy_statements(adapter: DuckDBAdapter, pipeline: Pipeline, text: str | None) -> list[Statement]:
    plan = plan_copies(pipeline, discover_sources(adapter, pipeline), parse_filter(text))
    by_source: dict[str, list[Statement]] = {}
    for copy in plan.copies:
        target, strategy = f"{copy.schema}.{copy.target_table}", COPY_STRATEGIES[copy.strategy]
        sql = strategy.sql(copy, target, adapter.columns(copy.source_name), None)
        entry = {"purpose": strategy.purpose, "target": target, "sql": sql}
        by_source.setdefault(copy.source.id, []).append(entry)
    for source, table in plan.excluded:
        target = f"{pipeline.pattern.fill(pipeline.target.schema_template, source.components)}.{table}"
        sql = f"-- {table}: excluded by [[table_overrides]] enabled = false (rocky run skips this table)"
        entry = {"purpose": "excluded", "target": target, "sql": sql}
        by_source.setdefault(source.id, []).append(entry)
    statements = []
    for _, entries in sorted(by_source.items()):
        schema = entries[0]["target"].rsplit(".", 1)[0]
        if pipeline.target.governance.auto_create_schemas:
            sql = f"CREATE SCHEMA IF NOT EXISTS {schema}"
            statements.append({"purpose": "create_schema", "target": schema, "sql": sql})
        statements += sorted(entries, key=lambda entry: entry["target"])
    return statements


def _model_statement(compiled: Compiled | None, name: str, variables: dict[str, str]) -> Statement:
    """The one statement that builds a model outside of a run."""
    model = compiled.project.by_name().get(name) if compiled else None
    if model is None:
        raise EngineError(f"model '{name}' not found")
    if model.kind == "time_interval":
        raise EngineError(
            "cannot render offline: time_interval plan is missing its PartitionWindow — the runtime must populate "
            "`window` per partition before calling generate_transformation_sql"
        )
    statements = strategy_of(model).statements(model, model.rendered(variables))
    if not statements:
        raise EngineError("ephemeral — inlined as a CTE")
    return {"purpose": model.kind, "target": model.target, "sql": statements[0]}


def _keep(plan: dict[str, Any]) -> None:
    ignore, temporary = PLANS.parent / ".gitignore", PLANS / f"{plan['plan_id']}.{os.getpid()}"
    try:
        PLANS.mkdir(parents=True, exist_ok=True)
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        temporary.write_text(json.dumps(plan, indent=2), encoding="utf-8")
        temporary.replace(PLANS / f"{plan['plan_id']}.json")
    except OSError as error:
        raise EngineError(
            f"failed to keep the plan in {PLANS}", f"{error.strerror} (os error {error.errno})"
        ) from error
