"""How are specs and definitions made without paying for what is known already?"""

from typing import Any

import dagster as dg


def changed_spec(spec: dg.AssetSpec, **attributes: Any) -> dg.AssetSpec:
    """`AssetSpec.replace_attributes` for attributes that need no look.

    Private because Dagster checks and copies all of a spec again for each change, which takes as long as making it: a
    graph of models changes each of its specs once. Where Dagster's specs are no tuples any more, it does that.

    Args:
        spec: A spec, of which all the rest stays.
        attributes: As the spec holds them: `deps` as a list of `AssetDep` of different assets, none of them the spec's,
            `metadata` as a dictionary, `partitions_def`.
    """
    fields = getattr(spec, "_fields", None)
    if not fields or not isinstance(spec, tuple):
        return spec.replace_attributes(**attributes)
    held = dict(zip(fields, tuple.__iter__(spec), strict=True))
    changed: dg.AssetSpec = tuple.__new__(type(spec), (held | attributes).values())
    return changed


def definitions(**parts: Any) -> dg.Definitions:
    """`dagster.Definitions`, made where nothing else is known.

    Private because Dagster keeps the local variables of whoever makes the first one in a process, to look up types in:
    made where a project's snapshot is one of them, it keeps all of the project.

    Args:
        parts: Of the definitions.
    """
    return dg.Definitions(**parts)
