"""How do groups of assets and quality pipelines become Dagster definitions?"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

import dagster as dg
from dagster.components.resolved.core_models import OpSpec

from dagster_rocky.graph.declared_checks import check_specs
from dagster_rocky.graph.edges import RockyGraph
from dagster_rocky.graph.grouping import AssetGroup, group_nodes
from dagster_rocky.graph.naming import input_names, numbered, op_name, output_names
from dagster_rocky.graph.one_mapping import with_one_mapping
from dagster_rocky.graph.partitioning import dynamic_name
from dagster_rocky.vocabulary import EngineAsset

Execute = Callable[[dg.AssetExecutionContext], Iterator[Any]]
ExecuteChecks = Callable[[dg.AssetCheckExecutionContext, str], Iterator[Any]]
_CHECK_OUT = dg.Out(None, is_required=False)
"""One for all checks: Dagster works out the type of an output each time that one is made."""


def build_assets(
    graph: RockyGraph,
    execute: Execute,
    *,
    label: str,
    op: OpSpec | None = None,
    retry_policy: dg.RetryPolicy | None = None,
    backfill_policy: dg.BackfillPolicy | None = None,
    config_schema: Mapping[str, dg.Field] | None = None,
) -> list[dg.AssetsDefinition]:
    """Makes the multi-assets of a graph, every one of which can be subset.

    Args:
        graph: The component's graph.
        execute: The body of every step.
        label: What is unique to the component, e.g. `landing`.
        op: Dagster's op settings. Its name is used instead of one made from label and pipeline; several groups get a
            number behind. Its backfill policy counts before the other.
        retry_policy: Of the op.
        backfill_policy: For groups with partitions in one dimension.
        config_schema: The run config that every op takes.

    Returns:
        One definition per group.

    Raises:
        ValueError: When the dependencies form a cycle.
    """
    settings = op or OpSpec()
    policy = settings.backfill_policy or backfill_policy
    groups = group_nodes(graph)
    names: list[str] = []
    for number, group in enumerate(groups, start=1):
        chosen = settings.name and (settings.name if len(groups) == 1 else f"{settings.name}_{number}")
        names.append(numbered(chosen or op_name("rocky", label, group.name), names))
    return [
        _assets_definition(
            group,
            execute,
            name=name,
            op=settings,
            retry_policy=retry_policy,
            backfill_policy=_backfill_policy(group, policy),
            config_schema=config_schema,
        )
        for name, group in zip(names, groups, strict=True)
    ]


def _assets_definition(
    group: AssetGroup,
    execute: Execute,
    *,
    name: str,
    op: OpSpec,
    retry_policy: dg.RetryPolicy | None,
    backfill_policy: dg.BackfillPolicy | None,
    config_schema: Mapping[str, dg.Field] | None,
) -> dg.AssetsDefinition:
    """What `multi_asset` makes, with names of outputs and inputs that any key may have.

    `multi_asset` spells outputs and inputs after their keys: it refuses a key that is no name, and loses one of two
    that it spells alike.
    """
    specs = {spec.key: spec for spec in with_one_mapping(node.spec for node in group.nodes)}
    checks = {spec.key: spec for node in group.nodes for spec in check_specs(node.spec.key, node.checks)}
    produced: list[dg.AssetKey | dg.AssetCheckKey] = [*specs, *checks]
    outputs = output_names(produced)
    inputs = input_names(dict.fromkeys(dep.asset_key for spec in specs.values() for dep in spec.deps))

    def run_group(context: dg.AssetExecutionContext) -> Iterator[Any]:
        yield from execute(context)

    decorate = dg.op(
        name=name,
        description=op.description or f"Runs rocky for the selected assets of `{group.nodes[0].pipeline}`.",
        ins={inputs[key]: dg.In(dg.Nothing) for key in inputs},
        out={
            **{outputs[key]: _asset_out(spec) for key, spec in specs.items()},
            **{outputs[key]: _CHECK_OUT for key in checks},
        },
        tags=dict(op.tags or {}),
        pool=op.pool,
        retry_policy=retry_policy,
        config_schema=config_schema,
    )
    return dg.AssetsDefinition(
        node_def=decorate(run_group),
        specs=list(specs.values()),
        keys_by_input_name={name: key for key, name in inputs.items()},
        keys_by_output_name={outputs[key]: key for key in specs},
        check_specs_by_output_name={outputs[key]: spec for key, spec in checks.items()},
        can_subset=True,
        backfill_policy=backfill_policy,
    )


def _asset_out(spec: dg.AssetSpec) -> dg.Out:
    """An output without a value, unless the spec names an I/O manager that wants one."""
    io_manager_key = spec.metadata.get("dagster/io_manager_key")
    return dg.Out(
        dg.Any if io_manager_key else dg.Nothing,
        is_required=False,
        description=spec.description,
        code_version=spec.code_version,
        metadata=spec.metadata,
        io_manager_key=io_manager_key,
    )


def _backfill_policy(group: AssetGroup, chosen: dg.BackfillPolicy | None) -> dg.BackfillPolicy | None:
    """Without partitions a group runs once, whatever the range; a range has no meaning in two dimensions."""
    if group.partitions_def is None:
        return dg.BackfillPolicy.single_run()
    if isinstance(group.partitions_def, dg.MultiPartitionsDefinition):
        return dg.BackfillPolicy.multi_run(1)
    return chosen


def build_check_ops(
    assets: Mapping[str, Sequence[EngineAsset]],
    execute: ExecuteChecks,
    *,
    label: str,
    op: OpSpec | None = None,
    retry_policy: dg.RetryPolicy | None = None,
    taken: Collection[str] = (),
    config_schema: Mapping[str, dg.Field] | None = None,
) -> list[dg.AssetChecksDefinition]:
    """Makes one check-only op per quality pipeline; the engine runs such a pipeline whole.

    Args:
        assets: By pipeline, the tables that it checks with their declarations.
        execute: The body; it is given the pipeline's name.
        label: What is unique to the component.
        op: Dagster's op settings, of which tags and pool count.
        retry_policy: Of the ops.
        taken: Names that other ops of the component have.
        config_schema: The run config that every op takes.

    Returns:
        One definition per pipeline that checks something.
    """
    settings = op or OpSpec()
    definitions: list[dg.AssetChecksDefinition] = []
    names = list(taken)
    for pipeline, checked in assets.items():
        specs = {spec.key: spec for asset in checked for spec in check_specs(asset.asset_key, asset.checks)}
        if not specs:
            continue
        names.append(numbered(op_name("rocky", label, pipeline), names))
        outputs = output_names(specs)
        inputs = input_names(dict.fromkeys(key.asset_key for key in specs))
        decorate = dg.op(
            name=names[-1],
            description=f"Runs rocky quality pipeline `{pipeline}`.",
            ins={name: dg.In(dg.Nothing) for name in inputs.values()},
            out=dict.fromkeys(outputs.values(), _CHECK_OUT),
            tags=dict(settings.tags or {}),
            pool=settings.pool,
            retry_policy=retry_policy,
            config_schema=config_schema,
        )
        definitions.append(
            dg.AssetChecksDefinition.create(
                node_def=decorate(_check_body(execute, pipeline)),
                keys_by_input_name={name: key for key, name in inputs.items()},
                check_specs_by_output_name={outputs[key]: spec for key, spec in specs.items()},
                can_subset=True,
            )
        )
    return definitions


def _check_body(execute: ExecuteChecks, pipeline: str) -> Callable[..., Iterator[Any]]:
    def run_quality(context: dg.AssetCheckExecutionContext) -> Iterator[Any]:
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
