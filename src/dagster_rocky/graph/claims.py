"""Do two components of one code location make one asset?"""

from collections.abc import Collection
from weakref import WeakKeyDictionary

import dagster as dg

from dagster_rocky.yaml.mistakes import Mistake, place

_CLAIMS: WeakKeyDictionary[object, dict[str, tuple[str, frozenset[dg.AssetKey]]]] = WeakKeyDictionary()


def claim(
    location: object, owner: str, keys: Collection[dg.AssetKey], context: dg.ResolutionContext | None
) -> None:
    """Notes the assets of a component, and refuses those that another of its code location makes.

    Dagster refuses them too, and names only the key.

    Args:
        location: What is one for each load of a code location.
        owner: The component's place in it.
        keys: The assets that it makes.
        context: Of its document, if it is YAML.

    Raises:
        Mistake: With the other component, and the way out.
    """
    claims = _CLAIMS.setdefault(location, {})
    claims.pop(owner, None)
    for other, theirs in claims.values():
        both = sorted(key.to_user_string() for key in theirs.intersection(keys))
        if both:
            more = f" and {len(both) - 1} more" if both[1:] else ""
            raise Mistake(
                (),
                f"{both[0]}{more} belongs to {other} already. Give each table to one of the two with `pipelines`, "
                "`filters` or `models`, or give this component keys of its own: translation: {key_prefix: again}",
            )
    here = place(context, (), "")
    claims[owner] = (f"{here.file}:{here.line}" if here.file else owner, frozenset(keys))
