"""What a project remembers between runs: one SQLite file with a lock beside it.

Writers hold two locks for the length of a run: the `.lock` file keeps other writers out, and a lock on the state
file itself tells readers that a run is going on. Every write is its own transaction, so a kill at any moment
leaves a file that opens.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rocky_local import clock, tracing
from rocky_local.errors import EngineError

SCHEMA_VERSION = 22
LEGACY_NAME = ".rocky-state.redb"
_INVALID = "database error: I/O error: invalid data"
_RESUMABLE_RUNS = 20
_RETRIES, _PAUSE = 4, 0.08
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS watermarks (
  target TEXT PRIMARY KEY, ns INTEGER NOT NULL, copying INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS runs (run_id TEXT PRIMARY KEY, started_ns INTEGER NOT NULL, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS progress (run_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS copied (run_id TEXT, target TEXT, PRIMARY KEY (run_id, target));
CREATE TABLE IF NOT EXISTS partitions (model TEXT, key TEXT, PRIMARY KEY (model, key));
CREATE TABLE IF NOT EXISTS row_counts (target TEXT, at_ns INTEGER NOT NULL, count INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS claims (
  key TEXT PRIMARY KEY, run_id TEXT NOT NULL, state TEXT NOT NULL, at_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sources (pipeline TEXT, id TEXT, PRIMARY KEY (pipeline, id));
CREATE TABLE IF NOT EXISTS builds (model TEXT PRIMARY KEY, logic TEXT NOT NULL, inputs TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Claim:
    """Who holds an idempotency key: the run, and whether it is `in_flight` or has `succeeded`."""

    run_id: str
    state: str
    at_ns: int


def locate(state_path: str | None, namespace: str | None) -> Path:
    """Return where the state file is, without making it.

    Args:
        state_path: A path that was asked for; it is used as it is.
        namespace: A name below `models/.rocky-state/`.
    """
    if state_path:
        return Path(state_path)
    if namespace:
        return Path("models", ".rocky-state", f"{namespace}.redb")
    if Path(LEGACY_NAME).exists():
        return Path(LEGACY_NAME)
    return Path("models", LEGACY_NAME) if Path("models").is_dir() else Path(LEGACY_NAME)


def warn_of_legacy_place() -> None:
    """Log that the state file is beside a models folder and not in it; every command says so."""
    if not (Path(LEGACY_NAME).exists() and Path("models").is_dir()):
        return
    tracing.warn(
        "rocky::state_path",
        f"using legacy state file `{LEGACY_NAME}` in the current directory. The canonical location is "
        f"`models/{LEGACY_NAME}`; move the file there to silence this warning. The CLI will keep honouring the CWD "
        "fallback for now, but it is deprecated and may be removed in a future release.",
    )


def locked_message(path: Path) -> str:
    """Return the sentence for a second writer."""
    return (
        f"state store at {path} is locked by another process; "
        "only one rocky writer can run at a time against the same state file"
    )


def open_for_writing(path: Path, purpose: str = "") -> StateStore:
    """Open the state file for a run, making it when missing, and hold its locks until `close`.

    Args:
        path: The state file.
        purpose: The end of the error's first line, for example ` for idempotency claim`.

    Raises:
        EngineError: Another process holds it, its folder is missing, or it cannot be read.
    """
    failed = f"failed to open state store at {path}{purpose}"
    if path.parent.name == ".rocky-state":
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise EngineError(failed, f"I/O error: {error.strerror} ({path}.lock)") from error
    if not _acquire(lock, fcntl.LOCK_EX):
        os.close(lock)
        raise EngineError(failed, locked_message(path))
    try:
        return StateStore(path, lock)
    except EngineError as error:
        os.close(lock)
        below = [_INVALID.partition(": ")[2]] if error.message == _INVALID else []
        raise EngineError(failed, error.message, *below) from error


def open_for_reading(path: Path) -> StateStore | None:
    """Open the state file to look at it; None when there is none yet.

    Raises:
        EngineError: A run is going on, or the file cannot be read.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    probe = os.open(path, os.O_RDONLY)
    try:
        if not _acquire(probe, fcntl.LOCK_SH):
            raise EngineError(
                f"state store at {path} is busy — another rocky process (likely a long-running `rocky run` or a "
                "concurrent LSP read) is holding the database lock. Retry in a moment."
            )
    finally:
        os.close(probe)
    try:
        return StateStore(path, None)
    except EngineError as error:
        raise EngineError(error.message) from error


