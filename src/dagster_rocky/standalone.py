"""A component without YAML: definitions for a project that Python code names."""

from pathlib import Path

import dagster as dg

from dagster_rocky._dagster import without_warnings
from dagster_rocky.component import RockyComponent
from dagster_rocky.project.snapshot import UnreadableState
from dagster_rocky.project.state import describe_staleness, read_state, write_state
from dagster_rocky.yaml.paths import require_config


def build_rocky_definitions(component: RockyComponent) -> dg.Definitions:
    """The definitions of a component that is made in Python, without YAML and without a `dg` project.

    The snapshot is kept beside the project in `.rocky/`; it is made when it is missing or no longer fits the files.

    Args:
        component: For example `RockyComponent(config_path="rocky.toml", binary_path="rocky-local")`.

    Returns:
        Definitions to merge with others.

    Raises:
        RefreshFailed: When the project cannot be asked for and there is no snapshot of it.

    Example:
        ```python
        defs = build_rocky_definitions(RockyComponent(config_path="flights/rocky.toml", binary_path="rocky-local"))
        ```
    """
    require_config(Path(component.config_path))
    project_dir = Path(component.config_path).absolute().parent
    path = project_dir / ".rocky" / "dagster-state.json"
    try:
        snapshot = read_state(path)
        is_fit = describe_staleness(snapshot, project_dir) is None
    except (FileNotFoundError, UnreadableState):
        is_fit = False
    if not is_fit:
        snapshot = write_state(component.resource, path, component.defs_state_config.key)
    with without_warnings():
        return component.build_defs_from_snapshot(snapshot)
