"""Building models: in dependency order, one after another, with their failures contained or not (contract, 5.5)."""

from rocky_local import clock, tracing
from rocky_local.errors import BootstrapError, CompileError, DatabaseError, EngineError
from rocky_local.execution.builds import BuildStrategy, partition_statements, strategy_of
from rocky_local.execution.context import LOG, RunContext
from rocky_local.execution.partitions import Partition, plan_partitions
from rocky_local.execution.result import Contained, Materialization, Metadata, PartitionSummary
from rocky_local.execution.skip_gate import SkipGate
from rocky_local.hashing import sql_hash
from rocky_local.project import compiler
from rocky_local.project.compiler import Compiled
from rocky_local.project.models import Model

_RUNTIME = "<runtime>"
_COMPILED: dict[tuple[object, ...], Compiled] = {}


def execute_models(context: RunContext, directory: str, only: str | None = None) -> None:
    """Compile a folder and build its models, or one of them; what happens ends up in the context's result."""
    with tracing.span("execute_models"):
        LOG.info("compiling and executing transformation models", models_dir=directory)
        try:
            compiled = _compile(directory, context.variables)
        except CompileError as error:
            LOG.warn("model compilation failed — no models can execute", error=error.message)
            reason = f"model compilation failed: {error.message}"
            context.result.add_error(["<compile>"], reason, "compile-error")
            return
        context.column_counts = {name: len(query.columns) for name, query in compiled.lineage.items()}
        context.hooks.call("compile_complete", {"model_count": len(compiled.project.models)})
        models = _selected(context, compiled, only)
        if models is None or not _shadowable(context, models):
            return
        built = _build_all(context, compiled, models, only)
        if built is not None:
            LOG.info("model execution complete", models=built)


def _compile(directory: str, variables: dict[str, str]) -> Compiled:
    """Compile a folder; the steps of a graph, each a run of its own in one process, share what comes of it."""
    key = (directory, *sorted(variables.items()))
    if key in _COMPILED:
        _COMPILED[key].log()
    else:
        _COMPILED[key] = compiler.compile_project(directory, variables=variables)
    return _COMPILED[key]


def _selected(context: RunContext, compiled: Compiled, only: str | None) -> list[Model] | None:
    """The models to build in order; those with compile errors are reported instead."""
    if only is not None and only not in compiled.project.by_name():
        reason = f"model '{only}' not found (no transformation model with that name)"
        context.result.add_error([only], reason)
        return None
    reported: set[str] = set()
    for finding in compiled.errors:
        LOG.warn("compile error", also=finding.message, model=finding.model, code=finding.code)
        if only in (None, finding.model):
            text = f"[{finding.code}] {finding.message}"
            counted = finding.model not in reported
            context.result.add_error([finding.model], text, "compile-error", counted=counted)
            reported.add(finding.model)
    broken = {finding.model for finding in compiled.errors}
    if broken:
        message = "model(s) failed to compile — excluded from execution; in-scope ones fail the run"
        LOG.warn(message, failed_models=len(broken), reported=len(reported))
    wanted = [m for m in compiled.order if only in (None, m.name) and m.name not in broken]
    shadow = context.shadow
    return [model._replace(place=shadow.redirect(model.place)) for model in wanted] if shadow else wanted


def _shadowable(context: RunContext, models: list[Model]) -> bool:
    context.result.shadow = context.shadow is not None
    partitioned = next((model.name for model in models if model.kind == "time_interval"), None)
    if not context.result.shadow or partitioned is None:
        return True
    context.result.shadow = False
    reason = "its partition state cannot yet be isolated safely"
    text = f"shadow/branch execution is not supported for time-interval model '{partitioned}': {reason}"
    context.result.add_error([_RUNTIME], text)
    return False


def _build_all(context: RunContext, compiled: Compiled, models: list[Model], only: str | None) -> int | None:
    """Build models one after another and return how many were; None when a failure ended the run."""
    if context.pipeline is None or context.pipeline.target.governance.auto_create_schemas:
        for schema in dict.fromkeys(model.place.schema for model in models):
            context.adapter.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    gate, built = SkipGate(context, compiled), 0
    contained = only is None and context.config.settings.resilience.contain_failures
    unbuilt: set[str] = {finding.model for finding in compiled.errors}
    for model in models:
        blockers = [name for name in model.depends_on if name in unbuilt]
        if contained and blockers:
            _withhold(context, model, blockers)
            unbuilt.add(model.name)
            continue
        if gate.skips(model):
            context.result.tables_skipped += 1
            continue
        started = clock.now_ns()
        context.hooks.call("before_model_run", model=model.name)
        try:
            _build(context, model)
        except EngineError as error:
            keyed = contained or only
            prefix = "" if isinstance(error, BootstrapError) else f"model '{model.name}' failed: "
            context.result.add_error([model.name] if keyed else [_RUNTIME], prefix + error.chain())
            unbuilt.add(model.name)
            if not contained:
                return None
        else:
            context.hooks.call("after_model_run", model=model.name, duration_ms=clock.since_ms(started))
            gate.built(model)
            built += 1
    gate.report()
    return built


