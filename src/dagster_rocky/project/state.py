"""The defs state of a component: refreshed whole or not at all, read once a process, compared with its files."""

import logging
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import dagster as dg
from dagster._core.storage.defs_state.base import DefsStateStorage

from dagster_rocky.project.refresh import refresh
from dagster_rocky.project.snapshot import ProjectSnapshot, UnreadableState, fingerprint
from dagster_rocky.resource import RockyResource

_LOG = logging.getLogger("dagster_rocky")
_REFRESHING: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
_SHARED_SECONDS = 10.0
_ANSWERS: dict[str, "_Answer"] = {}


@dataclass
class _Answer:
    """What the engine said of a project, for the components of it that are refreshed together."""

    snapshot: ProjectSnapshot
    given: float
    keys: set[str]


class RefreshFailed(dg.Failure):
    """The project could not be asked for; the last good state, if there is one, is as it was."""


def write_state(resource: RockyResource, path: Path, key: str) -> ProjectSnapshot:
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
        RefreshFailed: When the engine cannot say what the project is.
    """
    previous = _previous(path, key)
    with _REFRESHING[str(Path(resource.config_path).absolute())]:
        try:
            snapshot = _ask(resource, previous, key)
        except dg.Failure as failure:
            kept = "the last good one is kept" if previous else "there is no earlier one"
            raise RefreshFailed(
                description=f"The state {key!r} could not be refreshed; {kept}.\n{failure.description}",
                metadata=failure.metadata,
                allow_retries=False,
            ) from failure
    path.parent.mkdir(parents=True, exist_ok=True)
    snapshot.write(path)
    return snapshot


def _ask(resource: RockyResource, previous: ProjectSnapshot | None, key: str) -> ProjectSnapshot:
    """Another component's answer, when it is fresh, complete and not yet used for this key; else a new one."""
    project = resource.model_dump_json()
    answer = _ANSWERS.get(project)
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
    _ANSWERS[project] = _Answer(snapshot, time.monotonic(), {key})
    return snapshot


def _previous(path: Path, key: str) -> ProjectSnapshot | None:
    """The last good snapshot: beside, or in Dagster's storage when states are versioned."""
    try:
        if path.is_file():
            return ProjectSnapshot.read(path)
        storage = DefsStateStorage.get()
        version = storage.get_latest_version(key) if storage else None
        if storage is None or version is None or version.startswith("__"):
            return None
        earlier = path.with_name(f"{path.name}.previous")
        storage.download_state_to_path(key, version, earlier)
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
