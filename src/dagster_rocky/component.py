"""`RockyComponent`: a rocky project as one Dagster graph, from YAML."""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

import dagster as dg
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext
from dagster._core.storage.defs_state.base import DefsStateStorage
from dagster.components.resolved.core_models import OpSpec
from dagster.components.utils.defs_state import DefsStateConfig, DefsStateConfigArgs
from dagster.components.utils.project_paths import get_local_state_path
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver
from dagster_shared.serdes.objects.models.defs_state_info import DefsStateManagementType
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from dagster_rocky.graph.definitions import (
    backfill_policy,
    build_assets,
    build_check_ops,
    build_partition_sensors,
)
from dagster_rocky.graph.edges import RockyGraph, build_graph
from dagster_rocky.graph.ownership import Ownership
from dagster_rocky.graph.quality import quality_assets
from dagster_rocky.project.snapshot import ProjectSnapshot, UnreadableState
from dagster_rocky.project.state import RefreshFailed, describe_staleness, read_state, write_state
from dagster_rocky.resource import RockyResource
from dagster_rocky.step.body import Running, run_checks, run_step
from dagster_rocky.step.execution import StepEvent
from dagster_rocky.translator import DagsterRockyTranslator, RockyAssetProps
from dagster_rocky.vocabulary import EngineAsset
from dagster_rocky.yaml.options import (
    ChecksOptions,
    MetadataAddon,
    Mode,
    ModelsOptions,
    PartitionsOptions,
    RetryOptions,
    RunSection,
)
from dagster_rocky.yaml.scaffolding import RockyComponentScaffolder
from dagster_rocky.yaml.schema import DescribedModel
from dagster_rocky.yaml.templates import StrictResolutionContext

_LOG = logging.getLogger("dagster_rocky")


def _resolve_path(context: dg.ResolutionContext, value: str) -> str:
    """A path relative to the file that names it."""
    return str(context.resolve_source_relative_path(str(context.resolve_value(value, as_type=str))))


def _resolve_binary(context: dg.ResolutionContext, value: str) -> str:
    """A bare name is looked up by the resource; anything with a slash is a path."""
    resolved = str(context.resolve_value(value, as_type=str))
    return resolved if "/" not in resolved else str(context.resolve_source_relative_path(resolved))


