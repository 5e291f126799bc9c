"""Which models have other files by now than the state was made of?"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg

from dagster_rocky.graph.edges import Node
from dagster_rocky.project.files import current_code_version
from dagster_rocky.project.snapshot import KnownFiles


def newer_code(
    nodes: Sequence[Node], models: Mapping[str, KnownFiles], config_path: Path, contracts_dir: str | None
) -> Mapping[dg.AssetKey, str]:
    """Code versions of the files as they are, where they are not those of the state.

    Args:
        nodes: The assets to look at.
        models: What the state knows, by name.
        config_path: The project's `rocky.toml`.
        contracts_dir: Where contracts are that are not beside their models.
    """
    project_dir = config_path.absolute().parent
    found: dict[dg.AssetKey, str] = {}
    for node in nodes:
        model = models.get(node.assets[0].name) if node.assets[0].kind == "model" else None
        now = model and current_code_version(project_dir, model, contracts_dir)
        if model and now and now != model.code_version:
            found[node.spec.key] = now
    return found
