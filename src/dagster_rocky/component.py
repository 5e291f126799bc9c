"""What does a person write, and which hooks are there? `RockyComponent`: a rocky project as one Dagster graph."""

import asyncio
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

import dagster as dg
from dagster.components import DefsStateConfig
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from dagster_rocky import _dagster
from dagster_rocky.automation.definitions import build_automation
from dagster_rocky.deployment.branch import shadowed
from dagster_rocky.deployment.comparison import COMPARISONS
from dagster_rocky.graph.claims import claim
from dagster_rocky.graph.declared_checks import idle_rules
from dagster_rocky.graph.definitions import (
    backfill_policy,
    build_assets,
    build_check_ops,
    build_partition_sensors,
)
from dagster_rocky.graph.edges import Node, RockyGraph, build_graph
from dagster_rocky.graph.ownership import Ownership
from dagster_rocky.graph.quality import quality_assets
from dagster_rocky.graph.sources import source_specs
from dagster_rocky.health.doctor import health_sensors, require_healthy
from dagster_rocky.observability.remarks import remarks_of
from dagster_rocky.observability.rules import RULES
from dagster_rocky.previewing.job import build_preview_job
from dagster_rocky.project.snapshot import KnownFiles, ProjectSnapshot
from dagster_rocky.project.state import (
    RefreshFailed,
    describe_staleness,
    read_or_make_state,
    require_place,
    state_key,
    write_state,
)
from dagster_rocky.resource import RockyResource
from dagster_rocky.step.body import Running, run_checks, run_step
from dagster_rocky.step.code_versions import newer_code
from dagster_rocky.step.events import StepEvent
from dagster_rocky.step.idempotency import require_new_keys
from dagster_rocky.translator import DagsterRockyTranslator, RockyAssetProps
from dagster_rocky.vocabulary import EngineAsset
from dagster_rocky.yaml.attributes import RockyAttributes
from dagster_rocky.yaml.explaining import lenient
from dagster_rocky.yaml.launch import LaunchOptions
from dagster_rocky.yaml.mistakes import place, placed
from dagster_rocky.yaml.paths import beside, place_of, require_binary, require_config
from dagster_rocky.yaml.scaffolding import RockyComponentScaffolder
from dagster_rocky.yaml.templates import StrictResolutionContext

_LOG = logging.getLogger("dagster_rocky")
_SHARED_OPTIONS = {"timeout_seconds", "termination_grace_seconds", "mask_env"}


