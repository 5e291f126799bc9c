"""Where is the defs state of a component, is it readable, and does it still fit the project's files?"""

import hashlib
import logging
import threading
import time
import tomllib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import dagster as dg
from dagster.components import DefsStateConfig

from dagster_rocky import _dagster
from dagster_rocky.engine.commands import EngineCommands
from dagster_rocky.project.refresh import refresh
from dagster_rocky.project.snapshot import ProjectSnapshot, UnreadableState, fingerprint

_LOG = logging.getLogger("dagster_rocky")
_REFRESHING: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
_SHARED_SECONDS = 10.0
_SHARED: dict[str, "_SharedRefresh"] = {}


@dataclass
class _SharedRefresh:
    """What the engine said of a project, for the components of it that are refreshed together."""

    snapshot: ProjectSnapshot
    given: float
    keys: set[str]


class RefreshFailed(dg.Failure):
    """The project could not be asked for; the last good state, if there is one, is as it was."""


def state_key(class_name: str, place: str, *, module: str, project_root: Path, config_path: Path) -> str:
    """The key of a component's state, unique among all code locations that share a storage of states.

    Two projects may have a component at the same place, so the key names the project's package, and tells packages
    of one name apart by a hash. Nothing in it depends on where the project is on a machine: what is refreshed on one
    is found on another.

    Args:
        class_name: The component's class.
        place: Where the component is in the project, e.g. `flights`.
        module: The name of the project's module of definitions, e.g. `warehouse.defs`.
        project_root: The `dg` project's folder.
        config_path: The component's `rocky.toml`.

    Returns:
        For example `RockyComponent[warehouse/flights-1a2b3c]`.

    Example:
        ```python
        root = Path("/srv/warehouse")
        config = root / "rocky.toml"
        state_key("RockyComponent", "flights", module="warehouse.defs", project_root=root, config_path=config)
        # 'RockyComponent[warehouse/flights-ce638e]'
        ```
    """
    root, folder = project_root.resolve(), config_path.parent.resolve()
    is_inside = folder.is_relative_to(root)
    config = (folder.relative_to(root) / config_path.name).as_posix() if is_inside else config_path.name
    identity = "\0".join((_project_name(project_root), module, place, config))
    digest = hashlib.blake2b(identity.encode(errors="surrogateescape"), digest_size=3).hexdigest()
    return f"{class_name}[{module.partition('.')[0]}/{place}-{digest}]"


@lru_cache(maxsize=4)
def _project_name(project_root: Path) -> str:
    """What the project calls itself in its `pyproject.toml`."""
    try:
        project = tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8")).get("project")
    except (OSError, ValueError):
        return ""
    return str(project.get("name", "")) if isinstance(project, dict) else ""


def require_place(config: DefsStateConfig, project_root: Path) -> None:
    """Refuses a project that has no state and no place to keep one, such as a read-only image.

    Args:
        config: Where the state is kept, and under which key.
        project_root: The `dg` project's folder.

    Raises:
        RefreshFailed: With what to run while the project can still be written.
    """
    _local(config, project_root)


