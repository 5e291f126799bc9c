"""What would a selection run in a whole `dg` project?"""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from dagster_rocky._dagster import without_warnings
from dagster_rocky.component import RockyComponent
from dagster_rocky.previewing.runs import PreviewedRun, preview


def preview_project(
    root: Path, selection: str, partitions: Sequence[str] = (), *, statements: bool = False
) -> list[PreviewedRun]:
    """The engine runs that a selection would make in a `dg` project.

    Args:
        root: The project's folder.
        selection: In Dagster's selection syntax, as `dg launch --assets` takes it.
        partitions: As in `preview`.
        statements: As in `preview`.

    Raises:
        dagster.DagsterError: When the project does not load or the selection cannot be read.
    """
    with without_warnings():
        tree = dg.ComponentTree.for_project(root)
        keys = dg.AssetSelection.from_string(selection).resolve(tree.build_defs().resolve_asset_graph())
        components = tree.get_all_components(of_type=RockyComponent)
    return [
        run for component in components for run in preview(component, keys, partitions, statements=statements)
    ]
