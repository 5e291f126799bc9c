"""Which asset depends on which? The one graph of a project: specs with keys, dependencies and column lineage."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any

import dagster as dg

from dagster_rocky import _dagster
from dagster_rocky.accepting import accepted
from dagster_rocky.graph.declared_checks import refuse_idle_overrides
from dagster_rocky.graph.lineage import lineage_of
from dagster_rocky.graph.nodes import Product, Products
from dagster_rocky.graph.ownership import Ownership
from dagster_rocky.graph.partitioning import TIME_DIMENSION
from dagster_rocky.graph.sources import SourceKeys
from dagster_rocky.graph.universe import Universe
from dagster_rocky.project.snapshot import ProjectSnapshot
from dagster_rocky.translator import RockyAssetProps
from dagster_rocky.vocabulary import CheckDeclaration, EngineAsset
from dagster_rocky.yaml.automation import SourcesOptions
from dagster_rocky.yaml.mistakes import Mistake
from dagster_rocky.yaml.options import ChecksOptions, KeyStyle, PartitionsOptions

SpecMaker = Callable[[RockyAssetProps], dg.AssetSpec]
Translation = Callable[[dg.AssetSpec, RockyAssetProps], dg.AssetSpec]
_LOG = logging.getLogger("dagster_rocky")


class DuplicateAssetKey(Mistake):
    """Two parts of a project have one asset key; the message names both and the way out."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One asset of the graph.

    Attributes:
        spec: What Dagster shows.
        assets: What the engine builds for it: one thing, or one per component value when that is the partition.
        beside: Declared checks that another command of the engine evaluates than the run that builds it.
    """

    spec: dg.AssetSpec
    assets: tuple[EngineAsset, ...]
    beside: tuple[CheckDeclaration, ...] = ()

    @property
    def pipeline(self) -> str:
        """The pipeline that builds it, or `seeds`."""
        asset = self.assets[0]
        return "seeds" if asset.kind == "seed" else asset.pipeline or ""

    @property
    def checks(self) -> tuple[CheckDeclaration, ...]:
        """All declarations."""
        return (*self.assets[0].checks, *self.beside)


@dataclass(frozen=True)
class RockyGraph:
    """The graph of a component.

    Attributes:
        nodes: Owned assets by key, upstream first as far as the engine orders them.
        universe: Everything that the engine builds, owned or not, pipelines and models in their order.
        keys: Asset keys by `catalog.schema.table`, of everything that the project builds.
        source_keys: Of the tables that owned assets are copies of, where they are in the graph.
    """

    nodes: Mapping[dg.AssetKey, Node]
    universe: Universe
    keys: Mapping[str, dg.AssetKey]
    source_keys: SourceKeys = field(default_factory=dict)


def build_graph(
    snapshot: ProjectSnapshot,
    ownership: Ownership,
    get_spec: SpecMaker,
    *,
    translate: Translation | None = None,
    partitions: PartitionsOptions | None = None,
    checks: ChecksOptions | None = None,
    key_style: KeyStyle = "engine",
    column_lineage: bool = True,
    sources: SourcesOptions | None = None,
) -> RockyGraph:
    """Makes the graph of the owned part of a project.

    Each asset's spec is made and translated once, after those that it depends on, whose keys are then known.

    Args:
        snapshot: The project.
        ownership: The part that becomes assets; the rest is still named by dependencies.
        get_spec: Makes a spec from what is known of an asset.
        translate: Changes it last, when it has its dependencies; it may change its key.
        partitions: The component's partition options.
        checks: The component's check options.
        key_style: Which key a copied table has.
        column_lineage: Whether to attach column lineage.
        sources: Whether source tables are in the graph, and under which keys.

    Returns:
        The graph.

    Raises:
        SelectionError: When the component asks for what the project does not have.
        DuplicateAssetKey: When two assets have one key.
        ValueError: When partition options do not fit, or models name each other in a circle.
    """
    ownership.check(snapshot)
    refuse_idle_overrides(snapshot, checks or ChecksOptions())
    products = Products(
        snapshot=snapshot,
        ownership=ownership,
        partitions=partitions or PartitionsOptions(),
        checks=checks or ChecksOptions(),
        sources=sources or SourcesOptions(),
        key_style=key_style,
    ).all()
    tables = _Tables(products)
    specs: dict[Product, dg.AssetSpec] = {}

    def lineage(product: Product, spec: dg.AssetSpec) -> dict[str, dg.TableColumnLineage]:
        model = product.props.model if column_lineage else None
        return lineage_of(spec, model, lambda table: _key_of_table(table, tables, specs)) if model else {}

    for product, upstream in _upstream_first(products, tables):
        early = lineage if translate is None and _is_known(product, tables, specs) else _no_lineage
        specs[product] = _spec(
            product, upstream, specs, get_spec=get_spec, translate=translate, lineage=early
        )
    keys = {target: _key(product, specs) for target, product in tables.writers.items()}
    nodes: dict[dg.AssetKey, Node] = {}
    universe: list[EngineAsset] = []
    for product in products:
        engine = product.engine_assets(_key(product, specs))
        universe += engine
        if product not in specs:
            continue
        spec = specs[product]
        if spec.key in nodes:
            raise _duplicate(nodes[spec.key], engine[0])
        if found := lineage(product, spec):
            spec = spec.merge_attributes(metadata=found)
        nodes[spec.key] = Node(spec=spec, assets=engine, beside=product.beside)
    return RockyGraph(nodes=nodes, universe=Universe(universe), keys=keys, source_keys=_source_keys(products))


def _source_keys(products: Sequence[Product]) -> SourceKeys:
    found: dict[tuple[str, str], dict[dg.AssetKey, None]] = {}
    for product in products:
        for source_id, key in product.source_keys if product.owned else ():
            found.setdefault((product.props.pipeline, source_id), {})[key] = None
    return {place: tuple(keys) for place, keys in found.items()}


def _key(product: Product, specs: Mapping[Product, dg.AssetSpec]) -> dg.AssetKey:
    """Translated, if owned; otherwise the engine's."""
    spec = specs.get(product)
    return spec.key if spec else product.engine_key