def write_state(resource: EngineCommands, path: Path, key: str) -> ProjectSnapshot:
    """Refreshes a state file.

    Components of one project are refreshed one after the other: the engine lets one process at a time into a DuckDB
    file. Those that are refreshed within seconds share one answer of the engine; each gets it once.

    Args:
        resource: The engine and its project.
        path: The state file; what is in it stays when the refresh fails.
        key: The state's key, under which an earlier version may be in Dagster's storage.

    Returns:
        The new snapshot.

    Raises:
        RefreshFailed: When the engine cannot say what the project is, or the state cannot be written.
    """
    previous = _previous(path, key)
    try:
        with _REFRESHING[str(Path(resource.config_path).absolute())]:
            snapshot = _ask(resource, previous, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        snapshot.write(path)
    except (dg.Failure, OSError, ValueError) as failure:
        kept = "the last good one is kept" if previous else "there is no earlier one"
        told = failure if isinstance(failure, dg.Failure) else None
        reason = told.description if told else f"{type(failure).__name__}: {failure}"
        raise RefreshFailed(
            description=f"The state {key!r} could not be refreshed; {kept}.\n{reason}",
            metadata=told.metadata if told else None,
            allow_retries=False,
        ) from failure
    return snapshot


def _ask(resource: EngineCommands, previous: ProjectSnapshot | None, key: str) -> ProjectSnapshot:
    """Another component's answer, when it is fresh, complete and not yet used for this key; else a new one."""
    project = resource.model_dump_json()
    answer = _SHARED.get(project)
    if (
        answer is not None
        and key not in answer.keys
        and time.monotonic() - answer.given < _SHARED_SECONDS
        and not answer.snapshot.problems
        and (previous is None or previous.first_partition == answer.snapshot.first_partition)
        and describe_staleness(answer.snapshot, Path(resource.config_path).absolute().parent) is None
    ):
        answer.keys.add(key)
        return answer.snapshot
    snapshot = refresh(resource, previous)
    _SHARED[project] = _SharedRefresh(snapshot, time.monotonic(), {key})
    return snapshot


def _previous(path: Path, key: str) -> ProjectSnapshot | None:
    """The last good snapshot: beside, or in Dagster's storage when states are versioned."""
    try:
        if path.is_file():
            return ProjectSnapshot.read(path)
        earlier = path.with_name(f"{path.name}.previous")
        if not _dagster.download_latest_state(key, earlier):
            return None
        try:
            return ProjectSnapshot.read(earlier)
        finally:
            earlier.unlink(missing_ok=True)
    except (UnreadableState, OSError) as error:
        _LOG.warning(
            "rocky: the earlier state is not used, sources that cannot be seen now are lost: %s", error
        )
        return None


def read_state(path: Path) -> ProjectSnapshot:
    """Reads a state file, once a process for each of its versions.

    Args:
        path: The file.

    Returns:
        The snapshot, shared: it is not to be changed.

    Raises:
        UnreadableState: When it is no state of this version.
    """
    stat = path.stat()
    return _read_version(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _read_version(path: Path, modified: int, size: int) -> ProjectSnapshot:
    return ProjectSnapshot.read(path)


def read_or_make_state(
    state_path: Path | None, config: DefsStateConfig, project_root: Path, make: Callable[[], object]
) -> ProjectSnapshot:
    """The snapshot to load from; one that is missing or unreadable is made where states are files of the project.

    Args:
        state_path: The stored state, or `None` when nothing was ever stored.
        config: Where the state is kept, and under which key.
        project_root: The `dg` project's folder.
        make: Asks the engine and stores the state.

    Returns:
        The snapshot.

    Raises:
        UnreadableState: When a state that is kept elsewhere cannot be read.
        RefreshFailed: When there is no state and none can be made.
    """
    if state_path is not None:
        try:
            return read_state(state_path)
        except UnreadableState as error:
            if _local(config, project_root) is None:
                raise
            _LOG.warning("rocky: %s It is made anew.", error)
    else:
        _LOG.info("rocky: %s has no state yet; asking the engine for the project", config.key)
    local = _local(config, project_root)
    if local is None:
        raise _no_state(config.key, "It is kept in Dagster's storage, which only a refresh writes to.")
    make()
    try:
        return read_state(local)
    except FileNotFoundError as error:
        raise _no_state(config.key, f"None was written to {local}.") from error


def _local(config: DefsStateConfig, project_root: Path) -> Path | None:
    try:
        return _dagster.local_state_path(config, project_root)
    except OSError as error:
        raise _no_state(config.key, f"It cannot be made here: {error}.") from error


def _no_state(key: str, reason: str) -> RefreshFailed:
    return RefreshFailed(
        description=(
            f"There is no state under the key {key!r} yet, so the project's graph is not known. {reason} Store it with "
            f"`dg utils refresh-defs-state --defs-state-key '{key}'`, for example while the image is built."
        ),
        allow_retries=False,
    )


def describe_staleness(snapshot: ProjectSnapshot, project_dir: Path) -> str | None:
    """Says that a state no longer fits the files that it came from.

    Args:
        snapshot: The state.
        project_dir: The folder of `rocky.toml`.

    Returns:
        A sentence for log and metadata, or `None` when it fits.
    """
    if fingerprint(project_dir, snapshot.watched) == snapshot.fingerprint:
        return None
    return (
        f"stale: the project's files changed after {snapshot.refreshed_at}; "
        "refresh it with `dg utils refresh-defs-state`"
    )
