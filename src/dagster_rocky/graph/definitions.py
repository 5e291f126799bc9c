"""Groups of assets as Dagster definitions: multi-assets and check-only ops."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import dagster as dg

from dagster_rocky.graph.declared_checks import check_specs
from dagster_rocky.graph.edges import RockyGraph
from dagster_rocky.graph.grouping import AssetGroup, group_nodes
from dagster_rocky.graph.nodes import dynamic_name
from dagster_rocky.vocabulary import EngineAsset

Execute = Callable[[dg.AssetExecutionContext], Iterator[Any]]
ExecuteChecks = Callable[[dg.AssetCheckExecutionContext, str], Iterator[dg.AssetCheckResult]]
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")


def op_name(*parts: str) -> str:
    """A valid op name of several parts, e.g. `rocky_landing_marts_daily`."""
    return "_".join(_NOT_IN_NAMES.sub("_", part).strip("_") for part in parts if part)


def build_assets(
    graph: RockyGraph,
    execute: Execute,
    *,
    label: str,
    name: str | None = None,
    description: str | None = None,
    tags: Mapping[str, Any] | None = None,
    pool: str | None = None,
    retry_policy: dg.RetryPolicy | None = None,
    backfill_policy: dg.BackfillPolicy | None = None,
) -> list[dg.AssetsDefinition]:
    """Makes the multi-assets of a graph, every one of which can be subset.

    Args:
        graph: The component's graph.
        execute: The body of every step.
        label: What is unique to the component, e.g. `landing`.
        name: Of the op, instead of one made from label and pipeline; several groups get a number behind.
        description: Of the op.
        tags: Of the op.
        pool: The op's pool.
        retry_policy: Of the op.
        backfill_policy: For groups with partitions in one dimension.

    Returns:
        One definition per group.

    Raises:
        ValueError: When the dependencies form a cycle.
    """
    groups = group_nodes(graph)
    definitions: list[dg.AssetsDefinition] = []
    for number, group in enumerate(groups, start=1):
        chosen = name and (name if len(groups) == 1 else f"{name}_{number}")

        @dg.multi_asset(
            name=chosen or op_name("rocky", label, group.name),
            specs=[node.spec for node in group.nodes],
            check_specs=_check_specs(group),
            can_subset=True,
            description=description or f"Runs rocky for the selected assets of `{group.nodes[0].pipeline}`.",
            op_tags=dict(tags or {}),
            pool=pool,
            retry_policy=retry_policy,
            backfill_policy=_backfill_policy(group, backfill_policy),
            partitions_def=group.partitions_def,
        )
        def run_group(context: dg.AssetExecutionContext) -> Iterator[Any]:
            yield from execute(context)

        definitions.append(run_group)
    return definitions


def _backfill_policy(group: AssetGroup, chosen: dg.BackfillPolicy | None) -> dg.BackfillPolicy | None:
    """Without partitions a group runs once, whatever the range; a range has no meaning in two dimensions."""
    if group.partitions_def is None:
        return dg.BackfillPolicy.single_run()
    if isinstance(group.partitions_def, dg.MultiPartitionsDefinition):
        return dg.BackfillPolicy.multi_run(1)
    return chosen


def _check_specs(group: AssetGroup) -> list[dg.AssetCheckSpec]:
    specs: list[dg.AssetCheckSpec] = []
    for node in group.nodes:
        specs += check_specs(node.spec.key, node.checks)
    return specs


def build_check_ops(
    assets: Mapping[str, Sequence[EngineAsset]],
    execute: ExecuteChecks,
    *,
    label: str,
    tags: Mapping[str, Any] | None = None,
    pool: str | None = None,
    retry_policy: dg.RetryPolicy | None = None,
) -> list[dg.AssetChecksDefinition]:
    """Makes one check-only op per quality pipeline; the engine runs such a pipeline whole.

    Args:
        assets: By pipeline, the tables that it checks with their declarations.
        execute: The body; it is given the pipeline's name.
        label: What is unique to the component.
        tags: Of the ops.
        pool: Their pool.
        retry_policy: Theirs.

    Returns:
        One definition per pipeline that checks something.
    """
    definitions = []
    for pipeline, checked in assets.items():
        specs = [spec for asset in checked for spec in check_specs(asset.asset_key, asset.checks)]
        if not specs:
            continue
        body = _check_body(execute, pipeline)
        decorate = dg.multi_asset_check(
            name=op_name("rocky", label, pipeline),
            specs=specs,
            can_subset=True,
            description=f"Runs rocky quality pipeline `{pipeline}`.",
            op_tags=dict(tags or {}),
            pool=pool,
            retry_policy=retry_policy,
        )
        definitions.append(decorate(body))
    return definitions


def _check_body(execute: ExecuteChecks, pipeline: str) -> Callable[..., Iterator[dg.AssetCheckResult]]:
    def run_quality(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        yield from execute(context, pipeline)

    return run_quality


def backfill_policy(choice: Literal["single_run", "per_partition"]) -> dg.BackfillPolicy:
    """The YAML's `partitions.backfill` as Dagster takes it."""
    return dg.BackfillPolicy.single_run() if choice == "single_run" else dg.BackfillPolicy.multi_run(1)


def build_partition_sensors(
    graph: RockyGraph, component: str | None, *, label: str
) -> list[dg.SensorDefinition]:
    """Keeps dynamic partitions in step with what was discovered.

    Args:
        graph: The component's graph.
        component: The schema component whose values are the partitions.
        label: What is unique to the component.

    Returns:
        One sensor, running by default, when the graph has dynamic partitions; otherwise none.
    """
    wanted: dict[str, set[str]] = {}
    for node in graph.nodes.values():
        if isinstance(node.spec.partitions_def, dg.DynamicPartitionsDefinition):
            name = dynamic_name(node.pipeline, component or "")
            values = {asset.partition_key for asset in node.assets if asset.partition_key}
            wanted.setdefault(name, set()).update(values)
    if not wanted:
        return []

    @dg.sensor(
        name=op_name("rocky", label, "partitions"),
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Adds and removes dynamic partitions as sources come and go.",
    )
    def keep_partitions(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        requests: list[Any] = []
        for name, values in wanted.items():
            definition = dg.DynamicPartitionsDefinition(name=name)
            present = set(context.instance.get_dynamic_partitions(name))
            if missing := sorted(values - present):
                requests.append(definition.build_add_request(missing))
            if gone := sorted(present - values):
                requests.append(definition.build_delete_request(gone))
        if not requests:
            return dg.SkipReason("The partitions are those that were discovered.")
        return dg.SensorResult(dynamic_partitions_requests=requests)

    return [keep_partitions]
