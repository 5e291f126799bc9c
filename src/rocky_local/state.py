"""What a project remembers between runs: one SQLite file with a lock beside it (contract, 1.4 and 11).

A writer holds two locks until it closes: the `.lock` file keeps other writers out, SQLite's exclusive mode tells
readers that a run is going on. Every write is a transaction, so a kill at any moment leaves a file that opens.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from rocky_local.errors import EngineError, os_reason
from rocky_local.output import Entry, shown

SCHEMA_VERSION = 22
_INVALID = "database error: I/O error: invalid data"
_BUSY = (
    "is busy — another rocky process (likely a long-running `rocky run` or a concurrent LSP read) is holding the "
    "database lock. Retry in a moment."
)
_FOREIGN = (
    "was written by the real `rocky` engine, whose format rocky-local cannot read; give it another file with "
    "--state-path (`state_path` in the YAML), or leave that out: it then keeps a file of its own"
)
_RESUMABLE_RUNS = 20
_PATIENCE_SECONDS, _PAUSE_SECONDS = 0.3, 0.02
_OF_THE_DISK = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)
_NONE = -(2**63)  # stands for no watermark
_TABLES = f"""
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT OR IGNORE INTO meta VALUES ('schema_version', '{SCHEMA_VERSION}');
CREATE TABLE IF NOT EXISTS watermarks (
  target TEXT PRIMARY KEY, ns INTEGER NOT NULL, copying INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS runs (run_id TEXT PRIMARY KEY, started_ns INTEGER NOT NULL, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS progress (run_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS copied (run_id TEXT, target TEXT, PRIMARY KEY (run_id, target));
CREATE TABLE IF NOT EXISTS facts (kind TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (kind, key));
"""


class Recipe(Entry, kw_only=True):
    """What was built and where, so that two runs of the same recipe can be told from two recipes."""

    recipe_hash: str
    input_hash: str | None = None
    input_proof_class: str | None = None
    env_hash: str
    hash_scheme: str = "v1"


class ModelRun(Entry):
    """A table, model or partition in a finished run; its recipe is not kept but found anew for the history."""

    model_name: str
    duration_ms: int
    status: str
    started_at: str | None = None
    sql_hash: str | None = None
    target: str | None = None
    input_hash: str | None = None
    recipe_identity: Recipe | None = None


class RunRecord(Entry, kw_only=True):
    """A finished run, in the order of the history, which adds a count and our version and leaves out the end."""

    run_id: str
    started_at: str
    status: str
    trigger: str
    models_executed: int | None = None
    duration_ms: int
    models: list[ModelRun]
    pipeline: str | None = None
    submission_id: str | None = None
    session_source: str | None = None
    idempotency_key: str | None = None
    target_catalog: str | None = None
    hostname: str | None = None
    rocky_version: str | None = None
    finished_at: str | None = None


def open_for_writing(path: Path, purpose: str = "") -> StateStore:
    """Open the state file, made when missing, and hold its locks until `close`; an error names the purpose."""
    failed = f"failed to open state store at {path}{purpose}"
    try:
        if path.parent.name == ".rocky-state":
            path.parent.mkdir(parents=True, exist_ok=True)
        lock = _lock(f"{path}.lock")
    except BlockingIOError:
        holder = "only one rocky writer can run at a time against the same state file"
        reason = f"state store at {path} is locked by another process; {holder}"
        raise EngineError(failed, reason) from None
    except OSError as error:
        raise EngineError(failed, f"I/O error: {os_reason(error)}", os_reason(error)) from error
    try:
        return StateStore(path, lock)
    except EngineError as error:
        os.close(lock)
        below = [_INVALID.partition(": ")[2]] if error.message == _INVALID else []
        raise EngineError(failed, error.message, *below) from error


def _lock(path: str) -> int:
    """Lock a file, for as long as the number that is returned stays open; it may take others a moment to let go."""
    handle, deadline = os.open(path, os.O_RDWR | os.O_CREAT, 0o644), time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except OSError:
            if time.monotonic() > deadline:
                os.close(handle)
                raise
            time.sleep(_PAUSE_SECONDS)


def reading(path: Path) -> StateStore:
    """Open the state file to look at it; where there is none yet, an empty one in memory stands for it."""
    there = path.exists() and path.stat().st_size > 0
    return StateStore(path if there else None)


class StateStore(AbstractContextManager["StateStore"]):
    """An open state file; with a lock it is open for writing. Use `open_for_writing` or `reading`.

    Besides watermarks and runs it holds facts: a JSON value for a key of some kind. The kinds are `branch`, `build`
    (the fingerprints of a model's last build), `claim` (who holds an idempotency key), `partition` (those that are
    computed), `row_counts` (of a table's last runs) and `source` (those that were discovered). In memory it has no
    schema version.
    """

    def __init__(self, path: Path | None, lock: int | None = None) -> None:
        self._mutex = threading.RLock()
        self._lock = lock
        self._path = path
        if path is not None and path.exists():
            try:
                with path.open("rb") as file:
                    start = file.read(4)
            except OSError as error:
                raise EngineError(f"I/O error: {os_reason(error)}") from error
            if start == b"redb":
                raise EngineError(f"{path} {_FOREIGN}")
        self._connection = sqlite3.connect(
            path or ":memory:", timeout=_PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            with self._access():
                if lock is not None or path is None:
                    for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
                        self._connection.execute(f"PRAGMA {pragma}")
                    self._connection.executescript(_TABLES)
                version = int(self._all("SELECT value FROM meta WHERE key = 'schema_version'")[0][0])
        except EngineError:
            self._connection.close()
            raise
        self.schema_version = version if path else None

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file and its locks back."""
        self._connection.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def watermarks(self) -> list[tuple[str, int]]:
        """Return every copied table with its watermark in nanoseconds since 1970, sorted by table."""
        return self._all("SELECT target, ns FROM watermarks WHERE ns != ? ORDER BY target", _NONE)

    def watermark(self, target: str) -> tuple[int | None, bool]:
        """Return a table's watermark, and whether the last copy was cut off before it could be moved."""
        found = self._all("SELECT ns, copying FROM watermarks WHERE target = ?", target) or [(_NONE, 0)]
        ns, copying = found[0]
        return (None if ns == _NONE else ns), bool(copying)

    def start_copy(self, target: str) -> None:
        """Note that rows are about to be appended to a table."""
        begun = "INSERT INTO watermarks VALUES (?, ?, 1) ON CONFLICT (target) DO UPDATE SET copying = 1"
        self._write(begun, target, _NONE)

    def finish_copy(self, run_id: str, target: str, ns: int, *, settled: bool = True) -> None:
        """Note that a run committed a table up to a watermark; a settled one need not be compared with the table."""
        mark = "INSERT OR REPLACE INTO watermarks VALUES (?, ?, ?)"
        with self._access(), self._connection:
            self._connection.execute("BEGIN")
            self._connection.execute(mark, (target, ns, not settled))
            self._connection.execute("INSERT OR IGNORE INTO copied VALUES (?, ?)", (run_id, target))

    def abandon_copy(self, target: str) -> None:
        """Note that appending to a table failed and left it as it was."""
        self._write("UPDATE watermarks SET copying = 0 WHERE target = ?", target)

    def latest_progress(self) -> str | None:
        """Return the id of the last replication that began, or None."""
        found = self._all("SELECT run_id FROM progress ORDER BY rowid DESC LIMIT 1")
        return found[0][0] if found else None

    def start_progress(self, run_id: str, resumed: str | None) -> set[str] | None:
        """Note that a replication begins; it can be resumed until twenty later ones have begun.

        What the run that it resumes has copied counts as copied by it, too, and is returned; None for an unknown run.
        """
        known = self._all("SELECT 1 FROM progress WHERE run_id = ?", resumed)
        self._write("INSERT OR IGNORE INTO progress VALUES (?)", run_id)
        copy = "INSERT OR IGNORE INTO copied SELECT ?, target FROM copied WHERE run_id = ?"
        self._write(copy, run_id, resumed)
        latest = f"SELECT run_id FROM progress ORDER BY rowid DESC LIMIT {_RESUMABLE_RUNS}"
        for table in ("copied", "progress"):
            self._write(f"DELETE FROM {table} WHERE run_id NOT IN ({latest})")
        copied = self._all("SELECT target FROM copied WHERE run_id = ?", run_id)
        return {row[0] for row in copied} if known else None

    def record_run(self, record: RunRecord, started_ns: int) -> None:
        """Keep a finished run."""
        text = json.dumps(shown(record))
        self._write("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", record.run_id, started_ns, text)

    def runs(self) -> Iterator[RunRecord]:
        """Yield the finished runs, newest first; an empty text in them is as good as none."""
        for (text,) in self._all("SELECT record FROM runs ORDER BY started_ns DESC, rowid DESC"):
            record = {name: value for name, value in json.loads(text).items() if value != ""}
            yield RunRecord(**record | {"models": [ModelRun(**entry) for entry in record["models"]]})

    def facts(self, kind: str) -> dict[str, Any]:
        """Return all facts of a kind, sorted by key."""
        rows = self._all("SELECT key, value FROM facts WHERE kind = ? ORDER BY key", kind)
        return {key: json.loads(value) for key, value in rows}

    def fact(self, kind: str, key: str) -> Any:
        """Return one fact, or None."""
        rows = self._all("SELECT value FROM facts WHERE kind = ? AND key = ?", kind, key)
        return json.loads(rows[0][0]) if rows else None

    def set_fact(self, kind: str, key: str, value: Any) -> None:
        """Keep a fact; None is as good as none."""
        self._write("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", kind, key, json.dumps(value))

    @contextmanager
    def _access(self) -> Iterator[None]:
        """Let one thread in, and say what SQLite refuses, for instance on a full disk, in the engine's words."""
        with self._mutex:
            try:
                yield
            except sqlite3.DatabaseError as error:
                code = error.sqlite_errorcode & 0xFF
                text = f"database error: I/O error: {error}" if code in _OF_THE_DISK else _INVALID
                busy = f"state store at {self._path} {_BUSY}"
                raise EngineError(busy if code == sqlite3.SQLITE_BUSY else text) from error

    def _all(self, sql: str, *values: Any) -> list[Any]:
        with self._access():
            return self._connection.execute(sql, values).fetchall()

    def _write(self, sql: str, *values: Any) -> None:
        with self._access():
            self._connection.execute(sql, values)