@dg.scaffold_with(RockyComponentScaffolder)
class RockyComponent(dg.StateBackedComponent, DescribedModel):
    """Turns a rocky project's tables and models into one graph of assets, and runs exactly what is selected.

    Example:
        ```yaml
        type: dagster_rocky.RockyComponent
        attributes:
          config_path: rocky.toml
          binary_path: rocky-local
          mode: streaming
        ```
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, ignored_types=(cached_property,))

    config_path: Annotated[
        str,
        dg.Resolver(
            _resolve_path,
            model_field_type=str,
            description="The project's `rocky.toml`, relative to this file.",
            examples=["rocky.toml", "{{ context.project_root }}/rocky.toml"],
        ),
    ] = "rocky.toml"
    binary_path: Annotated[
        str,
        dg.Resolver(
            _resolve_binary,
            model_field_type=str,
            description="The engine: `rocky`, `rocky-local`, or a path relative to this file.",
            examples=["rocky", "rocky-local", "{{ env.ROCKY_BIN }}"],
        ),
    ] = "rocky"
    mode: Mode = Field(
        default=Mode.STREAMING,
        description="How the engine is run: all three end with the same events and differ in when.",
        examples=["buffered", "streaming", "pipes"],
    )
    pipelines: Sequence[str] | None = Field(
        default=None,
        description="Pipelines that this component owns; all of them when unset.",
        examples=[["landing"]],
    )
    filters: Sequence[str] = Field(
        default=(),
        description="Sources that this component owns, as `key=value`; several are a union.",
        examples=[["airport=jfk", "id=raw__ewr__ops"]],
    )
    exclude_filters: Sequence[str] = Field(
        default=(), description="Sources and tables taken away from that.", examples=[["table=scratch"]]
    )
    models: ModelsOptions = Field(
        default_factory=ModelsOptions,
        description="Which models this component owns, and where they are.",
        examples=[{"exclude": ["tmp_*"]}],
    )
    partitions: PartitionsOptions = Field(
        default_factory=PartitionsOptions,
        description="Partitions beyond the models' own grain.",
        examples=[{"by": "airport"}],
    )
    parallelism: int | None = Field(
        default=None, ge=1, description="The engine's `--parallel`.", examples=[4]
    )
    run: RunSection = Field(
        default_factory=RunSection,
        description="What every engine run is given, and how it is watched.",
        examples=[{"timeout_seconds": 1800}],
    )
    checks: ChecksOptions = Field(
        default_factory=ChecksOptions,
        description="Which of the project's checks are declared, and how.",
        examples=[{"overrides": {"row_count": {"blocking": True}}}],
    )
    metadata: Sequence[MetadataAddon] = Field(
        default=("column_schema", "column_lineage", "code_references"),
        description="Extras to attach to models.",
        examples=[["column_schema", "code_references"]],
    )
    state_path: str | None = Field(
        default=None,
        description="The engine's own run state file, relative to rocky.toml.",
        examples=["state/landing.redb"],
    )
    state_namespace: str | None = Field(
        default=None, description="A run state of its own under `models/.rocky-state/`.", examples=["jfk"]
    )
    translation: (
        Annotated[
            TranslationFn[RockyAssetProps],
            TranslationFnResolver[RockyAssetProps](lambda props: {"props": props}),
        ]
        | None
    ) = Field(
        default=None,
        description="Changes to every asset spec, applied last; templates see `props` and `spec`.",
        examples=[{"key": "raw/{{ props.name }}", "group_name": "landing"}],
    )
    op: OpSpec | None = Field(
        default=None, description="Dagster's op settings: name, tags, pool.", examples=[{"pool": "warehouse"}]
    )
    retry: RetryOptions | None = Field(
        default=None, description="Dagster's retry policy of the steps.", examples=[{"max_retries": 2}]
    )
    defs_state: Annotated[
        DefsStateConfigArgs,
        dg.Resolver.default(
            description="Where the snapshot of the project is kept, and under which key.",
            examples=[{"management_type": "LOCAL_FILESYSTEM", "key": "rocky-landing"}],
        ),
    ] = Field(default_factory=DefsStateConfigArgs.local_filesystem)

    _location: str | None = PrivateAttr(default=None)
    _graph: RockyGraph | None = PrivateAttr(default=None)
    _quality: Mapping[str, Sequence[EngineAsset]] = PrivateAttr(default_factory=dict)
    _state_note: str | None = PrivateAttr(default=None)

    @field_validator("filters", "exclude_filters")
    @classmethod
    def _filters_are_pairs(cls, texts: Sequence[str]) -> Sequence[str]:
        for text in texts:
            key, equals, value = text.partition("=")
            if not (key and equals and value):
                raise ValueError(f"{text!r} is no `key=value`; write it like `airport=jfk`")
        return texts

    @model_validator(mode="after")
    def _state_is_one(self) -> Self:
        if self.state_path and self.state_namespace:
            raise ValueError(
                "state_path and state_namespace both say where the run state is: leave one of them out"
            )
        return self

    @classmethod
    def resolve_from_model(cls, context: dg.ResolutionContext, model: BaseModel) -> Self:
        """Resolves the YAML with templates in which an undefined variable is an error."""
        resolved: Self = super().resolve_from_model(StrictResolutionContext.of(context), model)
        return resolved

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """Loads the component and remembers where it is, which makes its state key unique."""
        loaded = super(dg.StateBackedComponent, cls).load(attributes, context)
        loaded._location = _location_of(context)
        if not Path(loaded.config_path).is_absolute():
            # The default has not been through the resolver, which makes what the YAML says absolute.
            folder = context.path if context.path.is_dir() else context.path.parent
            loaded.config_path = str(folder / loaded.config_path)
        context.component_tree.mark_component_defs_state_key(
            defs_state_key=loaded.defs_state_config.key, loc=context.component_loc
        )
        return loaded

    @property
    def defs_state_config(self) -> DefsStateConfig:
        """Where the snapshot is kept; the key is unique to the place of the component unless it is set."""
        place = self._location or Path(self.config_path).as_posix()
        return DefsStateConfig.from_args(self.defs_state, default_key=f"{type(self).__name__}[{place}]")

    @property
    def label(self) -> str:
        """What is unique to the component in the names of its ops, e.g. `landing`."""
        return self._location or Path(self.config_path).absolute().parent.name

    @cached_property
    def resource(self) -> RockyResource:
        """The engine and its project, for this component alone."""
        return RockyResource(
            binary_path=self.binary_path,
            config_path=self.config_path,
            state_path=self.state_path,
            state_namespace=self.state_namespace,
            models_dir=self.models.directory,
            contracts_dir=self.models.contracts_dir,
            timeout_seconds=self.run.timeout_seconds,
            termination_grace_seconds=self.run.termination_grace_seconds,
            mask_env=list(self.run.mask_env),
        )

    @cached_property
    def translator(self) -> DagsterRockyTranslator:
        """Makes the specs; override it to use a translator of your own."""
        return DagsterRockyTranslator(
            project_dir=Path(self.config_path).absolute().parent, metadata=frozenset(self.metadata)
        )

    def get_asset_spec(self, props: RockyAssetProps) -> dg.AssetSpec:
        """The spec of one table or model; override it in a subclass. The YAML's `translation` comes after it.

        Args:
            props: What is known of the asset.

        Returns:
            A spec without dependencies and partitions, which the graph adds.
        """
        return self.translator.get_asset_spec(props)

    def execute(self, context: dg.AssetExecutionContext, rocky: RockyResource) -> Iterator[StepEvent]:
        """The body of every step; override it in a subclass to do something before or after.

        Args:
            context: The step's context, with the selected assets, checks and partitions.
            rocky: The engine and its project.

        Yields:
            Materializations, check results and observations, as they happen.

        Raises:
            dagster.Failure: When a selected asset was not built.
        """
        yield from run_step(context, rocky, self._loaded_graph(), self._running())

    def write_state_to_path(self, state_path: Path) -> None:
        """Asks the engine for the project and writes the snapshot; on failure the file stays as it was.

        Args:
            state_path: The state file.

        Raises:
            RefreshFailed: When the engine cannot say what the project is.
        """
        write_state(self.resource, state_path, self.defs_state_config.key)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Builds the definitions; under `dg dev` the state is refreshed first.

        When that refresh fails and there is a last good state, the graph is built from it, and log and metadata say
        so: a database that a run holds at this moment is no reason to lose the graph.
        """
        self.require_config()
        self._state_note = None
        try:
            return super().build_defs(context)
        except RefreshFailed as failure:
            config, storage = self.defs_state_config, DefsStateStorage.get()
            with DefinitionsLoadContext.get().state_path(config, storage, context.project_root) as last_good:
                if last_good is None:
                    raise
                _LOG.error("rocky: %s", failure.description)
                self._state_note = f"refresh failed: {failure.description}"
                return self.build_defs_from_state(context, last_good)

    def build_defs_from_state(
        self, context: dg.ComponentLoadContext, state_path: Path | None
    ) -> dg.Definitions:
        """Builds the definitions from a state file; starts no process unless there is none.

        Args:
            context: Where the component is loaded.
            state_path: The state, or `None` when nothing was ever stored.

        Returns:
            Assets, checks and, with dynamic partitions, a sensor.

        Raises:
            RefreshFailed: When there is no state and the project cannot be asked for.
        """
        if state_path is None:
            state_path = self._first_state(context.project_root)
        try:
            snapshot = read_state(state_path)
        except UnreadableState as error:
            local = self._local_state(context.project_root)
            if local is None:
                raise
            _LOG.warning("rocky: %s It is made anew.", error)
            self.write_state_to_path(local)
            snapshot = read_state(local)
        return self.build_defs_from_snapshot(snapshot)

    def build_defs_from_snapshot(self, snapshot: ProjectSnapshot) -> dg.Definitions:
        """Builds the definitions of a project that is already known.

        Args:
            snapshot: The project.

        Returns:
            Assets, checks and, with dynamic partitions, a sensor.

        Raises:
            SelectionError: When the component selects what the project does not have.
            DuplicateAssetKey: When two assets have one key.
        """
        note = self._state_note or describe_staleness(snapshot, Path(self.config_path).absolute().parent)
        if note and not self._state_note:
            _LOG.warning("rocky: %s: %s", self.defs_state_config.key, note)

        def spec_of(props: RockyAssetProps) -> dg.AssetSpec:
            spec = self.get_asset_spec(props)
            return spec.merge_attributes(metadata={"rocky/state": note}) if note else spec

        ownership = Ownership(
            pipelines=tuple(self.pipelines) if self.pipelines is not None else None,
            filters=tuple(self.filters),
            exclude_filters=tuple(self.exclude_filters),
            models=self.models,
        )
        for text in ownership.idle_filters(snapshot):
            _LOG.warning("rocky: %s: no table fits the filter %r", self.defs_state_config.key, text)
        self._graph = build_graph(
            snapshot,
            ownership,
            spec_of,
            translate=self.translation or (lambda spec, props: spec),
            partitions=self.partitions,
            checks=self.checks,
            with_lineage="column_lineage" in self.metadata,
        )
        self._quality = quality_assets(snapshot, self._graph, ownership, self.checks)
        return self._definitions(self._graph)

    def _definitions(self, graph: RockyGraph) -> dg.Definitions:
        op = self.op or OpSpec()
        retry = self.retry.to_policy() if self.retry else None
        assets = build_assets(
            graph,
            lambda context: self.execute(context, self.resource),
            label=self.label,
            name=op.name,
            description=op.description,
            tags=op.tags,
            pool=op.pool,
            retry_policy=retry,
            backfill_policy=op.backfill_policy or backfill_policy(self.partitions.backfill),
        )
        checks = build_check_ops(
            self._quality,
            lambda context, pipeline: run_checks(
                context, self.resource, self._quality[pipeline], pipeline, self._running()
            ),
            label=self.label,
            tags=op.tags,
            pool=op.pool,
            retry_policy=retry,
        )
        sensors = build_partition_sensors(graph, self.partitions.by, label=self.label)
        return dg.Definitions(assets=assets, asset_checks=checks, sensors=sensors)

    def _running(self) -> Running:
        return Running(
            mode=self.mode, options=self.run, lookback=self.partitions.lookback, parallel=self.parallelism
        )

    def _loaded_graph(self) -> RockyGraph:
        if self._graph is None:
            raise dg.Failure(
                description="The component has no graph yet: build its definitions before a step of it."
            )
        return self._graph

    def require_config(self) -> None:
        """Refuses a config that is not there.

        Raises:
            dagster.Failure: With the path, and what to do.
        """
        path = Path(self.config_path)
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise dg.Failure(
                description=(
                    f"config_path: {path.absolute()} {what}. Name the project's rocky.toml, relative to the "
                    "defs.yaml; `dg scaffold defs dagster_rocky.RockyComponent` writes one to start from."
                ),
                allow_retries=False,
            )

    def _local_state(self, project_root: Path) -> Path | None:
        """The state file, where states are files of the project."""
        if self.defs_state_config.management_type != DefsStateManagementType.LOCAL_FILESYSTEM:
            return None
        return get_local_state_path(self.defs_state_config.key, project_root)

    def _first_state(self, project_root: Path) -> Path:
        """Makes the state that was never stored."""
        local = self._local_state(project_root)
        if local is None:
            key = self.defs_state_config.key
            raise RefreshFailed(
                description=(
                    f"There is no state under the key {key!r} yet, so the project's graph is not known. Store it "
                    f"with `dg utils refresh-defs-state --defs-state-key '{key}'`."
                ),
                allow_retries=False,
            )
        _LOG.info("rocky: %s has no state yet; asking the engine for the project", self.defs_state_config.key)
        asyncio.run(self.refresh_state(project_root))
        return local


def _location_of(context: dg.ComponentLoadContext) -> str:
    """Where a component is, relative to the project's definitions, e.g. `landing` or `landing[1]`."""
    try:
        place = context.component_loc.get_display_key(context.defs_module_path)
    except ValueError:
        place = context.component_loc.get_display_key(Path("/"))
    return place.replace("/defs.yaml", "").removesuffix("[0]") or "defs"
