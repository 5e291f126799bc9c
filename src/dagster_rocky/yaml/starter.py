"""What is in the project that `dg scaffold` writes where there is none, by template?"""

from collections.abc import Iterator, Mapping
from pathlib import Path

COMPONENT = "town"
"""The component of its schema pattern."""
FILTERS = ("town=porto", "town=braga", "town=all")
"""The sources that it has."""
END = "2025-07-01"
"""Where its data ends."""
CATALOG = "rental"
_PARTITIONS = {
    "starter": " --partition-range 2025-06-01...2025-06-30",
    "models": " --partition-range 2025-06-01...2025-06-30",
    "tenants": " --partition-range braga...porto",
}


def launch(template: str, key_prefix: str | None) -> str:
    """The command that builds everything of the project, and nothing else of the code location.

    Args:
        template: `starter`, `replication`, `models` or `tenants`.
        key_prefix: What the keys of the component begin with, when it is not the first one.

    Example:
        ```python
        launch("replication", None)  # 'dg launch --assets kind:rocky'
        ```
    """
    selection = f"'key:\"{key_prefix}/*\"'" if key_prefix else "kind:rocky"
    return f"dg launch --assets {selection}{_PARTITIONS.get(template, '')}"


def values(template: str, binary: str) -> Mapping[str, object]:
    """What the files say that differs from template to template.

    Args:
        template: `starter`, `replication`, `models` or `tenants`.
        binary: The engine that the component names.

    Returns:
        Values for the templates.

    Example:
        ```python
        values("models", "rocky-local")["layer"]  # 'raw'
        ```
    """
    has_models = template in ("starter", "models")
    return {
        "catalog": CATALOG,
        "binary": binary,
        "has_landing": template != "models",
        "has_models": has_models,
        "layer": "raw" if template == "models" else "lake",
        "seeding": "marts" if has_models else "landing",
    }


def files(folder: Path, template: str) -> Iterator[Path]:
    """The files of a project.

    Args:
        folder: Where the templates of all files are.
        template: `starter`, `replication`, `models` or `tenants`.

    Returns:
        Those that belong to it.
    """
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if file.parent.name != "models" or template in ("starter", "models"):
            yield file
