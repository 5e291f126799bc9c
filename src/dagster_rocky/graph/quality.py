"""What do quality pipelines check, and on which assets?"""

from collections import defaultdict

import dagster as dg

from dagster_rocky.graph.declared_checks import checks_of_quality, declare
from dagster_rocky.graph.edges import RockyGraph
from dagster_rocky.graph.ownership import Ownership
from dagster_rocky.project.snapshot import ProjectSnapshot
from dagster_rocky.vocabulary import EngineAsset
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
        By pipeline; a check of a name that the asset has already, from the pipeline that builds it or from an earlier
        quality pipeline, gets the quality pipeline's name in front. Pipelines of other components count too, so that
        several components of one project never declare one check.
    """
    taken: dict[dg.AssetKey, set[str]] = defaultdict(set)
    for asset in graph.universe:
        taken[asset.asset_key].update(check.name for check in asset.checks)
    for key, node in graph.nodes.items():
        taken[key].update(check.name for check in node.checks)
    found: dict[str, list[EngineAsset]] = {}
    for pipeline in snapshot.pipelines:
        if pipeline.type != "quality":
            continue
        assets = []
        for table, checks in checks_of_quality(pipeline, graph.keys).items():
            key = graph.keys.get(table) or dg.AssetKey(table.split("."))
            declared = declare(checks, options, taken=taken[key], prefix=pipeline.name)
            taken[key].update(check.name for check in declared)
            assets.append(
                EngineAsset(
                    engine_key=tuple(table.split(".")),
                    asset_key=key,
                    kind="quality",
                    name=table.rsplit(".", 1)[-1],
                    pipeline=pipeline.name,
                    target=table,
                    checks=declared,
                )
            )
        if assets and ownership.owns_pipeline(pipeline.name):
            found[pipeline.name] = assets
    return found
