"""`rocky emit-sql`: the statement that builds each model, as far as one can be written without a run."""

from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.execution.strategies.builds import strategy_of
from rocky_local.output import Answer
from rocky_local.project.compiler import compile_project
from rocky_local.project.models import Model

_EXISTING_TARGET = """\
-- NOTE: incremental/merge statement — operates on an existing target.
-- `rocky run` bootstraps the table on first build and threads the
-- incremental watermark from state; this static SQL does neither.
"""
_NO_WINDOW = (
    "time_interval plan is missing its PartitionWindow — the runtime must populate `window` per partition "
    "before calling generate_transformation_sql"
)


def run(args: Arguments) -> Answer:
    """Give the statements in the order of a run, in any output form as plain SQL."""
    variables, only = args.variables(), args.get("model")
    compiled = compile_project(args.models, variables=variables)
    chosen = [model for model in compiled.listed() if only in (None, model.name)]
    if not chosen:
        raise EngineError(f"model '{only}' not found")
    emitted, left = [], []
    for model in chosen:
        try:
            emitted.append(f"-- model: {model.name}\n{_statement(model, variables)}")
        except EngineError as error:
            left.append(f"  - {model.name} ({error.message})")
    closing = "\n".join([f"emit-sql: {len(left)} model(s) not emitted:", *left]) if left else None
    return Answer({}, "\n\n".join(emitted), closing=closing)


def _statement(model: Model, variables: dict[str, str]) -> str:
    """The statement of one model.

    Raises:
        EngineError: It has none outside a run.
    """
    if model.kind == "ephemeral":
        raise EngineError("ephemeral — inlined as a CTE")
    try:
        if model.kind == "time_interval":
            raise EngineError(_NO_WINDOW)
        sql, strategy = model.rendered(variables), strategy_of(model)
        [statement] = strategy.statements(model, sql)
    except EngineError as error:
        raise EngineError(f"cannot render offline: {error.message}") from error
    return f"{_EXISTING_TARGET if strategy.bootstrap else ''}{statement};"