def _key_of_table(table: str, tables: "_Tables", specs: Mapping[Product, dg.AssetSpec]) -> dg.AssetKey:
    writer = tables.writers.get(tables.spelled(table))
    return _key(writer, specs) if writer else dg.AssetKey(table.split("."))


Lineage = Callable[[Product, dg.AssetSpec], Mapping[str, Any]]


def _no_lineage(product: Product, spec: dg.AssetSpec) -> Mapping[str, Any]:
    return {}


def _is_known(product: Product, tables: "_Tables", specs: Mapping[Product, dg.AssetSpec]) -> bool:
    """Whether the key of everything that a model's columns come from is known already."""
    model = product.props.model
    read = {source.table for source in model.lineage} if model else set()
    writers = [tables.writers.get(tables.spelled(table)) for table in read]
    return all(writer is None or not writer.owned or writer in specs for writer in writers)


def _duplicate(first: Node, engine: EngineAsset) -> DuplicateAssetKey:
    return DuplicateAssetKey(
        "translation",
        f"The asset key {first.spec.key.to_user_string()!r} is both the {first.assets[0].kind} "
        f"{'/'.join(first.assets[0].engine_key)!r} of pipeline {first.pipeline!r} and the {engine.kind} "
        f"{'/'.join(engine.engine_key)!r} of pipeline {engine.pipeline!r}. Give one of them another key with "
        "`translation.key` or `translation.key_prefix`, or leave it to another component with `pipelines`, "
        "`filters` or `models`.",
    )


class _Tables:
    """Who writes which physical table; a name that is not there as it is written is looked for in any case."""

    def __init__(self, products: Sequence[Product]) -> None:
        self.writers = {
            table.target: product for product in products for table in product.tables if table.target
        }
        self._folded: dict[str, str | None] = {}
        for target in self.writers:
            self._folded[target.casefold()] = None if target.casefold() in self._folded else target

    def spelled(self, name: str) -> str:
        """The name as the project spells it, where it builds the table."""
        return name if name in self.writers else self._folded.get(name.casefold()) or name


@dataclass
class _Upstream:
    """What a product needs: others, with the component values that are read of each, and tables nobody builds."""

    products: dict[Product, set[str]] = field(default_factory=dict)
    named: set[Product] = field(default_factory=set)
    external: dict[str, None] = field(default_factory=dict)
    sources: tuple[dg.AssetKey, ...] = ()


def _upstream_of(product: Product, models: Mapping[str, Product], tables: _Tables) -> _Upstream:
    """Models that it names, then physical tables; never itself."""
    found = _Upstream(sources=tuple(key for _, key in product.source_keys))
    for name in product.depends_on:
        other = models.get(name)
        if other is not None and other is not product:
            found.named.add(other)
            found.products.setdefault(other, set())
    for table in map(tables.spelled, product.reads):
        writer = tables.writers.get(table)
        if writer is None and table.strip("."):
            found.external.setdefault(table)
        elif writer is not None and writer is not product:
            found.products.setdefault(writer, set()).update(
                written.partition_key
                for written in writer.tables
                if written.target == table and written.partition_key is not None
            )
    return found


def _upstream_first(products: Sequence[Product], tables: _Tables) -> Iterator[tuple[Product, _Upstream]]:
    """Owned products, each after those that it needs."""
    models = {product.props.name: product for product in products if product.props.model}
    needs: dict[Product, _Upstream] = {}
    for product in products:
        if product.owned and not (product.depends_on or product.reads):
            yield product, _Upstream(sources=tuple(key for _, key in product.source_keys))
        elif product.owned:
            needs[product] = _upstream_of(product, models, tables)
    for product in _sorted(needs):
        yield product, needs[product]


