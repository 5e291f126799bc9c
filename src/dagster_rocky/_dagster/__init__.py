"""Which private APIs of Dagster does this package need? Each is wrapped here once, with its reason.

`tests/dagster_rocky/test_private_dagster.py` holds what each must do, and says what to do when Dagster moves it.
"""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._check import CheckError
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext
from dagster._core.definitions.utils import is_valid_name
from dagster._core.errors import DagsterInvalidPropertyError
from dagster._core.storage.defs_state.base import DefsStateStorage
from dagster.components import DefsStateConfig
from dagster.components.utils.project_paths import get_local_state_path
from dagster_shared.serdes.objects.models.defs_state_info import DefsStateManagementType
from dagster_shared.utils.warnings import disable_dagster_warnings

from dagster_rocky._dagster.ending import (
    Interruptions,
    failure,
    interrupt_later,
    interruption,
    interruptions_kept,
    raises_interruptions,
)
from dagster_rocky._dagster.making import changed_spec, definitions
from dagster_rocky._dagster.omitted import silence_omitted_outputs

DATA_VERSION_TAG = "dagster/data_version"

__all__ = [
    "DATA_VERSION_TAG",
    "CheckError",  # what Dagster raises for a value of a wrong kind; in none of its public modules
    "Interruptions",
    "changed_spec",
    "check_target",
    "code_location",
    "definitions",
    "download_latest_state",
    "failure",
    "fetch_materialized",
    "goes_on_from",
    "has_assets",
    "interrupt_later",
    "interruption",
    "interruptions_kept",
    "is_valid_name",  # what outputs, inputs and ops may be called; there is no public function that says so
    "last_good_state",
    "local_state_path",
    "materializations_of",
    "output_without_materialization",
    "outputs_needed_later",
    "pipes_context_data",
    "prints_to_console",
    "raises_interruptions",
    "run_of",
    "silence_omitted_outputs",
    "version_tags",
    "without_warnings",
]


def check_target(context: dg.OpExecutionContext, result: dg.AssetCheckResult, key: dg.AssetCheckKey) -> Any:
    """The materialization that a check was evaluated on, as an evaluation carries it; `None` when there is none.

    Private because Dagster looks it up for each `AssetCheckResult`, at a price for every check, and lets nobody ask for
    it once for all the checks of an asset.

    Args:
        context: The step's.
        result: Any result of a check of the asset.
        key: That check.
    """
    return result._get_target_materialization_data(context.get_step_execution_context(), key)


def code_location(context: dg.SensorEvaluationContext) -> str | None:
    """Where a sensor is defined: `repository@location`, unique in a Dagster instance; `None` for a direct call.

    Private because a sensor's context has the repository's name in public, and that is the same in most locations.

    Args:
        context: The tick's.
    """
    origin = context.code_location_origin
    return f"{context.repository_name}@{origin.location_name}" if origin else None


def download_latest_state(key: str, path: Path) -> bool:
    """Fetches the latest state that Dagster's storage has under a key.

    Private because a state-backed component is only ever given its own state to load from, not the one before the
    refresh that it is about to make; that one knows the sources that cannot be seen now.

    Args:
        key: The state's key.
        path: Where to put it.

    Returns:
        False when there is no storage, or no version in it.
    """
    storage = DefsStateStorage.get()
    version = storage.get_latest_version(key) if storage else None
    # Versions such as `__local__` stand for a state that is kept elsewhere.
    if storage is None or version is None or version.startswith("__"):
        return False
    storage.download_state_to_path(key, version, path)
    return True


def fetch_materialized(context: dg.OpExecutionContext, keys: Sequence[dg.AssetKey]) -> None:
    """Looks up the latest records of many assets at once, before they are asked for one by one.

    Private because the versions and the targets of checks come from a cache that Dagster fills with a query for each
    asset. Where Dagster has moved it, each is looked up when it is asked for.
    """
    cache = getattr(context.get_step_execution_context(), "_data_version_cache", None)
    fetch = getattr(cache, "_fetch_input_asset_version_info", None)
    if fetch is not None:
        fetch(keys)


