"""What does a component's step do? Selection to plan, plan to events, contracts beside them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import dagster as dg

from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.graph.edges import Node, RockyGraph
from dagster_rocky.planning.plan import PlannedRun, units_of
from dagster_rocky.planning.selection import finish, plan_selection, read_selection
from dagster_rocky.resource import RockyResource
from dagster_rocky.step import events
from dagster_rocky.step.contracts import Contracts
from dagster_rocky.step.events import StepEvent
from dagster_rocky.step.execution import execute_plan
from dagster_rocky.vocabulary import EngineAsset, Mode


@dataclass(frozen=True, kw_only=True)
class Running:
    """How a component runs its steps.

    Attributes:
        mode: The run mode.
        options: What every engine run is given.
        lookback: See `plan_runs`.
        parallel: The engine's `--parallel`.
    """

    mode: Mode = Mode.STREAMING
    options: RunOptions
    lookback: int | Literal["model"] | None = None
    parallel: int | None = None


def run_step(
    context: dg.AssetExecutionContext, resource: RockyResource, graph: RockyGraph, running: Running
) -> Iterator[StepEvent]:
    """Builds what a step selected.

    Args:
        context: The step's.
        resource: The engine and its project.
        graph: The component's.
        running: Mode and options.

    Yields:
        Materializations, check results and observations, as they happen.

    Raises:
        dagster.Failure: When a selected asset was not built, or a check was selected that the engine only evaluates
            while it builds the check's asset.
        dagster.RetryRequested: When the warehouse asked for a pause.
    """
    selection = read_selection(context, graph, already_materialized(context))
    for node in selection.finished():
        yield from _built_earlier(context, node)
    contracts = Contracts(context, resource, graph, running.options.vars)
    if not selection.nodes:
        yield from contracts.remaining()
        contracts.refuse_others()
        return
    yield from contracts.others_are_not_evaluated(selection.nodes)
    plan = plan_selection(
        selection,
        graph,
        lookback=running.lookback,
        parallel=running.parallel,
        options=running.options,
        run_id=context.run_id,
    )
    try:
        if plan:
            for event in execute_plan(context, resource, plan, mode=running.mode, options=running.options):
                yield event
                if isinstance(event, dg.MaterializeResult) and event.asset_key is not None:
                    yield from contracts.of(event.asset_key)
    except (dg.Failure, dg.RetryRequested):
        yield from contracts.remaining()
        raise
    yield from contracts.remaining()


def run_checks(
    context: dg.AssetCheckExecutionContext,
    resource: RockyResource,
    checked: Sequence[EngineAsset],
    pipeline: str,
    running: Running,
) -> Iterator[StepEvent]:
    """Runs a quality pipeline; its tables are what the step owes an outcome for, by their selected checks.

    Args:
        context: The step's.
        resource: The engine and its project.
        checked: The tables that the pipeline checks.
        pipeline: Its name.
        running: Mode and options.

    Yields:
        The selected checks' results, and what else the engine found.

    Raises:
        dagster.Failure: When the engine failed, or gave no result for a selected check. Checks that did not pass
            are results, not failures.
    """
    request = finish(
        RunRequest(pipeline=pipeline, parallel=running.parallel),
        running.options,
        context.op_execution_context.run_id,
    )
    selected = {key.asset_key for key in context.selected_asset_check_keys}
    planned = PlannedRun(
        request=request,
        units=units_of(asset for asset in checked if asset.asset_key in selected),
        extras=tuple(asset for asset in checked if asset.asset_key not in selected),
    )
    yield from execute_plan(context, resource, [planned], mode=running.mode, options=running.options)


def _built_earlier(context: dg.AssetExecutionContext, node: Node) -> Iterator[StepEvent]:
    """Tells steps downstream of a retried one that its earlier attempt built the asset."""
    yield events.built_earlier(node.spec.key, None, context.run_id)
    yield events.done_output(context.op_execution_context, node.spec.key)


def already_materialized(context: dg.AssetExecutionContext) -> set[tuple[dg.AssetKey, str | None]]:
    """What earlier attempts of this step materialized, by asset and partition; empty on the first attempt.

    A retry asks the engine only for the rest.
    """
    if context.retry_number == 0:
        return set()
    step_key = context.get_step_execution_context().step.key
    records = context.instance.all_logs(context.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    return {
        (record.dagster_event.asset_key, record.dagster_event.partition)
        for record in records
        if record.dagster_event
        and record.dagster_event.asset_key is not None
        and record.dagster_event.step_key == step_key
    }
