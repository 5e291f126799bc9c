"""Which private Dagster APIs are used, and why? Each is wrapped here once, in alphabetical order.

`tests/dagster_rocky/test_private_dagster.py` holds what each must do, and says what to do when Dagster moves it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext
from dagster._core.storage.defs_state.base import DefsStateStorage
from dagster.components import DefsStateConfig
from dagster.components.utils.project_paths import get_local_state_path
from dagster_shared.serdes.objects.models.defs_state_info import DefsStateManagementType


def download_latest_state(key: str, path: Path) -> bool:
    """Fetches the latest state that Dagster's storage has under a key.

    Private because a state-backed component is only ever given its own state to load from, not the one before the
    refresh that it is about to make; that one knows the sources that cannot be seen now.

    Args:
        key: The state's key.
        path: Where to put it.

    Returns:
        False when there is no storage, or no version in it.
    """
    storage = DefsStateStorage.get()
    version = storage.get_latest_version(key) if storage else None
    # Versions such as `__local__` stand for a state that is kept elsewhere.
    if storage is None or version is None or version.startswith("__"):
        return False
    storage.download_state_to_path(key, version, path)
    return True


@contextmanager
def last_good_state(config: DefsStateConfig, project_root: Path) -> Iterator[Path | None]:
    """The state that is stored, after a refresh of it failed.

    Private because `StateBackedComponent.build_defs` refreshes and loads in one go, and knows no fallback.

    Args:
        config: Where the state is kept, and under which key.
        project_root: The `dg` project's folder.

    Yields:
        A file that exists as long as the context, or `None`.
    """
    with DefinitionsLoadContext.get().state_path(config, DefsStateStorage.get(), project_root) as path:
        yield path


def local_state_path(config: DefsStateConfig, project_root: Path) -> Path | None:
    """The state file, where states are files of the project; its folder is made.

    Private because Dagster hands a component the file only when it exists, and an unreadable one is replaced here.

    Args:
        config: Where the state is kept, and under which key.
        project_root: The `dg` project's folder.

    Returns:
        The path, or `None` when states are kept elsewhere.
    """
    if config.management_type != DefsStateManagementType.LOCAL_FILESYSTEM:
        return None
    return get_local_state_path(config.key, project_root)