@dg.scaffold_with(RockyComponentScaffolder)
class RockyComponent(dg.StateBackedComponent, RockyAttributes):
    """Turns a rocky project's tables and models into one graph of assets, and runs exactly what is selected.

    What `dg scaffold defs dagster_rocky.RockyComponent NAME` takes:
    `--template`: what to write where there is no rocky.toml: starter (default), replication, models or tenants.
    `--config-path`: the project's rocky.toml, seen from the current folder; one that does not exist is written.
    `--binary-path`: the engine, a name on PATH or a path; unset, rocky if it is on PATH, else rocky-local.
    `--mode`: buffered, streaming (default) or pipes.
    `--filter`: a source that the component owns, as key=value; several are a union.

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
    _location: str | None = PrivateAttr(default=None)
    _state_key: str | None = PrivateAttr(default=None)
    _graph: RockyGraph | None = PrivateAttr(default=None)
    _quality: Mapping[str, Sequence[EngineAsset]] = PrivateAttr(default_factory=dict)
    _models: Mapping[str, KnownFiles] = PrivateAttr(default_factory=dict)
    _state_note: str | None = PrivateAttr(default=None)
    _written: dg.ResolutionContext | None = PrivateAttr(default=None)

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The schema; what does not fit it is told when its file and line are known."""
        return lenient(cls.model())

    @classmethod
    def resolve_from_model(cls, context: dg.ResolutionContext, model: BaseModel) -> Self:
        """Resolves the YAML with templates in which an undefined variable is an error."""
        resolved: Self = super().resolve_from_model(StrictResolutionContext.of(context), model)
        return resolved

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """Loads the component and remembers where it is, which makes its state key unique."""
        loaded = super(dg.StateBackedComponent, cls).load(attributes, context)
        loaded._location = place_of(context)
        loaded._written = context.resolution_context
        loaded.config_path = beside(context.path, loaded.config_path)
        loaded._state_key = state_key(
            cls.__name__,
            loaded._location,
            module=context.defs_module_name,
            project_root=context.project_root,
            config_path=Path(loaded.config_path),
        )
        context.component_tree.mark_component_defs_state_key(
            defs_state_key=loaded.defs_state_config.key, loc=context.component_loc
        )
        return loaded

    @property
    def defs_state_config(self) -> DefsStateConfig:
        """Where the snapshot is kept; the key is unique to the project and the place in it unless it is set."""
        key = self._state_key or f"{type(self).__name__}[{Path(self.config_path).as_posix()}]"
        return DefsStateConfig.from_args(self.defs_state, default_key=key)

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
            **self.run.model_dump(include=_SHARED_OPTIONS),
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
        require_healthy(context, rocky, self.health)
        yield from run_step(context, rocky, self.graph, self.running(), self._newer_code)

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
        with placed(self._written):
            require_config(Path(self.config_path))
            require_binary(self.binary_path, may_be_missing=self.allow_missing_binary)
            require_place(self.defs_state_config, context.project_root)
            self._state_note = None
            try:
                defs = super().build_defs(context)
            except RefreshFailed as failure:
                with _dagster.last_good_state(self.defs_state_config, context.project_root) as last_good:
                    if last_good is None:
                        raise
                    _LOG.error("rocky: %s", failure.description)
                    self._state_note = f"refresh failed: {failure.description}"
                    defs = self.build_defs_from_state(context, last_good)
            claim(context.component_tree.state_tracker, self.label, self.graph.nodes, self._written)
            return defs

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
        root = context.project_root
        snapshot = read_or_make_state(
            state_path, self.defs_state_config, root, lambda: asyncio.run(self.refresh_state(root))
        )
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
        for text in idle_rules(snapshot, self.checks.rules):
            _LOG.warning("rocky: %s: %s", self.defs_state_config.key, text)
        for idle in ownership.idle_filters(snapshot):
            _LOG.warning("rocky: %s", place(self._written, idle.path, idle.said))
        self._models = {model.name: model.known_files for model in snapshot.models}
        self._graph = build_graph(
            snapshot,
            ownership,
            spec_of,
            translate=self.translation,
            partitions=self.partitions,
            checks=self.checks,
            key_style=self.key_style,
            column_lineage="column_lineage" in self.metadata,
            sources=self.sources,
        )
        self._quality = quality_assets(snapshot, self._graph, ownership, self.checks)
        return self._definitions(self._graph, snapshot)

    def _definitions(self, graph: RockyGraph, snapshot: ProjectSnapshot) -> dg.Definitions:
        require_new_keys(graph, self.run.idempotency_key)
        settings: dict[str, Any] = {
            "label": self.label,
            "op": self.op,
            "retry_policy": self.retry.to_policy() if self.retry else None,
            "config_schema": LaunchOptions.op_schema(),
        }
        backfills = backfill_policy(self.partitions.backfill)
        assets = build_assets(
            graph, lambda context: self.execute(context, self.resource), backfill_policy=backfills, **settings
        )
        checks = build_check_ops(
            self._quality,
            lambda context, pipeline: run_checks(
                context, self.resource, self._quality[pipeline], pipeline, self.running()
            ),
            taken=[definition.op.name for definition in assets],
            **settings,
        )
        sensors = build_partition_sensors(graph, self.partitions.by, label=self.label)
        sensors += health_sensors(self)
        jobs = [build_preview_job(self, assets)] if self.preview_job else []
        every = [*assets, *source_specs(snapshot, graph.source_keys, self.sources)]
        built = _dagster.definitions(assets=every, asset_checks=checks, sensors=sensors, jobs=jobs)
        return dg.Definitions.merge(built, build_automation(self, assets, snapshot))

    def running(self) -> Running:
        """How steps run in this process: what the YAML says, in the shadow of a branch deployment."""
        options = shadowed(self.run, self.run.shadow, os.environ)
        return Running(
            mode=self.mode,
            options=options,
            keeps_shadow=self.run.shadow == "branch_deployment" and options.shadow_suffix is not None,
            lookback=self.partitions.lookback,
            parallel=self.parallelism,
            per_run=self.partitions.per_run,
            beside={**RULES, **COMPARISONS},
            remark_on=remarks_of(self.metadata),
        )

    def _newer_code(self, nodes: Sequence[Node]) -> Mapping[dg.AssetKey, str]:
        return newer_code(nodes, self._models, Path(self.config_path), self.models.contracts_dir)

    @property
    def graph(self) -> RockyGraph:
        """The component's assets, as they were built last.

        Raises:
            dagster.Failure: When the definitions were never built.
        """
        if self._graph is None:
            raise dg.Failure(
                description="The component has no graph yet: build its definitions before a step of it."
            )
        return self._graph
