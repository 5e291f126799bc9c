"""Which private APIs of Dagster does this package need? Each is wrapped here once, with its reason.

`tests/dagster_rocky/test_private_dagster.py` fails when Dagster moves one of them, and says what to do then.
"""

import logging
import sys
from collections.abc import Mapping
from typing import Any

import dagster as dg

DATA_VERSION_TAG = "dagster/data_version"


def output_without_materialization(context: dg.OpExecutionContext, key: dg.AssetKey) -> dg.Output[Any]:
    """An asset's output that lets downstream steps run and records no materialization.

    Dagster derives a materialization from each output of an asset, for all partitions of the run; the one exception
    is marked by a metadata key of its own. Without it, partitions that are told one by one would be told again.
    """
    from dagster._core.definitions.source_asset import (  # noqa: PLC0415 - only a step needs it
        SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION,
    )

    name = context.assets_def.get_output_name_for_asset_key(key)
    context.get_step_execution_context().wipe_input_asset_version_info(key)
    return dg.Output(None, output_name=name, metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True})


def version_tags(
    context: dg.OpExecutionContext,
    key: dg.AssetKey,
    code_version: str | None,
    data_version: str | None = None,
) -> Mapping[str, str]:
    """The tags in which a materialization carries its code version, data version and inputs.

    Dagster writes them for the results of a step, and not for materializations that are told one by one; without
    them a partition never becomes stale.

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


def prints_to_console(log: object) -> bool:
    """Whether what is logged at INFO is also printed by this process, so that a copy of it would stand there twice.

    A step's `context.log` hands its records to the run's loggers, by default a coloured console logger on stderr, and
    has no public way to ask for them. Where Dagster has moved them, the answer is the default: they are printed.

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


def _is_standard(stream: object) -> bool:
    if stream in (sys.stderr, sys.stdout):
        return True
    try:
        return stream.fileno() in (1, 2)  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