def _sorted(needs: Mapping[Product, _Upstream]) -> list[Product]:
    """The order of products with upstream; where SQL alone makes a circle, the table that closes it is no edge."""
    while True:
        graph = {
            product: [other for other in upstream.products if other in needs]
            for product, upstream in needs.items()
        }
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            circle: list[Product] = error.args[1]
        path = " → ".join("/".join(product.props.engine_key) for product in circle)
        closing = [(up, down) for up, down in pairwise(circle) if up not in needs[down].named]
        if not closing:
            raise ValueError(
                f"The dependencies of these assets form a cycle: {path}. Correct the models' `depends_on`."
            )
        read, reader = closing[0]
        del needs[reader].products[read]
        _LOG.warning(
            "rocky: the dependency of %s on %s is left out, because they read each other: %s",
            reader.props.name,
            read.props.name,
            path,
        )


def _spec(
    product: Product,
    upstream: _Upstream,
    specs: Mapping[Product, dg.AssetSpec],
    *,
    get_spec: SpecMaker,
    translate: Translation | None,
    lineage: Lineage,
) -> dg.AssetSpec:
    """The spec with its dependencies, translated; what the translation does to key or partitions moves them."""
    base = get_spec(product.props)
    theirs = {dep.asset_key for dep in base.deps}
    partitions_def = base.partitions_def or product.partitions_def
    ours = _dependencies(base.key, partitions_def, upstream, specs, without=theirs)
    # A spec is made anew for each change, so all of them are made together.
    changes: dict[str, Any] = {}
    if partitions_def is not base.partitions_def:
        changes["partitions_def"] = partitions_def
    if ours:
        changes["deps"] = [*base.deps, *ours.values()]
    if found := lineage(product, base):
        changes["metadata"] = {**base.metadata, **found}
    if changes:
        base = _dagster.changed_spec(base, **changes)
    if translate is None:
        return base
    spec = translate(base, product.props)
    if not ours or (spec.key == base.key and spec.partitions_def == base.partitions_def):
        return spec
    moved = _dependencies(spec.key, spec.partitions_def, upstream, specs, without=theirs)
    deps = [moved.get(dep.asset_key) if dep == ours.get(dep.asset_key) else dep for dep in spec.deps]
    return spec.replace_attributes(deps=[dep for dep in deps if dep is not None])


def _dependencies(
    asset: dg.AssetKey,
    below: dg.PartitionsDefinition | None,
    upstream: _Upstream,
    specs: Mapping[Product, dg.AssetSpec],
    *,
    without: set[dg.AssetKey],
) -> dict[dg.AssetKey, dg.AssetDep]:
    """Assets where the project builds what is read, else external tables."""
    found = {key: dg.AssetDep(key) for key in upstream.sources}
    for table in upstream.external:
        key = dg.AssetKey(table.split("."))
        found[key] = dg.AssetDep(key, metadata={"dagster/table_name": table})
    for other, values in upstream.products.items():
        made = specs.get(other)
        key = made.key if made else other.engine_key
        above = made.partitions_def if made else other.partitions_def
        target = other.props.target
        found[key] = dg.AssetDep(
            key,
            partition_mapping=_partition_mapping(asset, below, key, above, values),
            metadata={"dagster/table_name": target} if target and not other.owned else None,
        )
    return {key: dep for key, dep in found.items() if key not in without and key != asset}


def _partition_mapping(
    asset: dg.AssetKey,
    below: dg.PartitionsDefinition | None,
    key: dg.AssetKey,
    above: dg.PartitionsDefinition | None,
    values: set[str],
) -> dg.PartitionMapping | None:
    """Which upstream partitions a partition needs; `None` is Dagster's own choice."""
    if above is None or (below is None and not values):
        return None
    mapping: dg.PartitionMapping = dg.AllPartitionMapping()
    in_time = isinstance(below, dg.TimeWindowPartitionsDefinition)
    if isinstance(above, dg.MultiPartitionsDefinition):
        if in_time:
            mapping = dg.MultiToSingleDimensionPartitionMapping(TIME_DIMENSION)
    elif values:
        mapping = dg.SpecificPartitionsPartitionMapping(sorted(values))
    elif in_time and isinstance(above, dg.TimeWindowPartitionsDefinition):
        mapping = dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)
    what = f"the mapping of partitions of {asset.to_user_string()} to those of {key.to_user_string()}"
    fits = accepted(what, lambda: mapping.validate_partition_mapping(above, below) is None)
    return mapping if fits else dg.AllPartitionMapping()
