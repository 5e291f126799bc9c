"""Every table, model, load and snapshot of a project as a draft of an asset, before edges are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import dagster as dg

from dagster_rocky.graph.declared_checks import checks_of_model, checks_of_table, declare
from dagster_rocky.graph.ownership import Ownership, SelectionError
from dagster_rocky.partitions import time_partitions
from dagster_rocky.project.snapshot import Model, Pipeline, ProjectSnapshot, Seed, Source
from dagster_rocky.translator import RockyAssetProps
from dagster_rocky.vocabulary import CheckDeclaration, EngineAsset, EngineKey, Granularity
from dagster_rocky.yaml.options import ChecksOptions, PartitionsOptions

TIME_DIMENSION = "time"
"""The dimension beside the schema component in a multi-partition."""


@dataclass
class Draft:
    """An asset before its dependencies are known.

    Attributes:
        props: What is known of it.
        owned: Whether it becomes an asset of the component.
        engine: What the engine builds for it.
        partitions_def: Its partitions.
        checks: Its declared checks, without the contract's.
        contract: The contract's.
        base: Its spec before translation, if owned.
        spec: Its spec, if owned.
    """

    props: RockyAssetProps
    owned: bool
    engine: list[EngineAsset] = field(default_factory=list)
    partitions_def: dg.PartitionsDefinition | None = None
    checks: tuple[CheckDeclaration, ...] = ()
    contract: CheckDeclaration | None = None
    base: dg.AssetSpec | None = None
    spec: dg.AssetSpec | None = None

    @property
    def key(self) -> dg.AssetKey:
        """Translated, if owned; otherwise the engine's."""
        return self.spec.key if self.spec else dg.AssetKey(list(self.props.engine_key))


