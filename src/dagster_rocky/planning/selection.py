"""What did one Dagster step select, what of it is left to build, and which engine runs build that?"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import dagster as dg

from dagster_rocky.engine.options import RunOptions
from dagster_rocky.graph.edges import Node, RockyGraph
from dagster_rocky.graph.partitioning import TIME_DIMENSION
from dagster_rocky.graph.universe import Universe
from dagster_rocky.partitions import to_engine_key
from dagster_rocky.planning.done import BuiltBy, Done
from dagster_rocky.planning.plan import PlannedRun, Unit, plan_one_by_one, plan_rest, plan_units
from dagster_rocky.planning.requests import PER_RUN, Requests


@dataclass(frozen=True, kw_only=True)
class StepSelection:
    """What a step has to build, and what earlier tries have built already.

    Attributes:
        nodes: The selected assets.
        partition_keys: Dagster keys of the selected partitions; empty for assets without partitions.
        done: Assets and partitions that are built, each with the runs that built it.
        absent: Selected assets that the source behind a selected partition does not have.
    """

    nodes: tuple[Node, ...]
    partition_keys: tuple[str, ...] = ()
    done: Done = field(default_factory=dict)
    absent: tuple[tuple[Node, str], ...] = ()

    @cached_property
    def _absent(self) -> AbstractSet[tuple[dg.AssetKey, str]]:
        return {(node.spec.key, partition) for node, partition in self.absent}

    def finished(self) -> Iterator[Node]:
        """Selected assets of which nothing is left to build."""
        for node in self.nodes:
            there = self._partitions_of(node)
            if there and all((node.spec.key, partition) in self.done for partition in there):
                yield node

    def done_units(self) -> Iterator[tuple[Node, str | None, BuiltBy]]:
        """What earlier tries built of the selection: asset, partition, and the runs that built it."""
        for node in self.nodes:
            for partition in self._partitions_of(node):
                if (node.spec.key, partition) in self.done:
                    yield node, partition, self.done[node.spec.key, partition]

    def units(self) -> tuple[Unit, ...]:
        """What is left to build.

        Raises:
            ValueError: When a partition key has not the grain's format.
        """
        return tuple(unit for node in self.nodes for unit in self._units_of(node))

    def _partitions_of(self, node: Node) -> Sequence[str | None]:
        """The selected partitions that the asset has."""
        return [key for key in self.partition_keys or (None,) if (node.spec.key, key) not in self._absent]

    def _units_of(self, node: Node) -> Iterator[Unit]:
        left = [key for key in self._partitions_of(node) if (node.spec.key, key) not in self.done]
        asset = node.assets[0]
        if asset.partition_key is not None:
            yield from self._tables_of_values(node, left)
        elif asset.granularity is not None and self.partition_keys:
            for key in left:
                yield Unit(asset, key, to_engine_key(asset.granularity, key or ""))
        elif left:
            # The engine builds all that is selected of it at once.
            yield Unit(asset, left[0] if asset.kind == "table" and len(left) == 1 else None)

    @staticmethod
    def _tables_of_values(node: Node, partitions: Sequence[str | None]) -> Iterator[Unit]:
        """The tables behind component values, each once, of its partition where it has only one."""
        tables = {asset.partition_key: asset for asset in node.assets}
        keys_of: dict[str, list[str]] = {}
        for key in partitions:
            if key is not None:
                keys_of.setdefault(component_value(node.spec.partitions_def, key), []).append(key)
        for value, asset in tables.items():
            keys = keys_of.get(value or "", [])
            if keys:
                yield Unit(asset, keys[0] if len(keys) == 1 else None)


@dataclass(frozen=True, kw_only=True)
class StepPlan:
    """The engine runs of a step, and what is asked instead when one ends early.

    Attributes:
        runs: In the order in which to make them; empty when everything is built.
        universe: Everything that the engine builds.
        requests: What all runs have in common.
    """

    runs: tuple[PlannedRun, ...]
    universe: Universe = field(default_factory=Universe)
    requests: Requests = field(default_factory=Requests)

    def rest(self, run: PlannedRun, failed: AbstractSet[Unit], left: Sequence[Unit]) -> list[PlannedRun]:
        """See `plan_rest`."""
        return plan_rest(run, failed, left, self.universe, self.requests)

    def one_by_one(self, run: PlannedRun) -> list[PlannedRun]:
        """See `plan_one_by_one`."""
        return plan_one_by_one(run, self.requests)


def read_selection(
    context: dg.AssetExecutionContext, graph: RockyGraph, done: Done | None = None
) -> StepSelection:
    """What a step's context selects.

    Of checks without any asset, that is the assets of those that the engine evaluates only while it builds. They have
    to be without partitions, or the run has to have one.

    Args:
        context: The step's.
        graph: The component's.
        done: What earlier tries built, from `built_earlier`.

    Returns:
        The selection.

    Raises:
        dagster.Failure: When partitioned assets are run without a partition, or when none of the selected assets is in
            any of the selected partitions.
    """
    selected = context.selected_asset_keys or _behind_checks(context, graph)
    nodes = tuple(node for key, node in graph.nodes.items() if key in selected)
    if not nodes or nodes[0].spec.partitions_def is None:
        return StepSelection(nodes=nodes, done=done or {})
    if not (context.has_partition_key or context.has_partition_key_range):
        raise dg.Failure(
            description=(
                f"{nodes[0].spec.key.to_user_string()} has partitions and the run has none: launch it with "
                "`--partition` or `--partition-range`, or choose partitions in the launchpad."
            ),
            allow_retries=False,
        )
    keys = tuple(context.partition_keys)
    absent = tuple(_absent(nodes, keys))
    if len(absent) == len(nodes) * len(keys):
        raise _nothing_there(nodes, absent)
    return StepSelection(nodes=nodes, partition_keys=keys, done=done or {}, absent=absent)


def _behind_checks(context: dg.AssetExecutionContext, graph: RockyGraph) -> AbstractSet[dg.AssetKey]:
    in_partition = context.has_partition_key or context.has_partition_key_range
    wanted = {(key.asset_key, key.name) for key in context.selected_asset_check_keys}
    return {
        key
        for key, node in graph.nodes.items()
        if (in_partition or node.spec.partitions_def is None)
        and any((key, check.name) in wanted for check in node.assets[0].checks)
    }


def _absent(nodes: Sequence[Node], partition_keys: Sequence[str]) -> Iterator[tuple[Node, str]]:
    """Assets by component value whose source for a selected value is not there, or does not have the table."""
    values: dict[str, str] = {}
    for node in nodes:
        if node.assets[0].partition_key is None:
            continue
        there = {asset.partition_key for asset in node.assets}
        for key in partition_keys:
            if key not in values:
                values[key] = component_value(node.spec.partitions_def, key)
            if values[key] not in there:
                yield node, key


def _nothing_there(nodes: Sequence[Node], absent: Sequence[tuple[Node, str]]) -> dg.Failure:
    node = nodes[0]
    missing = sorted({key for _, key in absent})
    more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
    return dg.Failure(
        description=(
            f"{node.spec.key.to_user_string()}{more} has no source for the partitions {', '.join(missing)}; it has "
            f"{', '.join(sorted(str(asset.partition_key) for asset in node.assets))}. "
            "Refresh the state, or run other partitions."
        ),
        allow_retries=False,
    )


def component_value(partitions_def: dg.PartitionsDefinition | None, key: str) -> str:
    """The component's part of a partition key.

    Args:
        partitions_def: The partitions that the key is of.
        key: Dagster's key.

    Example:
        ```python
        component_value(None, "jfk")  # 'jfk'
        ```
    """
    if not isinstance(partitions_def, dg.MultiPartitionsDefinition):
        return key
    parts: Mapping[str, str] = partitions_def.get_partition_key_from_str(key).keys_by_dimension
    return next(value for name, value in parts.items() if name != TIME_DIMENSION)


def plan_selection(
    selection: StepSelection,
    graph: RockyGraph,
    *,
    options: RunOptions | None = None,
    key_parts: Mapping[str, str] | None = None,
    attempt: int = 0,
    parallel: int | None = None,
    lookback: int | Literal["model"] | None = None,
    per_run: int = PER_RUN,
) -> StepPlan:
    """The fewest engine runs that build what is left of a selection.

    Args:
        selection: What the step selected.
        graph: The component's graph, whose universe the runs are checked against.
        options: What every request is given.
        key_parts: What the placeholders of an idempotency key stand for.
        attempt: Which retry of the step it is; 0 for none.
        parallel: The engine's `--parallel`.
        lookback: Earlier partitions to rebuild too; `"model"` leaves it to each model, `None` means none.
        per_run: How many partitions of a model one engine run builds at most.

    Returns:
        The plan.

    Raises:
        ValueError: When a partition key has not the grain's format.
    """
    requests = Requests(
        options=options or RunOptions(),
        key_parts=key_parts or {},
        attempt=attempt,
        parallel=parallel,
        lookback=lookback,
        per_run=per_run,
    )
    runs = plan_units(selection.units(), graph.universe, requests)
    return StepPlan(runs=tuple(runs), universe=graph.universe, requests=requests)
