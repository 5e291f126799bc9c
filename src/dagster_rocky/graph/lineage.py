"""Where does each column of a model come from, in terms of assets?"""

from collections.abc import Callable

import dagster as dg

from dagster_rocky.accepting import accepted
from dagster_rocky.project.snapshot import Model

LINEAGE = "dagster/column_lineage"


def lineage_of(
    spec: dg.AssetSpec, model: Model, key_of: Callable[[str], dg.AssetKey]
) -> dict[str, dg.TableColumnLineage]:
    """A model's column lineage as metadata: a set of asset and column for each of its columns.

    Args:
        spec: The model's spec; what it says of lineage already stays.
        model: With the physical tables that its columns come from.
        key_of: The asset key of a `catalog.schema.table`.

    Returns:
        The metadata, empty when there is none to add.
    """
    if not model.lineage or LINEAGE in spec.metadata:
        return {}
    keys = {table: key_of(table) for table in {source.table for source in model.lineage}}
    found: dict[str, list[dg.TableColumnDep]] = {}
    for source in model.lineage:
        dep = dg.TableColumnDep(asset_key=keys[source.table], column_name=source.source_column)
        deps = found.setdefault(source.column, [])
        if dep not in deps:
            deps.append(dep)
    lineage = accepted(
        f"the column lineage of {spec.key.to_user_string()}",
        lambda: dg.TableColumnLineage(found),
    )
    return {LINEAGE: lineage} if lineage else {}
