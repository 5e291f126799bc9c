"""Building models: in dependency order, one after another, with their failures contained or not (contract, 5.5)."""

from rocky_local import clock, tracing
from rocky_local.errors import BootstrapError, CompileError, DatabaseError, EngineError
from rocky_local.execution.builds import partition_statements, strategy_of
from rocky_local.execution.context import LOG, RunContext
from rocky_local.execution.partitions import plan_partitions
from rocky_local.execution.result import Contained, Materialization, Metadata, Partition, PartitionSummary
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
            compiled = _compile(directory, context.args.variables)
        except CompileError as error:
            LOG.warn("model compilation failed — no models can execute", error=error.message)
            reason = f"model compilation failed: {error.message}"
            context.result.add_error(["<compile>"], reason, "compile-error")
            return
        context.hooks.call("compile_complete", {"model_count": len(compiled.project.models)})
        models = _selected(context, compiled, only)
        if models is not None:
            _build_all(context, compiled, models, only)


def _compile(directory: str, variables: dict[str, str]) -> Compiled:
    """Compile a folder; the steps of a graph, each a run of its own in one process, share what comes of it."""
    key = (directory, *sorted(variables.items()))
    if key in _COMPILED:
        _COMPILED[key].log()
    else:
        _COMPILED[key] = compiler.compile_project(directory, variables=variables)
    return _COMPILED[key]


def _selected(context: RunContext, compiled: Compiled, only: str | None) -> list[Model] | None:
    """The models to build in order, or in their shadows; None where none can. Compile errors are reported instead."""
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
    shadow, partitioned = context.shadow, [model.name for model in wanted if model.kind == "time_interval"]
    if shadow is None:
        return wanted
    context.result.shadow = not partitioned
    if partitioned:
        reason = "its partition state cannot yet be isolated safely"
        text = (
            f"shadow/branch execution is not supported for time-interval model '{partitioned[0]}': {reason}"
        )
        context.result.add_error([_RUNTIME], text)
        return None
    return [model._replace(place=shadow.redirect(model.place)) for model in wanted]


def _build_all(context: RunContext, compiled: Compiled, models: list[Model], only: str | None) -> None:
    """Build models one after another; unless failures are contained, the first one ends the run."""
    if context.pipeline is None or context.pipeline.target.governance.auto_create_schemas:
        for schema in dict.fromkeys(model.place.schema for model in models):
            context.adapter.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    gate, built = SkipGate(context, compiled), 0
    contained = only is None and context.config.resilience.contain_failures
    unbuilt: set[str] = {finding.model for finding in compiled.errors}
    for model in models:
        blockers = [name for name in model.depends_on if name in unbuilt]
        if contained and blockers:
            message, listed = "containment: withholding model (not built this run)", ", ".join(blockers)
            LOG.info(message, model=model.name, blocked_by=listed, fail_closed=False)
            hint = f"resolve upstream {', '.join(map(repr, blockers))}, then re-run"
            context.result.contained.append(Contained(model.name, blockers, hint))
            unbuilt.add(model.name)
            continue
        if gate.skips(model):
            context.result.tables_skipped += 1
            continue
        started = clock.now_ns()
        context.hooks.call("before_model_run", model=model.name)
        try:
            _Build(context, model, len(compiled.lineage[model.name].columns)).run()
        except EngineError as error:
            keyed = contained or only
            prefix = "" if isinstance(error, BootstrapError) else f"model '{model.name}' failed: "
            context.result.add_error([model.name] if keyed else [_RUNTIME], prefix + error.chain())
            unbuilt.add(model.name)
            if not contained:
                return
        else:
            context.hooks.call("after_model_run", model=model.name, duration_ms=clock.since_ms(started))
            gate.built(model)
            built += 1
    gate.report()
    LOG.info("model execution complete", models=built)


class _Build:
    """A model while it is built; `columns` is how many its query names."""

    def __init__(self, context: RunContext, model: Model, columns: int) -> None:
        self._context, self._model, self._columns = context, model, columns
        self._sql, self._strategy = model.rendered(context.args.variables), strategy_of(model)
        self._named = {"model": model.name, "target": model.target}

    def run(self) -> None:
        if self._model.kind == "time_interval":
            self._partitions()
            return
        started = clock.now_ns()
        statements = self._strategy.statements(self._model, self._sql)
        loads = self._strategy.bootstrap_is_the_load
        message = "transformation target does not exist — bootstrapping from model schema"
        try:
            loaded = self._bootstrap(message, statements=1, bootstrap_is_the_load=loads) and loads
        except DatabaseError as error:
            failed = f"bootstrap of '{self._model.target}' for model '{self._model.name}' failed"
            raise BootstrapError(failed, error.message, *error.causes) from error
        LOG.info("executing model", **self._named, statements=len(statements), skip_strategy_exec=loaded)
        for statement in [] if loaded else statements:
            self._context.adapter.execute(statement)
        self._report(statements, started)

    def _bootstrap(self, message: str, **told: int) -> bool:
        """Make the table where it is missing, and return whether it was."""
        bootstrap, adapter = self._strategy.bootstrap, self._context.adapter
        if bootstrap is None or adapter.columns(self._model.target):
            return False
        LOG.info(message, **self._named, **told)
        adapter.execute(bootstrap(self._model, self._sql))
        return True

    def _report(self, statements: list[str], started: int, partition: Partition | None = None) -> None:
        model, duration = self._model, clock.since_ms(started)
        metadata = Metadata(model.kind, None, model.target, sql_hash(statements), self._columns, 0)
        begun, key = clock.rfc3339(started), [*model.place]
        self._context.add_materialization(Materialization(key, None, duration, begun, metadata, partition))

    def _partitions(self) -> None:
        """Build the selected partitions, oldest first; one that fails does not stop the others."""
        context, model, failures = self._context, self._model, []
        with tracing.span("execute_time_interval_model", model=model.name):
            computed = {*context.state.facts(f"partition of {model.target}")}
            planned = plan_partitions(model, context.args, computed)
            count = {"model": model.name, "partitions": len(planned)}
            LOG.info("planning partitions for time_interval model", **count)
            if planned:
                self._bootstrap("target table does not exist — bootstrapping empty table from model schema")
                LOG.info("executing partitions", **count, parallel=int(context.args.get("parallel") or 1))
            for partition in planned:
                try:
                    self._partition(partition)
                except DatabaseError as error:
                    named = f"partition '{partition.key}' of model '{model.name}'"
                    failures.append(f"{named} failed: {error.chain()}")
            succeeded, failed = len(planned) - len(failures), len(failures)
            if planned:
                ended = {"succeeded": succeeded, "failed": failed}
                LOG.info("time_interval model execution complete", **self._named, **ended)
            summary = PartitionSummary(model.name, len(planned), succeeded, failed)
            context.result.partition_summaries.append(summary)
        if failures:
            raise EngineError("; ".join(failures))

    def _partition(self, partition: Partition) -> None:
        started, context, named = clock.now_ns(), self._context, {"model": self._model.name}
        start, end = (bound[:-1].replace("T", " ") for bound in (partition.start, partition.end))
        statements = partition_statements(self._model, self._sql, (start, end))
        with tracing.span("run_one_partition", **named, partition=partition.key):
            LOG.info("executing partition", **named, partition=partition.key, statements=len(statements))
            with context.adapter.transaction():
                for statement in statements[1:-1]:
                    context.adapter.execute(statement)
        context.state.set_fact(f"partition of {self._model.target}", partition.key, True)
        self._report(statements, started, partition)
