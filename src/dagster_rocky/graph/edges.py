"""The one graph of a project: its assets with keys, dependencies, partitions and checks, and who builds what."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import dagster as dg

from dagster_rocky.graph.nodes import TIME_DIMENSION, Draft, Drafter
from dagster_rocky.graph.ownership import Ownership
from dagster_rocky.project.snapshot import ProjectSnapshot
from dagster_rocky.translator import RockyAssetProps, column_lineage
from dagster_rocky.vocabulary import CheckDeclaration, EngineAsset
from dagster_rocky.yaml.options import ChecksOptions, PartitionsOptions

SpecMaker = Callable[[RockyAssetProps], dg.AssetSpec]
Translation = Callable[[dg.AssetSpec, RockyAssetProps], dg.AssetSpec]


class DuplicateAssetKey(ValueError):
    """Two parts of a project have one asset key; the message names both and the way out."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One asset of the graph.

    Attributes:
        spec: What Dagster shows.
        assets: What the engine builds for it: one thing, or one per component value when that is the partition.
        contract: The declaration of its contract, if it has one.
    """

    spec: dg.AssetSpec
    assets: tuple[EngineAsset, ...]
    contract: CheckDeclaration | None = None

    @property
    def pipeline(self) -> str:
        """The pipeline that builds it, or `seeds`."""
        asset = self.assets[0]
        return "seeds" if asset.kind == "seed" else asset.pipeline or ""

    @property
    def checks(self) -> tuple[CheckDeclaration, ...]:
        """All declarations, the contract's too."""
        declared = self.assets[0].checks
        return (*declared, self.contract) if self.contract else declared


@dataclass(frozen=True)
class RockyGraph:
    """The graph of a component.

    Attributes:
        nodes: Owned assets by key, upstream first as far as the engine orders them.
        universe: Everything that the engine builds, owned or not, pipelines and models in their order.
        keys: Asset keys by `catalog.schema.table`, of everything that the project builds.
    """

    nodes: Mapping[dg.AssetKey, Node]
    universe: tuple[EngineAsset, ...]
    keys: Mapping[str, dg.AssetKey]


def build_graph(
    snapshot: ProjectSnapshot,
    ownership: Ownership,
    get_spec: SpecMaker,
    *,
    translate: Translation = lambda spec, props: spec,
    partitions: PartitionsOptions | None = None,
    checks: ChecksOptions | None = None,
    with_lineage: bool = True,
) -> RockyGraph:
    """Makes the graph of the owned part of a project.

    Args:
        snapshot: The project.
        ownership: The part that becomes assets; the rest is still named by dependencies.
        get_spec: Makes a spec from what is known of an asset.
        translate: Changes it last, when it has its dependencies; it may change its key.
        partitions: The component's partition options.
        checks: The component's check options.
        with_lineage: Whether to attach column lineage.

    Returns:
        The graph.

    Raises:
        SelectionError: When the component asks for what the project does not have.
        DuplicateAssetKey: When two assets have one key.
        ValueError: When partition options do not fit.
    """
    ownership.check(snapshot)
    drafter = Drafter(snapshot, ownership, partitions or PartitionsOptions(), checks or ChecksOptions())
    drafts = drafter.drafts()
    for draft in drafts:
        if draft.owned:
            draft.base = get_spec(draft.props)
            if draft.partitions_def and not draft.base.partitions_def:
                draft.base = draft.base.replace_attributes(partitions_def=draft.partitions_def)
            draft.spec = translate(draft.base, draft.props)
            draft.partitions_def = draft.spec.partitions_def
    return _finish(drafts, snapshot, translate, with_lineage)


