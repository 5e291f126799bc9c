"""Which tables do the seed files become, and with which columns?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_rocky.project import files, headers
from dagster_rocky.project.snapshot import Seed

if TYPE_CHECKING:
    from dagster_rocky.results import DagResult

SEEDS = "seeds"
"""The engine's folder of seeds, beside `rocky.toml` (contract, section 8)."""


def read_seeds(
    dag: DagResult, project_dir: Path, pipeline: str | None, types: Mapping[str, Mapping[str, str]]
) -> list[Seed]:
    """Seeds from the engine's graph, with what their files say.

    Args:
        dag: The engine's graph.
        project_dir: The folder of `rocky.toml`.
        pipeline: The one that lends its adapter to `rocky seed`.
        types: By `catalog.schema.table` and column, in lower case: the types that the engine knows.

    Returns:
        One seed per file that the engine knows.
    """
    nodes = [node for node in dag.nodes if node.kind == "seed" and node.target]
    paths = _files(project_dir / SEEDS) if nodes else {}
    return [
        Seed(
            name=node.label,
            target=node.target.name,
            pipeline=pipeline,
            columns=headers.with_types(
                headers.columns_of(paths[node.label]) if node.label in paths else [],
                types.get(node.target.name, {}),
            ),
        )
        for node in nodes
        if node.target
    ]


def _files(folder: Path) -> Mapping[str, Path]:
    """Seed files by seed name, which is the file's unless its sidecar gives another."""
    paths = [path for path in sorted(folder.glob("*")) if path.suffix in headers.SEPARATED and path.is_file()]
    return {
        str(files.read_table(path.with_suffix(".toml"), "the seed's name").get("name", path.stem)): path
        for path in paths
    }
