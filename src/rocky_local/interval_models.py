"""Building the partitions of a time_interval model, each in its own transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rocky_local import clock, tracing
from rocky_local.context import RUN_TARGET, RunContext
from rocky_local.errors import DatabaseError, EngineError
from rocky_local.hashing import sql_hash
from rocky_local.partitions import Partition, plan_partitions
from rocky_local.result import materialization
from rocky_local.strategies.builds import TimeInterval, empty_table, within

if TYPE_CHECKING:
    from rocky_local.models import Model

_NEVER = "1970-01-01 00:00:00"


def build_partitions(context: RunContext, model: Model, sql: str) -> None:
    """Build the selected partitions of a model, oldest first; one that fails does not stop the others.

    Raises:
        EngineError: The selection does not fit the model, or a partition failed.
    """
    with tracing.span("execute_time_interval_model", **{"model": model.name}):
        computed = context.state.partitions(model.target)
        planned = plan_partitions(model, context.options.partition, computed)
        tracing.info(
            RUN_TARGET,
            "planning partitions for time_interval model",
            model=model.name,
            partitions=len(planned),
        )
        failures: list[str] = []
        if planned:
            _bootstrap(context, model, sql)
            tracing.info(
                RUN_TARGET,
                "executing partitions",
                model=model.name,
                partitions=len(planned),
                parallel=context.options.parallel or 1,
            )
        for partition in planned:
            try:
                _build_partition(context, model, sql, partition)
            except DatabaseError as error:
                failures.append(f"partition '{partition.key}' failed: {error.chain()}")
        succeeded = len(planned) - len(failures)
        if planned:
            tracing.info(
                RUN_TARGET,
                "time_interval model execution complete",
                model=model.name,
                target=model.target,
                succeeded=succeeded,
                failed=len(failures),
            )
        context.result.partition_summaries.append(
            {
                "model": model.name,
                "partitions_planned": len(planned),
                "partitions_succeeded": succeeded,
                "partitions_failed": len(failures),
            }
        )
    if failures:
        raise EngineError(f"{len(failures)} partition(s) failed for model '{model.name}'", *failures)


def _bootstrap(context: RunContext, model: Model, sql: str) -> None:
    if context.adapter.columns(model.target):
        return
    tracing.info(
        RUN_TARGET,
        "target table does not exist — bootstrapping empty table from model schema",
        model=model.name,
        target=model.target,
    )
    context.adapter.execute(empty_table(within(sql, _NEVER, _NEVER), model.target))


def _build_partition(context: RunContext, model: Model, sql: str, partition: Partition) -> None:
    started = clock.now_ns()
    statements = TimeInterval.partition_statements(model, sql, model.target, *partition.sql_bounds())
    with tracing.span("run_one_partition", **{"model": model.name, "partition": partition.key}):
        tracing.info(
            RUN_TARGET,
            "executing partition",
            model=model.name,
            partition=partition.key,
            statements=len(statements),
        )
        with context.adapter.transaction():
            for statement in statements[1:-1]:
                context.adapter.execute(statement)
    context.state.add_partition(model.target, partition.key)
    duration = (clock.now_ns() - started) // 1_000_000
    metadata = {
        "strategy": model.kind,
        "target_table_full_name": model.target,
        "sql_hash": sql_hash(statements),
        "column_count": len(context.adapter.columns(model.target)),
        "compile_time_ms": 0,
    }
    entry = materialization(model.asset_key, started, duration, metadata, partition.as_json())
    context.add_materialization(entry)