def goes_on_from(instance: dg.DagsterInstance, run: dg.DagsterRun, parent_run_id: str) -> bool:
    """Whether the plan of a run takes over what the steps of another one left.

    Private because a run that Python re-executes from failure has no tag that says so; only the state of its plan does.

    Args:
        instance: Where the run is.
        run: The later run.
        parent_run_id: The earlier one.

    Returns:
        True for a re-execution of some steps or from failure; false for one of everything.
    """
    if run.execution_plan_snapshot_id is None:
        return False
    known = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id).initial_known_state
    past = known.parent_state if known else None
    return past is not None and past.run_id == parent_run_id


def has_assets(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> bool:
    """Whether a context is that of an asset.

    Private because a context that is built for a direct call raises a private error for what needs a run.
    """
    try:
        return context.has_assets_def
    except DagsterInvalidPropertyError:
        return False


@contextmanager
def last_good_state(config: DefsStateConfig, project_root: Path) -> Iterator[Path | None]:
    """The state that is stored, after a refresh of it failed.

    Private because `StateBackedComponent.build_defs` refreshes and loads in one go, and knows no fallback.

    Args:
        config: Where the state is kept, and under which key.
        project_root: The `dg` project's folder.

    Yields:
        A file that exists as long as the context, or `None`.
    """
    with DefinitionsLoadContext.get().state_path(config, DefsStateStorage.get(), project_root) as path:
        yield path


def local_state_path(config: DefsStateConfig, project_root: Path) -> Path | None:
    """The state file, where states are files of the project; its folder is made.

    Private because Dagster hands a component the file only when it exists, and an unreadable one is replaced here.

    Args:
        config: Where the state is kept, and under which key.
        project_root: The `dg` project's folder.

    Returns:
        The path, or `None` when states are kept elsewhere.
    """
    if config.management_type != DefsStateManagementType.LOCAL_FILESYSTEM:
        return None
    return get_local_state_path(config.key, project_root)


def materializations_of(
    context: dg.OpExecutionContext, key: dg.AssetKey, output_name: str, result: dg.MaterializeResult[Any]
) -> Sequence[dg.AssetMaterialization]:
    """The materializations that Dagster makes of a result: one, or one for each partition of the run.

    Private because Dagster gives code version, data version and the versions of the inputs only to the materialization
    of an output, and every output is an event more. This is how it makes that one.

    Args:
        context: The step's.
        key: The asset.
        output_name: Of the asset.
        result: What is told of it.
    """
    from dagster._core.execution.plan.execute_step import _get_output_asset_events  # noqa: PLC0415
    from dagster._core.storage.dagster_run import assets_are_externally_managed  # noqa: PLC0415

    step = context.get_step_execution_context()
    if assets_are_externally_managed(step.dagster_run):
        return []
    partitions: Sequence[str] = []
    has_partitions = context.has_partition_key or context.has_partition_key_range
    if has_partitions and step.has_asset_partitions_for_output(output_name):
        partitions = context.asset_partition_keys_for_output(output_name)
    with disable_dagster_warnings():
        output = dg.Output(
            None,
            output_name=output_name,
            metadata=result.metadata,
            data_version=result.data_version,
            tags=result.tags,
        )
    made = _get_output_asset_events(
        asset_key=key,
        asset_partitions=partitions,
        output=output,
        output_def=step.op_def.output_def_named(output_name),
        io_manager_metadata={},
        step_context=step,
        execution_type=context.assets_def.execution_type,
    )
    return [event for event in made if isinstance(event, dg.AssetMaterialization)]


def output_without_materialization(context: dg.OpExecutionContext, key: dg.AssetKey) -> dg.Output[Any]:
    """An asset's output that lets downstream steps run and records no materialization.

    Private because Dagster derives a materialization from each output of an asset, for all partitions of the run;
    the one exception is marked by a metadata key of its own. Without it, partitions that are told one by one would
    be told again.
    """
    from dagster._core.definitions.source_asset import (  # noqa: PLC0415 - only a step needs it
        SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION,
    )

    name = context.assets_def.get_output_name_for_asset_key(key)
    context.get_step_execution_context().wipe_input_asset_version_info(key)
    return dg.Output(None, output_name=name, metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True})


