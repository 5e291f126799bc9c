"""What does a key stand for under which the engine runs a request once? A template, and what fills it."""

import hashlib
from collections.abc import Mapping, Sequence
from string import Formatter

PLACEHOLDERS = ("run_id", "root_run_id", "partition", "selection")
"""The Dagster run, the run whose work it goes on with, the step's partitions, and its assets."""

NEW_WITH_EACH_LAUNCH = frozenset({"run_id", "root_run_id"})


def placeholders(template: str) -> frozenset[str]:
    """The placeholders of a key.

    Args:
        template: The key as it is written.

    Raises:
        ValueError: When it cannot be read, or has a placeholder that nothing fills.

    Example:
        ```python
        sorted(placeholders("nightly-{partition}-{run_id}"))  # ['partition', 'run_id']
        ```
    """
    try:
        parts = [part for part in Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise ValueError(f"{template!r} is no template: {error}. Write a brace as {{{{ or }}}}") from error
    names = {f"{name}{'!' + how if how else ''}{':' + form if form else ''}" for _, name, form, how in parts}
    if unknown := sorted(names - set(PLACEHOLDERS)):
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise ValueError(f"{{{unknown[0]}}} stands for nothing: a key is made of {known} and other text")
    return frozenset(name for name in names if name)


def filled(template: str, values: Mapping[str, str]) -> str:
    """A key with its placeholders filled.

    Args:
        template: The key as it is written.
        values: For each of `PLACEHOLDERS`; one that is left out is empty.

    Example:
        ```python
        filled("nightly-{partition}", {"partition": "2026-05-01"})  # 'nightly-2026-05-01'
        ```
    """
    return template.format_map({name: values.get(name, "") for name in PLACEHOLDERS})


def of_many(names: Sequence[str], none: str = "none") -> str:
    """One word for names: the name of one, else how many there are and a hash of them.

    Args:
        names: In any order.
        none: The word for no names.

    Example:
        ```python
        of_many(["2026-05-01"])  # '2026-05-01'
        of_many(["b", "a"]) == of_many(["a", "b"])  # True
        ```
    """
    if len(names) < 2:
        return names[0] if names else none
    digest = hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:12]
    return f"{len(names)}-{digest}"
