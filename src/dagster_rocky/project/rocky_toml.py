"""What does only `rocky.toml` say of a pipeline: its warehouse, its overrides, its schema pattern?"""

import re
from collections.abc import Collection, Mapping
from typing import Any


def adapter_types(config: Mapping[str, Any]) -> dict[str, str]:
    """Adapter names with their types; an unnamed `[adapter]` is called `default`.

    Args:
        config: A normalised `rocky.toml`.

    Returns:
        For example `{"default": "duckdb"}`.
    """
    return {name: str(body.get("type", "")) for name, body in config.get("adapter", {}).items()}


def warehouse_of(pipeline: Mapping[str, Any], adapters: Mapping[str, str]) -> str:
    """The type of the warehouse that a pipeline writes to, e.g. `duckdb`.

    Args:
        pipeline: One `[pipeline.NAME]`.
        adapters: What `adapter_types` gave.

    Returns:
        The adapter's type, or empty when several could be meant.
    """
    name = str(pipeline.get("target", {}).get("adapter", "default"))
    return adapters.get(name) or (next(iter(adapters.values())) if len(adapters) == 1 else "")


def line_of(text: str, pipeline: str) -> int | None:
    """The line at which the file begins to define a pipeline, counted from 1.

    Args:
        text: The file.
        pipeline: Its name.

    Example:
        ```python
        line_of("[pipeline.landing]", "landing")  # 1
        ```
    """
    header = re.compile(rf"\s*\[+\s*pipelines?\.[\"']?{re.escape(pipeline)}[\"']?\s*[.\]]")
    lines = enumerate(text.splitlines(), start=1)
    return next((number for number, line in lines if header.match(line)), None)


def override_of(pipeline: Mapping[str, Any], names: Collection[str], table: str, field: str) -> Any:
    """What the overrides of a replication say of one table, for one field (contract, section 18).

    The most specific rule that sets the field counts: source and literal table before source and pattern, before
    source alone, before table alone; among equals the first.

    Args:
        pipeline: One replication's `[pipeline.NAME]`.
        names: What `match.connector` may say of the source: its id and its schema.
        table: The bare table name.
        field: For example `enabled` or `strategy`.

    Returns:
        The value, or `None` when no rule sets it.

    Example:
        ```python
        rules = [{"match": {"table": "kegs"}, "enabled": False}]
        override_of({"table_overrides": rules}, {"raw__north"}, "kegs", "enabled")  # False
        ```
    """
    found: tuple[int, Any] | None = None
    for rule in pipeline.get("table_overrides", []):
        rank = _rank(rule.get("match", {}), names, table)
        if rank is not None and field in rule and (found is None or rank < found[0]):
            found = (rank, rule[field])
    return found[1] if found else None


def is_excluded(pipeline: Mapping[str, Any], names: Collection[str], table: str) -> bool:
    """Whether the project switches a replicated table off.

    Args:
        pipeline: One replication's `[pipeline.NAME]`.
        names: The source's id and schema.
        table: The bare table name.

    Returns:
        True when the override that counts says `enabled = false`.
    """
    return override_of(pipeline, names, table, "enabled") is False


def pattern_of(pipeline: Mapping[str, Any]) -> tuple[list[str], str]:
    """The component names of a replication's schema pattern in their order, and its separator.

    Args:
        pipeline: One replication's `[pipeline.NAME]`.

    Returns:
        For example `(["fleet", "zones", "probe"], "__")`.
    """
    pattern = pipeline.get("source", {}).get("schema_pattern", {})
    names = [str(name).removesuffix("...") for name in pattern.get("components", [])]
    return names, str(pattern.get("separator", "__"))


def _rank(match: Mapping[str, Any], names: Collection[str], table: str) -> int | None:
    """How specific a matching rule is, 0 the most; `None` when it does not match."""
    connector, wanted = match.get("connector"), match.get("table")
    if connector is not None and connector not in names:
        return None
    is_pattern = wanted is not None and any(sign in str(wanted) for sign in "*?")
    if wanted is not None:
        fits = _glob(str(wanted)).fullmatch(table) if is_pattern else wanted == table
        if not fits:
            return None
    if connector is None:
        return 4 if wanted is None else 3
    return 2 if wanted is None else int(is_pattern)


def _glob(pattern: str) -> re.Pattern[str]:
    """`*` and `?` alone are wildcards; brackets are letters like any other."""
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
