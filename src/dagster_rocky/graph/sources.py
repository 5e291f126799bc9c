"""Where in the graph are the tables that a replication copies?"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from dagster_rocky.accepting import accepted
from dagster_rocky.project.snapshot import ProjectSnapshot, Source
from dagster_rocky.yaml.automation import SourcesOptions

SourceKeys = Mapping[tuple[str, str], Sequence[dg.AssetKey]]
"""The keys of source tables that have a copy in the graph, by pipeline and source id."""


def source_key(options: SourcesOptions, source: Source, table: str) -> dg.AssetKey:
    """The key of one source table.

    Args:
        options: How keys are made.
        source: The source.
        table: Its table.

    Example:
        ```python
        source_key(SourcesOptions(), source, "orders").path[-1]  # 'orders'
        ```
    """
    parts = options.key.split("/")
    return dg.AssetKey([part.format(source=source.id, table=table) for part in parts])


def source_specs(snapshot: ProjectSnapshot, keys: SourceKeys, options: SourcesOptions) -> list[dg.AssetSpec]:
    """External assets for source tables.

    Args:
        snapshot: The project.
        keys: Those that something in the graph reads.
        options: How keys are made.

    Returns:
        One spec for each key; none where another component has them.
    """
    if options.owned_elsewhere:
        return []
    wanted = {key for several in keys.values() for key in several}
    found: dict[dg.AssetKey, dg.AssetSpec] = {}
    for pipeline in snapshot.pipelines:
        for source in pipeline.sources:
            for table in source.tables:
                key = source_key(options, source, table)
                if key in wanted and key not in found:
                    found[key] = _spec(key, pipeline.name, source, table)
    return list(found.values())


def _spec(key: dg.AssetKey, pipeline: str, source: Source, table: str) -> dg.AssetSpec:
    metadata: dict[str, Any] = {"rocky/source_id": source.id, "rocky/pipeline": pipeline}
    if source.last_sync_at:
        metadata["rocky/last_sync_at"] = source.last_sync_at
    if source.facts:
        metadata["rocky/source"] = source.facts
    if table in source.row_counts:
        metadata["dagster/row_count"] = source.row_counts[table]
    spec = dg.AssetSpec(
        key,
        group_name="sources",
        description=f"Table `{table}` of source `{source.id}`, copied by pipeline `{pipeline}`.",
        metadata=metadata,
    )
    what = f"kind {source.source_type!r} of {key.to_user_string()}"
    return accepted(what, lambda: spec.replace_attributes(kinds={source.source_type})) or spec
