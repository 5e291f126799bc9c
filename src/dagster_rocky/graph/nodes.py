"""What does the project build? Every table, model, load, seed and snapshot, owned or not, as pure data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import dagster as dg

from dagster_rocky.accepting import accepted
from dagster_rocky.graph.declared_checks import checks_of_model, checks_of_table, comparison, declare
from dagster_rocky.graph.ownership import Ownership, SelectionError
from dagster_rocky.graph.partitioning import ComponentPartitions, in_time
from dagster_rocky.graph.sources import source_key
from dagster_rocky.partitions import parse_start
from dagster_rocky.project.snapshot import (
    ConfiguredCheck,
    Model,
    Pipeline,
    ProjectSnapshot,
    Seed,
    Source,
)
from dagster_rocky.translator import RockyAssetProps
from dagster_rocky.vocabulary import CheckDeclaration, EngineAsset, EngineKey
from dagster_rocky.yaml.automation import SourcesOptions
from dagster_rocky.yaml.mistakes import instead
from dagster_rocky.yaml.options import ChecksOptions, KeyStyle, PartitionsOptions


@dataclass(frozen=True, kw_only=True)
class Table:
    """A physical table that the engine writes.

    Attributes:
        engine_key: The engine's key of it.
        target: Its `catalog.schema.table`.
        source: Of a replicated table: where it is copied from.
        partition_key: The component value that it is the partition of, if it is.
    """

    engine_key: EngineKey
    target: str
    source: Source | None = None
    partition_key: str | None = None

    @property
    def components(self) -> Mapping[str, str | tuple[str, ...]]:
        """The schema pattern's values."""
        found = self.source.components if self.source else {}
        return {name: tuple(part) if isinstance(part, list) else part for name, part in found.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """What is or could be one asset, before it has a key.

    Attributes:
        props: What is known of it.
        owned: Whether the component makes it an asset.
        tables: What the engine writes: one table, or one per component value when that is the partition.
        partitions_def: Its partitions.
        checks: Its declared checks that the engine evaluates while it builds it.
        beside: Those that another command of the engine evaluates.
        depends_on: Names of the models that it names as upstream.
        reads: Physical tables that it reads.
        inputs: All physical tables that it is built from, those of the models that it names too.
        source_keys: Of a copied table: ids of its sources with the keys of the tables in them, where these are shown.
    """

    props: RockyAssetProps
    owned: bool
    tables: tuple[Table, ...]
    partitions_def: dg.PartitionsDefinition | None = None
    checks: tuple[CheckDeclaration, ...] = ()
    beside: tuple[CheckDeclaration, ...] = ()
    depends_on: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    source_keys: tuple[tuple[str, dg.AssetKey], ...] = ()

    @property
    def engine_key(self) -> dg.AssetKey:
        """The engine's own key, which assets have that nobody translates."""
        return dg.AssetKey(list(self.props.engine_key))

    def engine_assets(self, asset_key: dg.AssetKey) -> tuple[EngineAsset, ...]:
        """What the engine builds for the asset.

        Args:
            asset_key: The asset's key in the graph.

        Returns:
            One for each table.
        """
        model = self.props.model
        return tuple(
            EngineAsset(
                engine_key=table.engine_key,
                asset_key=asset_key,
                kind=self.props.kind,
                name=self.props.name,
                pipeline=self.props.pipeline or None,
                target=table.target,
                source_id=table.source.id if table.source else None,
                components=table.components,
                granularity=model.granularity if model else None,
                checks=self.checks,
                code_version=model.code_version if model else None,
                partition_key=table.partition_key,
                path=model.path if model else None,
                reads=self.inputs,
            )
            for table in self.tables
        )


@dataclass(frozen=True, kw_only=True)
class Products:
    """Walks a snapshot once.

    Attributes:
        snapshot: The project.
        ownership: The part that becomes assets.
        partitions: The component's partition options.
        checks: The component's check options.
        sources: Whether source tables are in the graph, and under which keys.
        key_style: Which key a copied table has.

    Example:
        ```python
        [product.props.name for product in Products(snapshot=snapshot, ownership=Ownership()).all()]
        ```
    """

    snapshot: ProjectSnapshot
    ownership: Ownership
    partitions: PartitionsOptions = field(default_factory=PartitionsOptions)
    checks: ChecksOptions = field(default_factory=ChecksOptions)
    sources: SourcesOptions = field(default_factory=SourcesOptions)
    key_style: KeyStyle = "engine"

    @cached_property
    def _targets(self) -> Mapping[str, str]:
        return {model.name: model.target for model in self.snapshot.models}

    @cached_property
    def _budget(self) -> list[ConfiguredCheck]:
        """The check of what a run costs, where there is a budget and the component asks for it."""
        budget = self.snapshot.budget
        return [budget] if budget is not None and budget.kind in self.checks.rules else []

    def all(self) -> list[Product]:
        """Tables, loads and seeds, then models upstream first, then snapshots.

        Returns:
            Everything that the project builds.

        Raises:
            SelectionError: When `partitions.by` names no component, or one with several values.
            ValueError: When partition options do not fit a model.
        """
        self._refuse_unknown_component()
        found: list[Product] = []
        late: list[Product] = []
        for pipeline in self.snapshot.pipelines:
            if pipeline.type == "replication":
                found += self._replicated(pipeline)
            elif pipeline.type == "load":
                found += self._written(pipeline)
            elif pipeline.type == "snapshot":
                late += self._written(pipeline)
        found += map(self._seed, self.snapshot.seeds)
        found += map(self._model, self.snapshot.models)
        return found + late

    def _refuse_unknown_component(self) -> None:
        by = self.partitions.by
        owned = [
            source
            for pipeline in self.snapshot.pipelines
            if self.ownership.owns_pipeline(pipeline.name)
            for source in pipeline.sources
        ]
        if by and owned and not any(by in source.components for source in owned):
            known = sorted({name for source in owned for name in source.components})
            said = f"the schema pattern has no {by!r}. {instead(by, known)}"
            raise SelectionError(("partitions", "by"), said)

    def _replicated(self, pipeline: Pipeline) -> Iterator[Product]:
        """Tables of one name become one product where the component value that tells them apart is the partition."""
        members: dict[EngineKey, list[tuple[str, bool, Table]]] = {}
        partitions = ComponentPartitions(self.partitions)
        for source in pipeline.sources:
            value = partitions.value_of(source)
            for name in source.tables:
                key = source.engine_key(name)
                owned = self.ownership.owns_table(pipeline, source, name)
                shared = owned and value is not None
                table = Table(
                    engine_key=key,
                    target=pipeline.target_of(source, name),
                    source=source,
                    partition_key=value if shared else None,
                )
                place = self._key_without(source, name) if shared else key
                members.setdefault(place, []).append((name, owned, table))
        checks = {
            kind: declare([*checks_of_table(pipeline, *kind), *self._budget], self.checks)
            for kind in {(name, source.source_type) for source in pipeline.sources for name in source.tables}
        }
        compared = {
            kind: declare(comparison(self.checks), self.checks, taken={check.name for check in declared})
            for kind, declared in checks.items()
        }
        for key, found in members.items():
            name, owned, first = found[0]
            kind = name, first.source.source_type if first.source else ""
            tables = tuple(table for _, _, table in found)
            values = [table.partition_key for table in tables]
            shared = first.partition_key is not None
            in_warehouse = self.key_style == "warehouse" and not shared
            yield Product(
                props=RockyAssetProps(
                    kind="table",
                    name=name,
                    pipeline=pipeline.name,
                    engine_key=tuple(first.target.split(".")) if in_warehouse else key,
                    target="" if shared else first.target,
                    warehouse=pipeline.warehouse,
                    components=self._components(first.source, shared=shared),
                    source=first.source,
                    freshness_seconds=pipeline.freshness_seconds,
                    defined_in=self._place_of(pipeline),
                ),
                owned=owned,
                tables=tables,
                partitions_def=partitions.definition(pipeline.name, values) if owned else None,
                checks=checks[kind],
                beside=compared[kind],
                source_keys=self._source_keys(name, tables) if owned else (),
                reads=tuple(seeded for table in tables if (seeded := self._seeded(table.source, name))),
            )

    def _place_of(self, pipeline: Pipeline) -> tuple[str, int] | None:
        """Where the project's file defines a pipeline; the first file that is watched is that one."""
        file = next(iter(self.snapshot.watched), None)
        return (file, pipeline.line) if file and pipeline.line else None

    def _source_keys(self, name: str, tables: Sequence[Table]) -> tuple[tuple[str, dg.AssetKey], ...]:
        if not self.sources.as_assets:
            return ()
        sources = [table.source for table in tables if table.source and not self._seeded(table.source, name)]
        return tuple((source.id, source_key(self.sources, source, name)) for source in sources)

    @cached_property
    def _seeds(self) -> Mapping[str, str]:
        return {seed.target.partition(".")[2]: seed.target for seed in self.snapshot.seeds}

    def _seeded(self, source: Source | None, table: str) -> str | None:
        """The seed that is the table that is copied, if it is one."""
        return self._seeds.get(f"{source.id}.{table}") if source else None

    def _components(self, source: Source | None, *, shared: bool) -> Mapping[str, str | list[str]]:
        components = source.components if source else {}
        left_out = self.partitions.by if shared else None
        return {name: part for name, part in components.items() if name != left_out}

    def _key_without(self, source: Source, table: str) -> EngineKey:
        rest = self._components(source, shared=True)
        return source.model_copy(update={"components": rest}).engine_key(table)

    def _written(self, pipeline: Pipeline) -> Iterator[Product]:
        for target in pipeline.targets:
            props = RockyAssetProps(
                kind="load" if pipeline.type == "load" else "snapshot",
                name=target.rsplit(".", 1)[-1],
                pipeline=pipeline.name,
                engine_key=tuple(target.split(".")),
                target=target,
                warehouse=pipeline.warehouse,
                defined_in=self._place_of(pipeline),
                columns=tuple(pipeline.columns_by_target.get(target, ())),
            )
            yield self._single(
                props, owned=self.ownership.owns_pipeline(pipeline.name), reads=tuple(pipeline.reads)
            )

    def _seed(self, seed: Seed) -> Product:
        pipeline = self.snapshot.pipeline(seed.pipeline or "")
        props = RockyAssetProps(
            kind="seed",
            name=seed.name,
            pipeline=seed.pipeline or "",
            engine_key=tuple(seed.target.split(".")),
            target=seed.target,
            warehouse=pipeline.warehouse if pipeline else "",
            columns=tuple(seed.columns),
        )
        return self._single(props, owned=self.ownership.owns_pipeline(seed.pipeline))

    def _model(self, model: Model) -> Product:
        pipeline = self.snapshot.pipeline(model.pipeline or "")
        props = RockyAssetProps(
            kind="model",
            name=model.name,
            pipeline=model.pipeline or "",
            engine_key=model.engine_key,
            target=model.target,
            warehouse=pipeline.warehouse if pipeline else "",
            freshness_seconds=model.freshness_seconds,
            model=model,
        )
        named = [self._targets[name] for name in model.depends_on if name in self._targets]
        budget = declare(self._budget, self.checks)
        return self._single(
            props,
            owned=self.ownership.owns_model(model),
            partitions_def=self._model_partitions(model),
            checks=budget,
            beside=declare(
                checks_of_model(model, self.checks.rules), self.checks, taken={check.name for check in budget}
            ),
            depends_on=tuple(model.depends_on),
            reads=tuple(model.reads),
            inputs=tuple(dict.fromkeys((*named, *model.reads))),
        )

    def _model_partitions(self, model: Model) -> dg.PartitionsDefinition | None:
        """From the model's own first partition, else from the component's or the project's."""
        if model.granularity is None:
            return None
        grain, own = model.granularity, model.first_partition
        if own and accepted(
            f"first_partition {own!r} of model {model.name}", lambda: parse_start(grain, own)
        ):
            return in_time(self.partitions, grain, own)
        return in_time(self.partitions, grain, self.partitions.start or self.snapshot.first_partition)

    def _single(
        self,
        props: RockyAssetProps,
        *,
        owned: bool,
        partitions_def: dg.PartitionsDefinition | None = None,
        checks: tuple[CheckDeclaration, ...] = (),
        beside: tuple[CheckDeclaration, ...] = (),
        depends_on: tuple[str, ...] = (),
        reads: tuple[str, ...] = (),
        inputs: tuple[str, ...] = (),
    ) -> Product:
        return Product(
            props=props,
            owned=owned,
            tables=(Table(engine_key=props.engine_key, target=props.target),),
            partitions_def=partitions_def,
            checks=checks,
            beside=beside,
            depends_on=depends_on,
            reads=reads,
            inputs=inputs,
        )