def _withhold(context: RunContext, model: Model, blockers: list[str]) -> None:
    message, listed = "containment: withholding model (not built this run)", ", ".join(blockers)
    LOG.info(message, model=model.name, blocked_by=listed, fail_closed=False)
    names = ", ".join(f"'{name}'" for name in blockers)
    context.result.contained.append(Contained(model.name, blockers, f"resolve upstream {names}, then re-run"))


def _build(context: RunContext, model: Model) -> None:
    sql = model.rendered(context.variables)
    strategy = strategy_of(model)
    if model.kind == "time_interval":
        _build_partitions(context, strategy, model, sql)
        return
    started = clock.now_ns()
    statements = strategy.statements(model, sql)
    loaded = _bootstrap(context, strategy, model, sql)
    named = {"model": model.name, "target": model.target}
    LOG.info("executing model", **named, statements=len(statements), skip_strategy_exec=loaded)
    for statement in [] if loaded else statements:
        context.adapter.execute(statement)
    _report(context, model, statements, started)


def _bootstrap(context: RunContext, strategy: BuildStrategy, model: Model, sql: str) -> bool:
    """Make a missing table; return whether that also filled it."""
    loads = strategy.bootstrap_is_the_load
    if strategy.bootstrap is None or context.adapter.columns(model.target):
        return False
    message = "transformation target does not exist — bootstrapping from model schema"
    named = {"model": model.name, "target": model.target}
    LOG.info(message, **named, statements=1, bootstrap_is_the_load=loads)
    try:
        context.adapter.execute(strategy.bootstrap(model, sql))
    except DatabaseError as error:
        failed = f"bootstrap of '{model.target}' for model '{model.name}' failed"
        raise BootstrapError(failed, error.message, *error.causes) from error
    return loads


def _report(
    context: RunContext, model: Model, statements: list[str], started: int, partition: Partition | None = None
) -> None:
    duration, columns = clock.since_ms(started), context.column_counts[model.name]
    metadata = Metadata(model.kind, None, model.target, sql_hash(statements), columns, 0)
    told, begun = partition.as_json() if partition else None, clock.rfc3339(started)
    context.add_materialization(Materialization([*model.place], None, duration, begun, metadata, told))


def _build_partitions(context: RunContext, strategy: BuildStrategy, model: Model, sql: str) -> None:
    """Build the selected partitions of a model, oldest first; one that fails does not stop the others."""
    with tracing.span("execute_time_interval_model", model=model.name):
        computed = {*context.state.facts(f"partition of {model.target}")}
        planned = plan_partitions(model, context.args, computed)
        count = {"model": model.name, "partitions": len(planned)}
        LOG.info("planning partitions for time_interval model", **count)
        failures: list[str] = []
        if planned:
            if strategy.bootstrap and not context.adapter.columns(model.target):
                message = "target table does not exist — bootstrapping empty table from model schema"
                LOG.info(message, model=model.name, target=model.target)
                context.adapter.execute(strategy.bootstrap(model, sql))
            LOG.info("executing partitions", **count, parallel=context.args.number("parallel") or 1)
        for partition in planned:
            try:
                _build_partition(context, model, sql, partition)
            except DatabaseError as error:
                failures.append(
                    f"partition '{partition.key}' of model '{model.name}' failed: {error.chain()}"
                )
        succeeded, failed = len(planned) - len(failures), len(failures)
        if planned:
            ended = {"target": model.target, "succeeded": succeeded, "failed": failed}
            LOG.info("time_interval model execution complete", model=model.name, **ended)
        context.result.partition_summaries.append(
            PartitionSummary(model.name, len(planned), succeeded, failed)
        )
    if failures:
        raise EngineError("; ".join(failures))


def _build_partition(context: RunContext, model: Model, sql: str, partition: Partition) -> None:
    started = clock.now_ns()
    statements = partition_statements(model, sql, partition.sql_bounds())
    with tracing.span("run_one_partition", model=model.name, partition=partition.key):
        named = {"model": model.name, "partition": partition.key}
        LOG.info("executing partition", **named, statements=len(statements))
        with context.adapter.transaction():
            for statement in statements[1:-1]:
                context.adapter.execute(statement)
    context.state.set_fact(f"partition of {model.target}", partition.key, True)
    _report(context, model, statements, started, partition)