def _acquire(handle: int, kind: int) -> bool:
    for attempt in range(_RETRIES):
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except OSError:
            if attempt + 1 < _RETRIES:
                time.sleep(_PAUSE)
        else:
            return True
    return False


class StateStore:
    """An open state file. Use `open_for_writing` or `open_for_reading`."""

    def __init__(self, path: Path, lock: int | None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._locks = [] if lock is None else [lock]
        if lock is not None:
            own = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            self._locks.append(own)
            _acquire(own, fcntl.LOCK_EX)
        self._connection = self._connect(writing=lock is not None)

    def _connect(self, *, writing: bool) -> sqlite3.Connection:
        with self.path.open("rb") as file:
            if file.read(4) == b"redb":
                raise EngineError(
                    f"{self.path} was written by the real `rocky` engine, whose format rocky-local cannot read; "
                    "use that engine here, or give rocky-local its own file with --state-path"
                )
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            if writing:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.executescript(_TABLES)
                connection.execute(
                    "INSERT OR IGNORE INTO meta VALUES ('schema_version', ?)", (str(SCHEMA_VERSION),)
                )
            found = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
        except sqlite3.DatabaseError as error:
            connection.close()
            raise EngineError(_INVALID) from error
        if int(found[0]) > SCHEMA_VERSION:
            connection.close()
            raise EngineError(
                f"state store at {self.path} has schema version {found[0]}, this engine supports up to "
                f"{SCHEMA_VERSION}; use a newer engine or another --state-path"
            )
        return connection

    def close(self) -> None:
        """Give the file and its locks back."""
        self._connection.close()
        for lock in self._locks:
            os.close(lock)
        self._locks = []

    def schema_version(self) -> int:
        """Return the version that the file was written with."""
        return int(self._one("SELECT value FROM meta WHERE key = 'schema_version'")[0])

    def watermarks(self) -> list[tuple[str, int]]:
        """Return every copied table with its watermark in nanoseconds since 1970, sorted by table."""
        return self._all("SELECT target, ns FROM watermarks WHERE ns >= 0 ORDER BY target")

    def watermark(self, target: str) -> tuple[int | None, bool]:
        """Return a table's watermark, and whether the last copy was cut off before it could be moved."""
        found = self._one("SELECT ns, copying FROM watermarks WHERE target = ?", target)
        if found is None:
            return None, False
        return (found[0] if found[0] >= 0 else None), bool(found[1])

    def start_copy(self, target: str) -> None:
        """Note that rows are about to be appended to a table."""
        self._write(
            "INSERT INTO watermarks VALUES (?, -1, 1) ON CONFLICT (target) DO UPDATE SET copying = 1", target
        )

    def finish_copy(self, run_id: str, target: str, ns: int) -> None:
        """Note that a table's rows are committed, up to this watermark, in this run."""
        with self._lock:
            self._connection.execute("BEGIN")
            self._connection.execute("INSERT OR REPLACE INTO watermarks VALUES (?, ?, 0)", (target, ns))
            self._connection.execute("INSERT OR IGNORE INTO copied VALUES (?, ?)", (run_id, target))
            self._connection.execute("COMMIT")

    def abandon_copy(self, target: str) -> None:
        """Note that appending to a table failed and left it as it was."""
        self._write("UPDATE watermarks SET copying = 0 WHERE target = ?", target)

    def start_progress(self, run_id: str) -> None:
        """Note that a replication has begun; it can be resumed from here on, until twenty later ones have begun."""
        self._write("INSERT OR IGNORE INTO progress VALUES (?)", run_id)
        latest = f"SELECT run_id FROM progress ORDER BY rowid DESC LIMIT {_RESUMABLE_RUNS}"
        for table in ("copied", "progress"):
            self._write(f"DELETE FROM {table} WHERE run_id NOT IN ({latest})")

    def has_progress(self, run_id: str) -> bool:
        """Return whether a replication of this id ever began."""
        return self._one("SELECT 1 FROM progress WHERE run_id = ?", run_id) is not None

    def latest_progress(self) -> str | None:
        """Return the id of the last replication that began, or None."""
        found = self._one("SELECT run_id FROM progress ORDER BY rowid DESC LIMIT 1")
        return found[0] if found else None

    def carry_progress(self, resumed: str, run_id: str) -> None:
        """Count what a resumed run copied as copied by the run that resumes it."""
        self._write(
            "INSERT OR IGNORE INTO copied SELECT ?, target FROM copied WHERE run_id = ?", run_id, resumed
        )

    def copied_in(self, run_id: str) -> set[str]:
        """Return the tables that a run copied."""
        return {row[0] for row in self._all("SELECT target FROM copied WHERE run_id = ?", run_id)}

    def record_run(self, record: dict[str, Any], started_ns: int) -> None:
        """Keep a finished run for `history`."""
        self._write(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", record["run_id"], started_ns, json.dumps(record)
        )

    def runs(self) -> list[dict[str, Any]]:
        """Return the finished runs, newest first."""
        rows = self._all("SELECT record FROM runs ORDER BY started_ns DESC, rowid DESC")
        return [json.loads(row[0]) for row in rows]

    def add_row_count(self, target: str, count: int) -> None:
        """Keep a table's row count for anomaly detection."""
        self._write("INSERT INTO row_counts VALUES (?, ?, ?)", target, clock.now_ns(), count)

    def row_counts(self, target: str, limit: int) -> list[int]:
        """Return a table's latest row counts, oldest first."""
        rows = self._all(
            "SELECT count FROM row_counts WHERE target = ? ORDER BY rowid DESC LIMIT ?", target, limit
        )
        return [row[0] for row in reversed(rows)]

    def add_partition(self, model: str, key: str) -> None:
        """Note that a partition is computed."""
        self._write("INSERT OR IGNORE INTO partitions VALUES (?, ?)", model, key)

    def partitions(self, model: str) -> set[str]:
        """Return the computed partitions of a model."""
        return {row[0] for row in self._all("SELECT key FROM partitions WHERE model = ?", model)}

    def claim(self, key: str) -> Claim | None:
        """Return who holds an idempotency key."""
        found = self._one("SELECT run_id, state, at_ns FROM claims WHERE key = ?", key)
        return Claim(*found) if found else None

    def set_claim(self, key: str, run_id: str, state: str) -> None:
        """Hold an idempotency key for a run: `in_flight`, then `succeeded`."""
        self._write("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)", key, run_id, state, clock.now_ns())

    def release_claim(self, key: str) -> None:
        """Let go of an idempotency key."""
        self._write("DELETE FROM claims WHERE key = ?", key)

    def sources(self, pipeline: str) -> set[str]:
        """Return the source ids that `discover` has seen."""
        return {row[0] for row in self._all("SELECT id FROM sources WHERE pipeline = ?", pipeline)}

    def add_sources(self, pipeline: str, ids: list[str]) -> None:
        """Note source ids as seen."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO sources VALUES (?, ?)", [(pipeline, id_) for id_ in ids]
        )

    def build(self, model: str) -> tuple[str, str] | None:
        """Return the logic and input fingerprints of a model's last successful build."""
        found = self._one("SELECT logic, inputs FROM builds WHERE model = ?", model)
        return (found[0], found[1]) if found else None

    def set_build(self, model: str, logic: str, inputs: str) -> None:
        """Keep the fingerprints of a successful build."""
        self._write("INSERT OR REPLACE INTO builds VALUES (?, ?, ?)", model, logic, inputs)

    def _one(self, sql: str, *values: Any) -> Any:
        with self._lock:
            return self._connection.execute(sql, values).fetchone()

    def _all(self, sql: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def _write(self, sql: str, *values: Any) -> None:
        with self._lock:
            self._connection.execute(sql, values)
