"""The body of a component's steps: selection to plan, plan to events, contracts beside them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import dagster as dg

from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.graph.declared_checks import CONTRACT, contract_result
from dagster_rocky.graph.edges import Node, RockyGraph
from dagster_rocky.graph.quality import execute_checks
from dagster_rocky.planning.plan import PlannedRun, units_of
from dagster_rocky.planning.selection import finish, plan_selection, read_selection
from dagster_rocky.resource import RockyResource
from dagster_rocky.step.execution import StepEvent, already_materialized, execute_plan
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
        yield _built_earlier(node, context.instance)
    contracts = _Contracts(context, resource, graph, running.options.vars)
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
    if not plan:
        yield from contracts.remaining()
        return
    try:
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
) -> Iterator[dg.AssetCheckResult]:
    """Runs a quality pipeline.

    Args:
        context: The step's.
        resource: The engine and its project.
        checked: The tables that the pipeline checks.
        pipeline: Its name.
        running: Mode and options.

    Yields:
        The selected checks' results.

    Raises:
        dagster.Failure: When the engine failed, or gave no result for a selected check.
    """
    request = finish(
        RunRequest(pipeline=pipeline, parallel=running.parallel),
        running.options,
        context.op_execution_context.run_id,
    )
    planned = PlannedRun(request=request, units=units_of(checked))
    yield from execute_checks(context, resource, planned, running.mode)


def _built_earlier(node: Node, instance: dg.DagsterInstance) -> dg.MaterializeResult[Any]:
    """Tells steps downstream of a retried one that its earlier attempt built the asset."""
    entry = instance.get_latest_materialization_event(node.spec.key)
    latest = entry.asset_materialization if entry else None
    version = (latest.tags or {}).get("dagster/data_version") if latest else None
    return dg.MaterializeResult(
        asset_key=node.spec.key,
        metadata={"rocky/outcome": "unchanged", "rocky/reason": "built by an earlier attempt of this step"},
        data_version=dg.DataVersion(version) if version else None,
    )


class _Contracts:
    """The contract checks that a step selected; the engine says of all of them at once when it compiles."""

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        resource: RockyResource,
        graph: RockyGraph,
        variables: Mapping[str, str],
    ) -> None:
        self._context = context
        self._selected = set(context.selected_asset_check_keys)
        self._open = {
            key: node
            for key, node in graph.nodes.items()
            if node.contract and dg.AssetCheckKey(key, node.contract.name) in self._selected
        }
        self._diagnostics = self._compile(resource, variables) if self._open else {}

    def _compile(
        self, resource: RockyResource, variables: Mapping[str, str]
    ) -> Mapping[str, list[Any]] | None:
        try:
            found = resource.compile(vars=variables).diagnostics
        except dg.Failure as failure:
            self._context.log.error(
                f"rocky: the contracts were not evaluated, because the models do not compile: {failure.description}"
            )
            return None
        by_model: dict[str, list[Any]] = {}
        for finding in found:
            by_model.setdefault(finding.model or "", []).append(finding)
        return by_model

    def of(self, key: dg.AssetKey) -> Iterator[dg.AssetCheckResult | dg.AssetObservation]:
        """The result of one asset's contract, if it is selected and not yet told."""
        node = self._open.pop(key, None)
        if node is None or node.contract is None:
            return
        if self._diagnostics is None:
            yield dg.AssetObservation(
                asset_key=key,
                description="The contract was not evaluated, because the models do not compile.",
                metadata={"rocky/evaluated": False, "rocky/checks_not_evaluated": [CONTRACT]},
            )
            return
        yield contract_result(key, node.contract, self._diagnostics.get(node.assets[0].name, []))

    def remaining(self) -> Iterator[dg.AssetCheckResult | dg.AssetObservation]:
        """The results of contracts whose assets were not built."""
        for key in list(self._open):
            yield from self.of(key)

    def others_are_not_evaluated(self, nodes: Sequence[Node]) -> Iterator[dg.AssetObservation]:
        """Checks that were selected beside other assets than their own."""
        built = {node.spec.key for node in nodes}
        left: dict[dg.AssetKey, list[str]] = {}
        for key in sorted(self._selected, key=str):
            if key.name != CONTRACT and key.asset_key not in built:
                left.setdefault(key.asset_key, []).append(key.name)
        for asset_key, names in left.items():
            yield dg.AssetObservation(
                asset_key=asset_key,
                description="The engine evaluates these checks only while it builds the asset: select it too.",
                metadata={"rocky/evaluated": False, "rocky/checks_not_evaluated": names},
            )

    def refuse_others(self) -> None:
        """Checks that were selected alone and that the engine only evaluates while it builds.

        Raises:
            dagster.Failure: When there are any.
        """
        others = sorted(
            f"{key.asset_key.to_user_string()}:{key.name}" for key in self._selected if key.name != CONTRACT
        )
        if others:
            raise dg.Failure(
                description=(
                    f"{', '.join(others)}: the engine evaluates these checks only while it builds their assets. "
                    "Select the assets too."
                ),
                allow_retries=False,
            )
