"""Quality pipelines: what they check, and their results as asset checks."""

from dataclasses import replace

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