def outputs_needed_later(
    context: dg.OpExecutionContext,
) -> Mapping[dg.AssetKey | dg.AssetCheckKey, str]:
    """The outputs of a step that another step of the same run waits for: asset or check to the output's name.

    Private because nothing public says what the other steps of a run are. A step whose input never gets its output is
    skipped; an output that nothing waits for is an event that nobody reads.

    Args:
        context: The step's.
    """
    step = context.get_step_execution_context()
    needed: dict[dg.AssetKey | dg.AssetCheckKey, str] = {}
    for other in step.execution_plan.step_dict.values():
        for step_input in other.step_inputs:
            # The inputs of mapped steps name the outputs that they wait for otherwise.
            ask: Any = getattr(step_input, "get_step_output_handle_dependencies", None)
            ask = ask or getattr(step_input, "get_step_output_handle_deps_with_placeholders", tuple)
            for handle in ask():
                if handle.step_key == step.step.key and step.step.has_step_output(handle.output_name):
                    properties = step.step.step_output_named(handle.output_name).properties
                    key = properties.asset_check_key or properties.asset_key
                    if key is not None:
                        needed[key] = handle.output_name
    return needed


def pipes_context_data(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> Mapping[str, Any]:
    """The Pipes context of a step, as Dagster's own clients send it.

    Private because `open_pipes_session`, which is public, demands an event for every selected asset and check, and
    so cannot be used for runs that report what really happened. A context that is built for a direct call has
    nothing to send.
    """
    from dagster._core.pipes.context import (  # noqa: PLC0415 - only pipes mode needs it
        build_external_execution_context_data,
    )

    try:
        return build_external_execution_context_data(context, extras=None)
    except DagsterInvalidPropertyError:
        return {"extras": {}}


def prints_to_console(log: object) -> bool:
    """Whether what is logged at INFO is also printed by this process, so that a copy of it would stand there twice.

    Private because a step's `context.log` hands its records to the run's loggers, by default a coloured console logger
    on stderr, and has no public way to ask for them. Where Dagster has moved them, the answer is the default: they are
    printed.

    Args:
        log: A step's `context.log`.
    """
    handler = getattr(log, "_dagster_handler", None)
    if handler is None:
        return True
    found = [
        (inner, max(logger.level, inner.level))
        for logger in getattr(handler, "_loggers", ())
        for inner in logger.handlers
    ]
    found += [(inner, inner.level) for inner in getattr(handler, "_handlers", ())]
    return any(
        level <= logging.INFO and _is_standard(getattr(inner, "stream", None)) for inner, level in found
    )


def run_of(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> tuple[str, Mapping[str, str]] | None:
    """The id and the tags of a context's Dagster run; `None` for a context that is built for a direct call.

    Private because such a context raises a private error for them.
    """
    try:
        return context.run_id, context.run.tags
    except DagsterInvalidPropertyError:
        return None


def version_tags(
    context: dg.OpExecutionContext,
    key: dg.AssetKey,
    code_version: str | None,
    data_version: str | None = None,
) -> Mapping[str, str]:
    """The tags in which a materialization carries its code version, data version and inputs.

    Private because Dagster writes them for the results of a step, and not for materializations that are told one by
    one; without them a partition never becomes stale.

    Args:
        context: The step's.
        key: The asset.
        code_version: Of the code that built it; the run's id when there is none, as Dagster has it.
        data_version: The one that it keeps; computed when it is `None`.
    """
    from dagster._core.definitions import data_version as versions  # noqa: PLC0415
    from dagster._core.execution.plan.execute_step import (  # noqa: PLC0415
        _build_data_version_tags,
        _get_input_provenance_data,
    )

    step = context.get_step_execution_context()
    code = code_version or context.run_id
    if not step.is_external_input_asset_version_info_loaded or not step.job_def.asset_layer.has(key):
        known = {versions.CODE_VERSION_TAG: code}
        return known | ({versions.DATA_VERSION_TAG: data_version} if data_version else {})
    inputs = _get_input_provenance_data(key, step)
    if data_version is not None:
        return _build_data_version_tags(versions.DataVersion(data_version), code, inputs, True)
    computed = versions.compute_logical_data_version(
        code, {input_key: meta["data_version"] for input_key, meta in inputs.items()}
    )
    return _build_data_version_tags(computed, code, inputs, False)


def without_warnings() -> AbstractContextManager[None]:
    """A context in which Dagster does not warn of its own beta features.

    Private because warnings have no public switch; these are about what this package does, not about what its users
    do.
    """
    return disable_dagster_warnings()


def _is_standard(stream: object) -> bool:
    if stream in (sys.stderr, sys.stdout):
        return True
    try:
        return stream.fileno() in (1, 2)  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
