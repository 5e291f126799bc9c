"""What writes into the warehouse: `rocky run`; `plan` and `apply`, a run kept for later; `load` and `seed`, files."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from rocky_local import clock
from rocky_local.adapter import DuckDBAdapter
from rocky_local.args import Arguments
from rocky_local.errors import EngineError, os_reason
from rocky_local.execution import loading, runner
from rocky_local.execution.builds import statement_outside_of_a_run
from rocky_local.execution.copies import COPY_STRATEGIES
from rocky_local.execution.discovery import plan_copies
from rocky_local.messages import open_messages
from rocky_local.output import Answer, shown
from rocky_local.project.compiler import compile_project, models_below
from rocky_local.project.config import load_config
from rocky_local.project.pipeline import Pipeline
from rocky_local.project.sidecar import read_seeds
from rocky_local.side_files import ROCKY, made, replace
from rocky_local.state import open_for_writing

_PLANS = ROCKY / "plans"
# The engine compiles the models once for each part of a plan that mentions them.
_COMPILATIONS = 4
_KEPT_OPTIONS = (
    "pipeline filter models model all shadow shadow-suffix shadow-schema idempotency-key skip-unchanged force-rebuild "
    "parallel"
)


class _Statement(NamedTuple):
    purpose: str
    target: str
    sql: str


def answer_run(args: Arguments) -> Answer:
    """Run one pipeline, one model, or the whole graph."""
    runner.refuse_unusable(args)
    if args.has("dag"):
        from rocky_local.execution.dag_run import run_dag  # noqa: PLC0415

        return run_dag(args)
    return runner.run(args)


def answer_plan(args: Arguments) -> Answer:
    """Plan, and keep the plan for `apply`."""
    config = load_config(args.config)
    pipeline = config.select(args.get("pipeline"), "replication")
    runner.refuse_unusable(args)
    model = args.get("model")
    with config.open(pipeline.source_adapter) as adapter:
        compiled = None
        if model or models_below(args.models):
            compiled = compile_project(args.models, variables=args.variables)
            for _ in range(_COMPILATIONS - 1 + args.has("model")):
                compiled.log()
        if compiled and model:
            found = compiled.project.find(model)
            sql = statement_outside_of_a_run(found, found.rendered(args.variables))
            statements = [_Statement(found.kind, found.target, sql)]
        else:
            statements = [*_copy_statements(adapter, pipeline, args.get("filter"))]
    options = {name: args.values[name] for name in _KEPT_OPTIONS.split() if name in args.values}
    content = json.dumps([options, args.variables, shown(statements)], sort_keys=True)
    plan: dict[str, Any] = {
        "filter": args.get("filter") or "",
        "statements": statements,
        "plan_id": hashlib.sha256(content.encode()).hexdigest(),
        "plan_kind": "run" if compiled else "replication",
        "created_at": clock.rfc3339(clock.now_ns()),
    }
    if compiled:
        names = [model] if model else [each.name for each in compiled.project.order(by_name=True)]
        layers = [[name for name in layer if name in names] for layer in compiled.layers]
        plan["models"] = names
        plan["execution_layers"] = [layer for layer in layers if layer]
    kept = shown({**plan, "options": options, "variables": args.variables})
    replace(made(_PLANS) / f"{plan['plan_id']}.json", json.dumps(kept, indent=2))
    return Answer("plan", plan)


def _copy_statements(adapter: DuckDBAdapter, pipeline: Pipeline, text: str | None) -> Iterator[_Statement]:
    plan = plan_copies(adapter, pipeline, text)
    by_source: dict[str, list[_Statement]] = {}
    for copy in plan.copies:
        target, strategy = ".".join(copy.place[1:]), COPY_STRATEGIES[copy.strategy]
        sql = strategy.sql(copy, target, adapter.columns(copy.source_name), None)
        by_source.setdefault(copy.source.id, []).append(_Statement(strategy.purpose, target, sql))
    for source, table in plan.excluded:
        target = f"{pipeline.pattern.fill(pipeline.target.schema_template, source.components)}.{table}"
        sql = f"-- {table}: excluded by [[table_overrides]] enabled = false (rocky run skips this table)"
        by_source.setdefault(source.id, []).append(_Statement("excluded", target, sql))
    for _, entries in sorted(by_source.items()):
        schema = entries[0].target.rsplit(".", 1)[0]
        if pipeline.target.governance.auto_create_schemas:
            sql = f"CREATE SCHEMA IF NOT EXISTS {schema}"
            yield _Statement("create_schema", schema, sql)
        yield from sorted(entries, key=lambda entry: entry.target)


def answer_apply(args: Arguments) -> Answer:
    """Run a plan with the flags that it was made with."""
    from uuid import uuid4  # noqa: PLC0415

    plan_id = args.positionals[0]
    try:
        plan: dict[str, Any] = json.loads((_PLANS / f"{plan_id}.json").read_text(encoding="utf-8"))
        kind, options, variables = plan["plan_kind"], {**plan["options"]}, {**plan["variables"]}
    except (OSError, ValueError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else str(error)
        raise EngineError(f"failed to read plan '{plan_id}'", reason) from error
    except (KeyError, TypeError) as error:
        raise EngineError(f"failed to read plan '{plan_id}'", "it is not what `plan` writes") from error
    pipeline = load_config(args.config).select(options.get("pipeline"))
    models = str(options.get("models", "models"))
    if kind == "run" and models_below(models):
        compile_project(models, variables=variables)
    if "model" in options:
        open_messages().log("rocky run starting")
        reason = f"pipeline '{pipeline.name}' is {pipeline.type}, not transformation (required for --model)"
        raise EngineError(f"rocky apply run plan '{plan_id}' failed", reason)
    planned = Arguments("run", {**options, **args.values}, variables, [])
    return runner.run(planned.changed(run_id=f"run-apply-{uuid4()}"))


def answer_load(args: Arguments) -> Answer:
    """Load the files of a load pipeline; one that cannot be loaded fails the command."""
    config = load_config(args.config)
    pipeline = loading.resolve(config, args.get("pipeline"), "load", "load")
    with config.open(pipeline.adapter) as adapter, open_for_writing(args.state_file):
        return loading.load(adapter, pipeline, args.get("source-dir"), args.get("format"))


def answer_seed(args: Arguments) -> Answer:
    """Load all seeds; one that could not be loaded fails the command."""
    config = load_config(args.config)
    pipeline = loading.resolve(config, args.get("pipeline"), "seed")
    directory = args.get("seeds") or "seeds"
    # A filter names source components, which seeds do not have: none of them fits.
    seeds = [] if args.has("filter") else [*read_seeds(directory)]
    with config.open(pipeline.adapter) as adapter:
        return loading.load_seeds(adapter, directory, seeds)
