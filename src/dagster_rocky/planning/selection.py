"""What one Dagster step selected, as a plan of engine runs."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import dagster as dg

from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.graph.edges import Node, RockyGraph
from dagster_rocky.graph.nodes import TIME_DIMENSION
from dagster_rocky.planning.plan import PlannedRun, plan_runs
from dagster_rocky.vocabulary import EngineAsset

Done = set[tuple[dg.AssetKey, str | None]]


@dataclass(frozen=True, kw_only=True)
class StepSelection:
    """What a step has to build, and what an earlier attempt of it has built already.

    Attributes:
        nodes: The selected assets.
        partition_keys: Dagster keys of the selected partitions; empty for assets without partitions.
        done: Assets and partitions that are built.
    """

    nodes: tuple[Node, ...]
    partition_keys: tuple[str, ...] = ()
    done: frozenset[tuple[dg.AssetKey, str | None]] = frozenset()

    def finished(self) -> Iterator[Node]:
        """Selected assets of which nothing is left to build."""
        for node in self.nodes:
            if all((node.spec.key, partition) in self.done for partition in self.partition_keys or (None,)):
                yield node


def read_selection(context: dg.AssetExecutionContext, graph: RockyGraph, done: Done) -> StepSelection:
    """What a step's context selects.

    Args:
        context: The step's.
        graph: The component's.
        done: What an earlier attempt built, from `already_materialized`.

    Returns:
        The selection.

    Raises:
        dagster.Failure: When partitioned assets are run without a partition.
    """
    selected = context.selected_asset_keys
    nodes = tuple(node for key, node in graph.nodes.items() if key in selected)
    if not nodes or nodes[0].spec.partitions_def is None:
        return StepSelection(nodes=nodes, done=frozenset(done))
    if not (context.has_partition_key or context.has_partition_key_range):
        raise dg.Failure(
            description=(
                f"{nodes[0].spec.key.to_user_string()} has partitions and the run has none: launch it with "
                "`--partition` or `--partition-range`, or choose partitions in the launchpad."
            ),
            allow_retries=False,
        )
    return StepSelection(nodes=nodes, partition_keys=tuple(context.partition_keys), done=frozenset(done))


def plan_selection(
    selection: StepSelection,
    graph: RockyGraph,
    *,
    lookback: int | Literal["model"] | None = None,
    parallel: int | None = None,
    options: RunOptions | None = None,
    run_id: str = "",
) -> list[PlannedRun]:
    """The fewest engine runs that build what is left of a selection.

    Args:
        selection: What the step selected.
        graph: The component's graph, whose universe the filters are checked against.
        lookback: See `plan_runs`.
        parallel: The engine's `--parallel`.
        options: What every request is given.
        run_id: The Dagster run's id, for idempotency keys.

    Returns:
        The plan; empty when everything is built.

    Raises:
        dagster.Failure: When a partition stands for a source that is not there.
        ValueError: When a partition key has not the grain's format.
    """
    batches: dict[tuple[str, ...], list[EngineAsset]] = defaultdict(list)
    for node in selection.nodes:
        if node.assets[0].partition_key is not None:
            for asset in _tables_of_partitions(node, selection):
                batches[selection.partition_keys].append(asset)
            continue
        keys = tuple(key for key in selection.partition_keys if (node.spec.key, key) not in selection.done)
        is_done = (node.spec.key, None) in selection.done if not selection.partition_keys else not keys
        if not is_done:
            batches[keys].append(node.assets[0])
    plan: list[PlannedRun] = []
    for keys, assets in batches.items():
        plan += plan_runs(assets, graph.universe, partition_keys=keys, lookback=lookback, parallel=parallel)
    if len(selection.partition_keys) == 1:
        plan = [_in_partition(planned, selection.partition_keys[0]) for planned in plan]
    return [replace(run, request=finish(run.request, options, run_id)) for run in plan]


def _in_partition(planned: PlannedRun, key: str) -> PlannedRun:
    """Tables that are copied besides belong to the same partition as those that were selected."""
    extras = tuple(
        replace(extra, partition_key=key) if extra.kind == "table" else extra for extra in planned.extras
    )
    return replace(planned, extras=extras)


def _tables_of_partitions(node: Node, selection: StepSelection) -> Sequence[EngineAsset]:
    """The tables behind the selected component values, without those that are built."""
    tables = {asset.partition_key: asset for asset in node.assets}
    values = {key: _component_value(node.spec.partitions_def, key) for key in selection.partition_keys}
    missing = sorted({value for value in values.values() if value not in tables})
    if missing:
        raise dg.Failure(
            description=(
                f"{node.spec.key.to_user_string()} has no source for the partitions {', '.join(missing)}; it has "
                f"{', '.join(str(key) for key in tables)}. Refresh the state, or run other partitions."
            ),
            allow_retries=False,
        )
    wanted = {value for key, value in values.items() if (node.spec.key, key) not in selection.done}
    return [asset for value, asset in tables.items() if value in wanted]


def _component_value(partitions_def: dg.PartitionsDefinition | None, key: str) -> str:
    """The component's part of a partition key."""
    if not isinstance(partitions_def, dg.MultiPartitionsDefinition):
        return key
    parts = partitions_def.get_partition_key_from_str(key).keys_by_dimension
    return next(value for name, value in parts.items() if name != TIME_DIMENSION)


def finish(request: RunRequest, options: RunOptions | None, run_id: str) -> RunRequest:
    """A request with what every run is given, and an idempotency key of its own when there is to be one.

    Args:
        request: What the plan asks.
        options: The run options.
        run_id: The Dagster run's id, which `{run_id}` in the key stands for.

    Returns:
        The finished request; the key's end is a hash of what is asked, so that a skip proves that this very request
        was done.
    """
    finished = replace(request, options=options or RunOptions())
    if not finished.options.idempotency_key:
        return finished
    base = finished.options.idempotency_key.replace("{run_id}", run_id)
    digest = hashlib.sha256(repr(finished.to_args()).encode()).hexdigest()[:12]
    return replace(finished, idempotency_key=f"{base}-{digest}")