class Drafter:
    """Walks the snapshot once.

    Args:
        snapshot: The project.
        ownership: The part that becomes assets.
        partitions: The component's partition options.
        checks: The component's check options.
    """

    def __init__(
        self,
        snapshot: ProjectSnapshot,
        ownership: Ownership,
        partitions: PartitionsOptions,
        checks: ChecksOptions,
    ) -> None:
        self.snapshot, self.ownership, self.partitions, self.checks = snapshot, ownership, partitions, checks
        self._check_cache: dict[tuple[str, str], tuple[CheckDeclaration, ...]] = {}

    def drafts(self) -> list[Draft]:
        """Tables, loads and seeds, then models upstream first, then snapshots.

        Raises:
            SelectionError: When `partitions.by` names no component, or one with several values.
            ValueError: When partition options do not fit a model.
        """
        drafts: list[Draft] = []
        late: list[Draft] = []
        for pipeline in self.snapshot.pipelines:
            if pipeline.type == "replication":
                drafts += self._tables(pipeline)
            elif pipeline.type == "load":
                drafts += self._written(pipeline)
            elif pipeline.type == "snapshot":
                late += self._written(pipeline)
        drafts += [self._seed(seed) for seed in self.snapshot.seeds]
        self._refuse_unknown_component()
        return [*drafts, *(self._model(model) for model in self.snapshot.models), *late]

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
            raise SelectionError(f"partitions.by is {by!r}, but the schema pattern has {', '.join(known)}")

    def _tables(self, pipeline: Pipeline) -> list[Draft]:
        drafts: dict[EngineKey, Draft] = {}
        for source in pipeline.sources:
            value = self._partition_value(source)
            for table in source.tables:
                engine_key = source.engine_key(table)
                owned = self.ownership.owns_table(pipeline, source, table)
                shared = owned and value is not None
                key = self._key_without(source, table) if shared else engine_key
                draft = drafts.get(key)
                target = pipeline.target_of(source, table)
                checks = self._table_checks(pipeline, table)
                if draft is None:
                    components = {
                        name: part
                        for name, part in source.components.items()
                        if not shared or name != self.partitions.by
                    }
                    props = RockyAssetProps(
                        kind="table",
                        name=table,
                        pipeline=pipeline.name,
                        engine_key=key,
                        target="" if shared else target,
                        warehouse=pipeline.warehouse,
                        components=components,
                        source=source,
                        freshness_seconds=pipeline.freshness_seconds,
                    )
                    draft = drafts[key] = Draft(props=props, owned=owned, checks=checks)
                draft.engine.append(
                    EngineAsset(
                        engine_key=engine_key,
                        asset_key=dg.AssetKey(list(key)),
                        kind="table",
                        name=table,
                        pipeline=pipeline.name,
                        target=target,
                        source_id=source.id,
                        components={
                            name: tuple(part) if isinstance(part, list) else part
                            for name, part in source.components.items()
                        },
                        checks=checks,
                        partition_key=value if shared else None,
                    )
                )
        for draft in drafts.values():
            if draft.owned:
                draft.partitions_def = self._table_partitions(pipeline, draft.engine)
        return list(drafts.values())

    def _partition_value(self, source: Source) -> str | None:
        value = source.components.get(self.partitions.by or "")
        if isinstance(value, list):
            raise SelectionError(
                f"partitions.by is {self.partitions.by!r}, which has several values in source {source.id!r}: "
                "only a component with one value can be the partition"
            )
        if value is not None and self.partitions.every and self.partitions.by == TIME_DIMENSION:
            raise SelectionError(
                "partitions.by is 'time', which is the name of the other dimension: leave `every` out"
            )
        return value

    def _key_without(self, source: Source, table: str) -> EngineKey:
        rest = {name: value for name, value in source.components.items() if name != self.partitions.by}
        return source.model_copy(update={"components": rest}).engine_key(table)

    def _table_partitions(
        self, pipeline: Pipeline, engine: Sequence[EngineAsset]
    ) -> dg.PartitionsDefinition | None:
        """By component value, by time, or both."""
        options = self.partitions
        in_time = self._time_partitions(options.every, options.start or "") if options.every else None
        if engine[0].partition_key is None:
            return in_time
        if options.dynamic:
            return dg.DynamicPartitionsDefinition(name=dynamic_name(pipeline.name, options.by or ""))
        values = dg.StaticPartitionsDefinition(sorted({asset.partition_key or "" for asset in engine}))
        if in_time is None:
            return values
        return dg.MultiPartitionsDefinition({options.by or "": values, TIME_DIMENSION: in_time})

    def _time_partitions(self, granularity: Granularity, first: str) -> dg.TimeWindowPartitionsDefinition:
        options = self.partitions
        return time_partitions(
            granularity, first, end=options.end, end_offset=options.end_offset, timezone=options.timezone
        )

    def _table_checks(self, pipeline: Pipeline, table: str) -> tuple[CheckDeclaration, ...]:
        key = (pipeline.name, table)
        if key not in self._check_cache:
            self._check_cache[key] = declare(checks_of_table(pipeline, table), self.checks)
        return self._check_cache[key]

    def _written(self, pipeline: Pipeline) -> list[Draft]:
        drafts = []
        for target in pipeline.targets:
            key = tuple(target.split("."))
            props = RockyAssetProps(
                kind="load" if pipeline.type == "load" else "snapshot",
                name=key[-1],
                pipeline=pipeline.name,
                engine_key=key,
                target=target,
                warehouse=pipeline.warehouse,
            )
            drafts.append(self._plain(props, owned=self.ownership.owns_pipeline(pipeline.name)))
        return drafts

    def _seed(self, seed: Seed) -> Draft:
        pipeline = self.snapshot.pipeline(seed.pipeline or "")
        props = RockyAssetProps(
            kind="seed",
            name=seed.name,
            pipeline=seed.pipeline or "",
            engine_key=tuple(seed.target.split(".")),
            target=seed.target,
            warehouse=pipeline.warehouse if pipeline else "",
        )
        return self._plain(props, owned=self.ownership.owns_pipeline(seed.pipeline))

    def _model(self, model: Model) -> Draft:
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
        draft = self._plain(props, owned=self.ownership.owns_model(model))
        draft.engine = [
            replace(draft.engine[0], granularity=model.granularity, code_version=model.code_version)
        ]
        draft.contract = next(iter(declare(checks_of_model(model), self.checks)), None)
        if model.granularity:
            first = model.first_partition or self.partitions.start or self.snapshot.first_partition
            draft.partitions_def = self._time_partitions(model.granularity, first)
        return draft

    def _plain(self, props: RockyAssetProps, *, owned: bool) -> Draft:
        engine = EngineAsset(
            engine_key=props.engine_key,
            asset_key=dg.AssetKey(list(props.engine_key)),
            kind=props.kind,
            name=props.name,
            pipeline=props.pipeline or None,
            target=props.target,
        )
        return Draft(props=props, owned=owned, engine=[engine])


def dynamic_name(pipeline: str, component: str) -> str:
    """The name of a dynamic partitions definition in the instance."""
    return f"rocky_{pipeline}_{component}"
