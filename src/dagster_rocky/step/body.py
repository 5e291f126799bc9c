"""What does a component's step do? Selection to plan, plan to events, other checks beside them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import dagster as dg

from dagster_rocky.engine.commands import EngineCommands
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.graph.edges import Node, RockyGraph
from dagster_rocky.planning.done import Done, built_earlier
from dagster_rocky.planning.plan import PlannedRun, Unit
from dagster_rocky.planning.requests import PER_RUN, Requests
from dagster_rocky.planning.selection import StepPlan, StepSelection, plan_selection, read_selection
from dagster_rocky.step import events
from dagster_rocky.step.asked import Ask
from dagster_rocky.step.beside import BesideChecks
from dagster_rocky.step.events import StepEvent
from dagster_rocky.step.execution import execute_plan
from dagster_rocky.step.idempotency import key_parts
from dagster_rocky.step.recording import recorded
from dagster_rocky.step.reporting import CodeVersions
from dagster_rocky.step.resume import go_on
from dagster_rocky.step.shadow import require_shadowable
from dagster_rocky.vocabulary import EngineAsset, Evaluator, Mode
from dagster_rocky.yaml.launch import LaunchOptions

RemarkOn = Callable[
    [dg.AssetExecutionContext, EngineCommands, RockyGraph, Sequence[Node]], Iterator[StepEvent]
]


@dataclass(frozen=True, kw_only=True)
class Running:
    """How a component runs its steps.

    Attributes:
        mode: The run mode.
        options: What every engine run is given.
        lookback: See `plan_runs`.
        parallel: The engine's `--parallel`.
        per_run: How many partitions of a model one engine run builds at most.
        beside: How the engine is asked for checks of kinds that `BesideChecks` does not know.
        remark_on: What is told at the end of what was built.
        keeps_shadow: Whether no launch may write to the real tables.
        launched: What the launch changes of this, for people.
    """

    mode: Mode = Mode.STREAMING
    options: RunOptions
    lookback: int | Literal["model"] | None = None
    parallel: int | None = None
    per_run: int = PER_RUN
    beside: Mapping[Evaluator, Ask] = field(default_factory=dict)
    remark_on: RemarkOn | None = None
    keeps_shadow: bool = False
    launched: Mapping[str, Any] = field(default_factory=dict)

    def of_launch(self, context: dg.OpExecutionContext) -> "Running":
        """This, with the run config of a step's op over it; what a launch changes is said in the log.

        Args:
            context: The step's.
        """
        launch = LaunchOptions.of(context.op_config)
        changes = launch.changes()
        if not changes:
            return self
        said = ", ".join(f"{name}={value}" for name, value in changes.items())
        context.log.info(f"rocky: this launch changes {said}")
        if self.keeps_shadow and launch.shadow == "off":
            raise dg.Failure(
                description=(
                    "This is a branch deployment, and run.shadow: branch_deployment keeps it from writing to the real "
                    "tables: a launch cannot say `shadow: off`. Nothing was run."
                ),
                allow_retries=False,
            )
        parallel = self.parallel if launch.parallelism is None else launch.parallelism
        options = launch.over(self.options)
        return replace(self, options=options, parallel=parallel, launched=changes)


def run_step(
    context: dg.AssetExecutionContext,
    resource: EngineCommands,
    graph: RockyGraph,
    running: Running,
    code_versions: Callable[[Sequence[Node]], CodeVersions] = lambda nodes: {},
) -> Iterator[StepEvent]:
    """Builds what a step selected.

    Args:
        context: The step's.
        resource: The engine and its project.
        graph: The component's.
        running: Mode and options.
        code_versions: Those of assets whose files changed after the state was refreshed.

    Yields:
        Materializations, check evaluations and observations, as they happen.

    Raises:
        dagster.Failure: When a selected asset was not built, or a check was selected alone that the engine only
            evaluates while it builds a partition of the check's asset.
        dagster.RetryRequested: When the warehouse asked for a pause.
    """
    told = _told_by_step(context, resource, graph, running, code_versions)
    yield from recorded(context.op_execution_context, told)


def _told_by_step(
    context: dg.AssetExecutionContext,
    resource: EngineCommands,
    graph: RockyGraph,
    running: Running,
    code_versions: Callable[[Sequence[Node]], CodeVersions],
) -> Iterator[StepEvent]:
    running = running.of_launch(context.op_execution_context)
    selection = read_selection(context, graph, _done(context, running.options))
    yield from _told_already(context, selection)
    beside = BesideChecks(context, resource, graph, running.options, running.beside)
    if not selection.nodes:
        yield from beside.alone()
        return
    if not context.selected_asset_keys:
        names = ", ".join(sorted(node.spec.key.to_user_string() for node in selection.nodes))
        context.log.info(f"rocky: the engine evaluates checks of {names} only while it builds: building it")
    yield from beside.others_are_not_evaluated(selection.nodes)
    plan = plan_selection(
        selection,
        graph,
        options=running.options,
        key_parts=key_parts(
            context.op_execution_context,
            [node.spec.key for node in selection.nodes],
            selection.partition_keys,
        ),
        attempt=context.retry_number,
        parallel=running.parallel,
        lookback=running.lookback,
        per_run=running.per_run,
    )
    plan = go_on(context.op_execution_context, resource, plan, selection)
    require_shadowable(plan.runs, graph.universe)
    built = {node.spec.key for node in selection.finished()}
    newer = code_versions([node for node in selection.nodes if node.spec.key not in built])
    if newer:
        names = ", ".join(sorted(key.to_user_string() for key in newer))
        context.log.warning(
            f"rocky: the files of {names} changed after the state was refreshed; what is built is recorded with the "
            "code version of the files as they are now. Refresh with `dg utils refresh-defs-state`."
        )
    try:
        if plan.runs:
            for event in execute_plan(
                context, resource, plan, mode=running.mode, code_versions=newer, launched=running.launched
            ):
                yield event
                if isinstance(event, dg.MaterializeResult | dg.AssetMaterialization) and event.asset_key:
                    built.add(event.asset_key)
                    yield from beside.of(event.asset_key)
    except dg.RetryRequested:
        yield from beside.contracts()
        raise
    except dg.Failure:
        yield from beside.remaining(selection.nodes, built, selection.partition_keys)
        raise
    yield from beside.remaining(selection.nodes, built, selection.partition_keys)
    if running.remark_on:
        there = [node for node in selection.nodes if node.spec.key in built]
        yield from running.remark_on(context, resource, graph, there)


def _done(context: dg.AssetExecutionContext, options: RunOptions) -> Done:
    return built_earlier(context, options.retry_scope, options.shadow_suffix)


def _told_already(context: dg.AssetExecutionContext, selection: StepSelection) -> Iterator[StepEvent]:
    """What is not asked of the engine: what earlier tries built, and what a partition's source does not have."""
    for node, partition, by in selection.done_units():
        yield events.built_earlier(node.spec.key, partition, by)
    for node in selection.finished():
        yield events.done_output(context.op_execution_context, node.spec.key)
    for node, partition in selection.absent:
        yield events.not_in_partition(node.spec.key, partition)


def run_checks(
    context: dg.AssetCheckExecutionContext,
    resource: EngineCommands,
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
    running = running.of_launch(context.op_execution_context)
    selected = {key.asset_key for key in context.selected_asset_check_keys}
    op = context.op_execution_context
    requests = Requests(
        options=running.options,
        key_parts=key_parts(op, sorted(selected)),
        attempt=op.retry_number,
        parallel=running.parallel,
    )
    planned = PlannedRun(
        request=requests.make(pipeline=pipeline),
        units=tuple(Unit(asset) for asset in checked if asset.asset_key in selected),
        extras=tuple(asset for asset in checked if asset.asset_key not in selected),
    )
    require_shadowable([planned])
    plan = StepPlan(runs=(planned,))
    told = execute_plan(context, resource, plan, mode=running.mode, launched=running.launched)
    yield from recorded(context.op_execution_context, told)
