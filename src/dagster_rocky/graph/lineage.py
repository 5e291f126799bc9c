"""Where does each column of a model come from, in terms of assets?"""

from collections.abc import Callable

import dagster as dg

from dagster_rocky.accepting import accepted
from dagster_rocky.project.snapshot import Model

_LINEAGE = "dagster/column_lineage"


def with_lineage(spec: dg.AssetSpec, model: Model, key_of: Callable[[str], dg.AssetKey]) -> dg.AssetSpec:
    """A model's spec with its column lineage: a set of asset and column for each of its columns.

    Args:
        spec: The model's spec; what it says of lineage already stays.
        model: With the physical tables that its columns come from.
        key_of: The asset key of a `catalog.schema.table`.

    Returns:
        The spec, as it was when nothing is known.
    """
    if not model.lineage or _LINEAGE in spec.metadata:
        return spec
    found: dict[str, dict[dg.TableColumnDep, None]] = {}
    for source in model.lineage:
        dep = dg.TableColumnDep(asset_key=key_of(source.table), column_name=source.source_column)
        found.setdefault(source.column, {})[dep] = None
    lineage = accepted(
        f"the column lineage of {spec.key.to_user_string()}",
        lambda: dg.TableColumnLineage({column: list(sources) for column, sources in found.items()}),
    )
    return spec.merge_attributes(metadata={_LINEAGE: lineage}) if lineage else spec