def _finish(
    drafts: Sequence[Draft], snapshot: ProjectSnapshot, translate: Translation, with_lineage: bool
) -> RockyGraph:
    """Dependencies, partition mappings and lineage, now that every key is known."""
    writers = {asset.target: draft for draft in drafts for asset in draft.engine if asset.target}
    by_model = {draft.props.name: draft for draft in drafts if draft.props.model}
    keys = {target: draft.key for target, draft in writers.items()}
    reads = {
        target: pipeline.reads
        for pipeline in snapshot.pipelines
        if pipeline.reads
        for target in pipeline.targets
    }
    nodes: dict[dg.AssetKey, Node] = {}
    universe: list[EngineAsset] = []
    for draft in drafts:
        if draft.spec is None or draft.base is None:
            universe += draft.engine
            continue
        model = draft.props.model
        upstream = [by_model[name] for name in model.depends_on if name in by_model] if model else []
        tables = model.reads if model else reads.get(draft.props.target, [])
        deps = _dependencies(draft, upstream, tables, writers)
        lineage = column_lineage(model, keys) if model and with_lineage else None
        spec = draft.spec
        if deps or lineage:
            own = {dep.asset_key for dep in draft.base.deps}
            whole = draft.base.replace_attributes(
                deps=[*draft.base.deps, *(dep for dep in deps if dep.asset_key not in own)]
            )
            if lineage:
                whole = whole.merge_attributes(metadata={"dagster/column_lineage": lineage})
            spec = translate(whole, draft.props)
        if spec.key in nodes:
            raise _duplicate(nodes[spec.key], draft)
        engine = tuple(replace(asset, asset_key=spec.key, checks=draft.checks) for asset in draft.engine)
        nodes[spec.key] = Node(spec=spec, assets=engine, contract=draft.contract)
        universe += engine
    return RockyGraph(nodes=nodes, universe=tuple(universe), keys=keys)


def _duplicate(first: Node, second: Draft) -> DuplicateAssetKey:
    engine = second.engine[0]
    return DuplicateAssetKey(
        f"The asset key {first.spec.key.to_user_string()!r} is both the {first.assets[0].kind} "
        f"{'/'.join(first.assets[0].engine_key)!r} of pipeline {first.pipeline!r} and the {engine.kind} "
        f"{'/'.join(engine.engine_key)!r} of pipeline {engine.pipeline!r}. Give one of them another key with "
        "`translation.key` or `translation.key_prefix`, or leave it to another component with `pipelines`, "
        "`filters` or `models`."
    )


def _dependencies(
    draft: Draft, upstream: Iterable[Draft], tables: Iterable[str], writers: Mapping[str, Draft]
) -> list[dg.AssetDep]:
    """Models that it names, then physical tables: assets where the project builds them, else external."""
    found: dict[dg.AssetKey, dg.AssetDep] = {}
    wanted: dict[dg.AssetKey, tuple[Draft, set[str]]] = {}
    for other in upstream:
        wanted.setdefault(other.key, (other, set()))
    for table in tables:
        writer = writers.get(table)
        if writer is None:
            key = dg.AssetKey(table.split("."))
            found.setdefault(key, dg.AssetDep(key, metadata={"dagster/table_name": table}))
            continue
        _, values = wanted.setdefault(writer.key, (writer, set()))
        values.update(
            a.partition_key for a in writer.engine if a.target == table and a.partition_key is not None
        )
    for key, (other, values) in wanted.items():
        if key == draft.key:
            continue
        mapping = _partition_mapping(draft, other, values)
        metadata = (
            None if other.owned or not other.props.target else {"dagster/table_name": other.props.target}
        )
        found[key] = dg.AssetDep(key, partition_mapping=mapping, metadata=metadata)
    return list(found.values())


def _partition_mapping(draft: Draft, other: Draft, values: set[str]) -> dg.PartitionMapping | None:
    """Which upstream partitions a partition needs; `None` is Dagster's own choice."""
    upstream, downstream = other.partitions_def, draft.partitions_def
    if upstream is None or (downstream is None and not values):
        return None
    in_time = isinstance(downstream, dg.TimeWindowPartitionsDefinition)
    if isinstance(upstream, dg.MultiPartitionsDefinition):
        return (
            dg.MultiToSingleDimensionPartitionMapping(TIME_DIMENSION) if in_time else dg.AllPartitionMapping()
        )
    if values:
        return dg.SpecificPartitionsPartitionMapping(sorted(values))
    if in_time and isinstance(upstream, dg.TimeWindowPartitionsDefinition):
        return dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)
    return dg.AllPartitionMapping()
