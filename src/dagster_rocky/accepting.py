"""What is kept of a spec where Dagster refuses a part of it?"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import dagster as dg

from dagster_rocky._dagster import CheckError

T = TypeVar("T")
_LOG = logging.getLogger("dagster_rocky")

REFUSALS: tuple[type[Exception], ...] = (dg.DagsterError, CheckError, ValueError, TypeError, ArithmeticError)
"""What Dagster raises when it does not take a value; `CheckError` is in none of its public modules."""


def accepted(what: str, make: Callable[[], T]) -> T | None:
    """What is made, or nothing where Dagster refuses it: one odd value costs itself, not the code location.

    Args:
        what: Names the value in the warning.
        make: Makes it.

    Returns:
        The value, or `None` after a warning in the log.

    Example:
        ```python
        accepted("the key of a table", lambda: dg.AssetKey(3))  # None, after a warning
        ```
    """
    try:
        return make()
    except REFUSALS as error:
        reason = " ".join(str(error).split())
        _LOG.warning("rocky: %s is left out, because Dagster does not take it: %s", what, reason)
        return None


def accepted_spec(key: dg.AssetKey, attributes: Mapping[str, Any]) -> dg.AssetSpec:
    """A spec with everything that Dagster takes; the rest is left out piece by piece, each with a warning.

    Args:
        key: The asset's.
        attributes: Of `dagster.AssetSpec`.

    Returns:
        The spec.

    Example:
        ```python
        accepted_spec(dg.AssetKey("a"), {"owners": ["team:", "team:ovens"]}).owners  # ['team:ovens']
        ```
    """
    try:
        return dg.AssetSpec(key, **attributes)
    except REFUSALS:
        spec = dg.AssetSpec(key)
    for name, value in attributes.items():
        for piece in _pieces(value):
            what = f"{name} {piece!r} of asset {key.to_user_string()}"
            spec = accepted(what, _adding(spec, name, piece)) or spec
    return spec


def _adding(spec: dg.AssetSpec, name: str, piece: Any) -> Callable[[], dg.AssetSpec]:
    change = spec.merge_attributes if _is_collection(piece) else spec.replace_attributes
    return lambda: change(**{name: piece})


def _pieces(value: Any) -> list[Any]:
    """A collection's members, each in a collection of its own."""
    if isinstance(value, Mapping):
        return [{name: item} for name, item in value.items()]
    if _is_collection(value):
        return [type(value)([item]) for item in value]
    return [value]


def _is_collection(value: Any) -> bool:
    """Exactly the built-in ones: Dagster's records are tuples, too."""
    return isinstance(value, Mapping | list | set | frozenset)
