"""Building models: in dependency order, one after another, with their failures contained or not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rocky_local import clock, compiler, tracing
from rocky_local.context import RUN_TARGET, RunContext
from rocky_local.errors import BootstrapError, CompileError, DatabaseError, EngineError
from rocky_local.hashing import sql_hash
from rocky_local.interval_models import build_partitions
from rocky_local.result import materialization
from rocky_local.skip_gate import SkipGate
from rocky_local.strategies.builds import BuildStrategy, strategy_of

if TYPE_CHECKING:
    from rocky_local.compiler import Compiled
    from rocky_local.discovery import Shadow
    from rocky_local.models import Model

_RUNTIME = "<runtime>"


@dataclass
class Scope:
    """Which models to build, and how failures are reported.

    Attributes:
        directory: The models folder as log lines show it.
        only: One model by name, or None for all.
        contained: Whether siblings of a failed model go on.
    """

    directory: str
    only: str | None = None
    contained: bool = False


def execute_models(context: RunContext, scope: Scope) -> None:
    """Compile a folder and build its models; what happens ends up in the context's result."""
    with tracing.span("execute_models"):
        tracing.info(
            RUN_TARGET,
            "compiling and executing transformation models",
            models_dir=tracing.Display(scope.directory),
        )
        try:
            compiled = compiler.compile_project(scope.directory, variables=context.options.variables)
        except CompileError as error:
            tracing.warn(
                RUN_TARGET,
                "model compilation failed — no models can execute",
                error=tracing.Display(error.message),
            )
            context.result.add_error(
                ["<compile>"], f"model compilation failed: {error.message}", "compile-error"
            )
            return
        models = _selected(context, compiled, scope)
        if models is None or not _shadowable(context, models):
            return
        if _build_all(context, compiled, models, scope):
            tracing.info(RUN_TARGET, "model execution complete", models=len(models))


def _selected(context: RunContext, compiled: Compiled, scope: Scope) -> list[Model] | None:
    """Return the models to build in order; those with compile errors are reported instead."""
    if scope.only is not None and scope.only not in compiled.project.by_name():
        reason = f"model '{scope.only}' not found (no transformation model with that name)"
        context.result.add_error([scope.only], reason)
        return None
    broken = {finding.model for finding in compiled.errors}
    reported = 0
    for finding in compiled.errors:
        tracing.warn(
            RUN_TARGET, "compile error", also=finding.message, model=finding.model, code=finding.code
        )
        if scope.only in (None, finding.model):
            text = f"[{finding.code}] {finding.message}"
            context.result.add_error([finding.model], text, "compile-error")
            reported += 1
    if broken:
        tracing.warn(
            RUN_TARGET,
            "model(s) failed to compile — excluded from execution; in-scope ones fail the run",
            failed_models=len(broken),
            reported=reported,
        )
    wanted = [model for model in compiled.order if scope.only in (None, model.name)]
    return [_redirected(model, context.options.shadow) for model in wanted if model.name not in broken]


def _redirected(model: Model, shadow: Shadow | None) -> Model:
    if shadow is None:
        return model
    schema, table = shadow.redirect(model.schema, model.table)
    return replace(model, schema=schema, table=table)


def _shadowable(context: RunContext, models: list[Model]) -> bool:
    if context.options.shadow is None:
        return True
    for model in models:
        if model.kind == "time_interval":
            context.result.add_error(
                [_RUNTIME],
                f"shadow/branch execution is not supported for time-interval model '{model.name}': "
                "its partition state cannot yet be isolated safely",
            )
            return False
    context.result.shadow = True
    return True


def _build_all(context: RunContext, compiled: Compiled, models: list[Model], scope: Scope) -> bool:
    """Build models one after another; return False when a failure ended the run."""
    if context.pipeline is None or context.pipeline.auto_create_schemas:
        for schema in dict.fromkeys(model.schema for model in models):
            context.adapter.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    gate = SkipGate(context, compiled)
    unbuilt: set[str] = {finding.model for finding in compiled.errors}
    for model in models:
        blockers = [name for name in model.depends_on if name in unbuilt]
        if scope.contained and blockers:
            _withhold(context, model, blockers)
            unbuilt.add(model.name)
            continue
        if gate.skips(model):
            context.result.tables_skipped += 1
            continue
        try:
            _build(context, model)
        except EngineError as error:
            keyed = scope.contained or scope.only is not None
            prefix = "" if isinstance(error, BootstrapError) else f"model '{model.name}' failed: "
            context.result.add_error([model.name] if keyed else [_RUNTIME], prefix + error.chain())
            unbuilt.add(model.name)
            if not scope.contained:
                return False
        else:
            gate.built(model)
    gate.report()
    return True


def _withhold(context: RunContext, model: Model, blockers: list[str]) -> None:
    tracing.warn(
        RUN_TARGET,
        "containment: withholding model (not built this run)",
        model=model.name,
        blocked_by=str(blockers).replace("'", '"'),
    )
    names = ", ".join(f"'{name}'" for name in blockers)
    context.result.contained.append(
        {
            "model": model.name,
            "blocked_by": blockers,
            "unblock_hint": f"fix {names} and re-run; '{model.name}' will build once its upstream succeeds",
        }
    )


def _build(context: RunContext, model: Model) -> None:
    sql = model.rendered(context.options.variables)
    strategy = strategy_of(model)
    if model.kind == "time_interval":
        build_partitions(context, model, sql)
        return
    started = clock.now_ns()
    statements = strategy.statements(model, sql, model.target)
    loaded = _bootstrap(context, strategy, model, sql)
    tracing.info(
        RUN_TARGET,
        "executing model",
        model=model.name,
        target=model.target,
        statements=len(statements),
        skip_strategy_exec=loaded,
    )
    for statement in [] if loaded else statements:
        context.adapter.execute(statement)
    duration = (clock.now_ns() - started) // 1_000_000
    metadata = {
        "strategy": model.kind,
        "target_table_full_name": model.target,
        "sql_hash": sql_hash(statements),
        "column_count": column_count(context, model, sql),
        "compile_time_ms": 0,
    }
    context.add_materialization(materialization(model.asset_key, started, duration, metadata))


def _bootstrap(context: RunContext, strategy: BuildStrategy, model: Model, sql: str) -> bool:
    """Make a missing table; return whether that also filled it."""
    first = strategy.bootstrap(model, sql, model.target)
    if first is None or context.adapter.columns(model.target):
        return False
    tracing.info(
        RUN_TARGET,
        "transformation target does not exist — bootstrapping from model schema",
        model=model.name,
        target=model.target,
        statements=1,
        bootstrap_is_the_load=first.is_the_load,
    )
    try:
        context.adapter.execute(first.sql)
    except DatabaseError as error:
        failed = f"bootstrap of '{model.target}' for model '{model.name}' failed"
        raise BootstrapError(failed, error.message, *error.causes) from error
    return first.is_the_load


def column_count(context: RunContext, model: Model, sql: str) -> int:
    """Return how many columns a model has."""
    found = context.adapter.columns(model.target)
    if found:
        return len(found)
    try:
        return len(context.adapter.result_columns(sql))
    except DatabaseError:
        return 0
