"""What does a model's contract promise, in words (contract, section 2.2)?"""

from collections.abc import Mapping
from typing import Any

_LONGEST = 400


def promise_of(contract: Mapping[str, Any]) -> str | None:
    """What holds when the model keeps its contract.

    Args:
        contract: The file as it is.

    Returns:
        The columns that have to be there, stay, have a type or are never null; `None` when it promises nothing.

    Example:
        ```python
        promise_of({"rules": {"required": ["day", "rentals"]}})  # 'day, rentals are there'
        ```
    """
    rules = contract.get("rules")
    rules = rules if isinstance(rules, Mapping) else {}
    rows = contract.get("columns")
    columns = (
        [row for row in rows if isinstance(row, Mapping) and row.get("name")]
        if isinstance(rows, list)
        else []
    )
    said = [
        _about(_names(rules.get("required")), "is there", "are there"),
        _about(_names(rules.get("protected")), "stays", "stay"),
        _about(
            [str(row["name"]) for row in columns if row.get("nullable") is False],
            "is never null",
            "are never null",
        ),
        ", ".join(f"{row['name']} is {row['type']}" for row in columns if row.get("type")),
    ]
    text = "; ".join(part for part in said if part)
    return (text if len(text) <= _LONGEST else f"{text[:_LONGEST].rsplit(' ', 1)[0]} …") or None


def _names(value: Any) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


def _about(names: list[str], one: str, many: str) -> str:
    return f"{', '.join(names)} {one if len(names) == 1 else many}" if names else ""
