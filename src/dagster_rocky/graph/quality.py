"""Quality pipelines: what they check, and their results as asset checks."""

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg

from dagster_rocky.engine.news.events import Checked
from dagster_rocky.engine.news.result import events_of_result
from dagster_rocky.graph.declared_checks import checks_of_quality, declare
from dagster_rocky.graph.edges import RockyGraph
from dagster_rocky.graph.ownership import Ownership
from dagster_rocky.planning.plan import PlannedRun
from dagster_rocky.project.snapshot import ProjectSnapshot
from dagster_rocky.resource import RockyResource, run_result
from dagster_rocky.step import events
from dagster_rocky.vocabulary import EngineAsset, Mode
from dagster_rocky.yaml.options import ChecksOptions


def quality_assets(
    snapshot: ProjectSnapshot, graph: RockyGraph, ownership: Ownership, options: ChecksOptions
) -> dict[str, list[EngineAsset]]:
    """The tables that owned quality pipelines check, under the keys of the assets that they are.

    Args:
        snapshot: The project.
        graph: Its graph; a table that no pipeline builds gets the key `catalog/schema/table`.
        ownership: The part of the project that the component owns.
        options: The component's check options.

    Returns:
        By pipeline; a check of a name that the asset has already, of its own pipeline, gets the quality
        pipeline's name in front.
    """
    taken = {(node.spec.key, check.name) for node in graph.nodes.values() for check in node.checks}
    found: dict[str, list[EngineAsset]] = {}
    for pipeline in snapshot.pipelines:
        if pipeline.type != "quality" or not ownership.owns_pipeline(pipeline.name):
            continue
        for table, checks in checks_of_quality(pipeline, graph.keys).items():
            key = graph.keys.get(table) or dg.AssetKey(table.split("."))
            declared = []
            for check in declare(checks, options):
                name = check.name if (key, check.name) not in taken else f"{pipeline.name}_{check.name}"
                taken.add((key, name))
                declared.append(check if name == check.name else replace(check, name=name))
            found.setdefault(pipeline.name, []).append(
                EngineAsset(
                    engine_key=tuple(table.split(".")),
                    asset_key=key,
                    kind="quality",
                    name=table.rsplit(".", 1)[-1],
                    pipeline=pipeline.name,
                    target=table,
                    checks=tuple(declared),
                )
            )
    return found


def execute_checks(
    context: dg.AssetCheckExecutionContext,
    resource: RockyResource,
    planned: PlannedRun,
    mode: Mode,
) -> Iterator[dg.AssetCheckResult]:
    """Runs one quality pipeline and yields the selected checks.

    Args:
        context: The step's.
        resource: The engine and its project.
        planned: The run, with the checked tables as its assets.
        mode: The run mode.

    Yields:
        A result for each selected check that the engine evaluated.

    Raises:
        dagster.Failure: When the engine failed, or gave no result for a selected check. Checks that did not pass
            are results, not failures.
    """
    by_key = {asset.engine_key: asset for asset in planned.assets}
    open_checks = set(context.selected_asset_check_keys)
    with resource.invoke(
        planned.request,
        mode=Mode.STREAMING if mode == Mode.PIPES else mode,
        context=context.op_execution_context,
    ) as invocation:
        result = run_result(invocation)
    for event in events_of_result(result):
        asset = by_key.get(tuple(event.name.split("/"))) if isinstance(event, Checked) else None
        if asset is None or not isinstance(event, Checked):
            continue
        declared = events.find_check(asset, event.check)
        if declared is None:
            context.op_execution_context.log_event(events.undeclared_check(asset, event))
            continue
        key = dg.AssetCheckKey(asset.asset_key, declared.name)
        if key in open_checks:
            open_checks.discard(key)
            yield events.check_result(asset, declared, event)
    for rows in result.quarantine:
        asset = by_key.get(tuple(rows.asset_key))
        if asset is not None:
            context.op_execution_context.log_event(events.quarantine(asset, rows))
    if open_checks:
        names = ", ".join(sorted(f"{key.asset_key.to_user_string()}:{key.name}" for key in open_checks))
        raise dg.Failure(
            description=(
                f"The engine gave no result for {names}: they have neither passed nor failed. Does the table exist, "
                "and is the check still in rocky.toml? Otherwise refresh the state."
            )
        )
