"""How does everything in the graph get a name that Dagster takes and that nothing else has?"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

import dagster as dg

from dagster_rocky._dagster import is_valid_name

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")
Key = TypeVar("Key", dg.AssetKey, dg.AssetKey | dg.AssetCheckKey)


def numbered(name: str, taken: Collection[str]) -> str:
    """A name that is free: itself, or with the first number from 2 on that makes it so.

    Args:
        name: The wanted one.
        taken: Those that others have.

    Returns:
        For example `unique_id_2`.

    Example:
        ```python
        numbered("expression__", {"expression__"})  # 'expression___2'
        ```
    """
    number, free = 2, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


def op_name(*parts: str) -> str:
    """A valid op name of several parts, e.g. `rocky_landing_marts_daily`.

    Args:
        parts: Whatever the project and the component call things; empty ones are left out.

    Returns:
        The parts, with `_` for what Dagster does not take.

    Example:
        ```python
        op_name("rocky", "landing", "größe")  # 'rocky_landing_gr_e'
        ```
    """
    return "_".join(spelled for part in parts if (spelled := _NOT_IN_NAMES.sub("_", part).strip("_")))


def output_names(keys: Iterable[Key]) -> dict[Key, str]:
    """A name for the output of each asset and check of an op.

    Args:
        keys: Keys of assets, checks, or both.

    Returns:
        Dagster's own spelling where it is valid and no other key is spelled so; else one that ends with a hash of
        the key, so that no name depends on the order of the keys.

    Example:
        ```python
        output_names([dg.AssetKey(["b", "t"])])  # {AssetKey(['b', 't']): 'b__t'}
        ```
    """
    return _unique(keys, _spelled)


def input_names(keys: Iterable[dg.AssetKey]) -> dict[dg.AssetKey, str]:
    """A name for the input of each asset that an op depends on.

    Args:
        keys: Their keys.

    Returns:
        Names as `output_names` gives them.

    Example:
        ```python
        input_names([dg.AssetKey(["b", "t"])])  # {AssetKey(['b', 't']): 'in_b__t'}
        ```
    """
    return _unique(keys, lambda key: f"in_{_spelled(key)}")


def _unique(keys: Iterable[Key], spell: Callable[[Key], str]) -> dict[Key, str]:
    wanted = {key: spell(key) for key in keys}
    uses = Counter(wanted.values())
    return {
        key: name if uses[name] == 1 and is_valid_name(name) else _hashed(name, key, uses)
        for key, name in wanted.items()
    }


def _spelled(key: dg.AssetKey | dg.AssetCheckKey) -> str:
    if isinstance(key, dg.AssetCheckKey):
        return f"{key.asset_key.to_python_identifier()}_{key.name}"
    return key.to_python_identifier()


def _hashed(name: str, key: dg.AssetKey | dg.AssetCheckKey, taken: Collection[str]) -> str:
    exact = repr((key.asset_key.path, key.name) if isinstance(key, dg.AssetCheckKey) else key.path)
    digest = hashlib.blake2b(exact.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    length, valid = 8, _NOT_IN_NAMES.sub("_", name)
    while f"{valid}_{digest[:length]}" in taken:
        length += 1
    return f"{valid}_{digest[:length]}"
