"""Which partitions of an upstream asset do the assets of one step share?"""

import logging
from collections.abc import Iterable

import dagster as dg

_LOG = logging.getLogger("dagster_rocky")


def with_one_mapping(specs: Iterable[dg.AssetSpec]) -> list[dg.AssetSpec]:
    """The specs of one step, with one partition mapping for each upstream asset, as Dagster demands.

    Where assets of the step need different partitions of one upstream asset, all of them are given what any of them
    needs: the named partitions of all, or, with a warning, every partition.

    Args:
        specs: The assets of one multi-asset.

    Returns:
        The specs in their order; those that need no change as they are.
    """
    found = list(specs)
    mappings: dict[dg.AssetKey, list[dg.PartitionMapping | None]] = {}
    for spec in found:
        for dep in spec.deps:
            known = mappings.setdefault(dep.asset_key, [])
            if all(dep.partition_mapping != mapping for mapping in known):
                known.append(dep.partition_mapping)
    shared = {key: _shared(key, several) for key, several in mappings.items() if len(several) > 1}
    return [_with(spec, shared) if shared else spec for spec in found]


def _shared(key: dg.AssetKey, mappings: list[dg.PartitionMapping | None]) -> dg.PartitionMapping:
    names: dict[str, None] = {}
    for mapping in mappings:
        if not isinstance(mapping, dg.SpecificPartitionsPartitionMapping):
            _LOG.warning(
                "rocky: assets of one step need different partitions of %s; all of them depend on every partition",
                key.to_user_string(),
            )
            return dg.AllPartitionMapping()
        names.update(dict.fromkeys(mapping.partition_keys))
    return dg.SpecificPartitionsPartitionMapping(sorted(names))


def _with(spec: dg.AssetSpec, shared: dict[dg.AssetKey, dg.PartitionMapping]) -> dg.AssetSpec:
    if not any(dep.asset_key in shared for dep in spec.deps):
        return spec
    deps = [
        dg.AssetDep(
            dep.asset_key,
            partition_mapping=shared.get(dep.asset_key, dep.partition_mapping),
            metadata=dep.metadata,
        )
        for dep in spec.deps
    ]
    return spec.replace_attributes(deps=deps)
