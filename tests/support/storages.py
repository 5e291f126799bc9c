"""Dagster's storages in memory, with what is the same in all of them made once a process.

Each instance that is not on disk has two storages of its own in memory. As they are, each of them makes its tables
and compiles every SQL statement anew, and opens a connection for each statement; in a process that makes a thousand
of them this takes a third of its time. The statements, and what comes of them, stay Dagster's.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from types import ModuleType
from typing import Any

import sqlalchemy
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import in_memory as events
from dagster._core.storage.runs import in_memory as runs
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import Pool

from support import migrations

# What the storages ask their tables before they read or write: which columns and tables there are.
_ASKED_ONCE = (
    "has_table",
    "has_asset_key_col",
    "_has_asset_key_col_on_connection",
    "has_run_stats_index_cols",
    "has_bulk_actions_selector_cols",
    "has_backfill_id_column",
    "has_bulk_action_job_name_column",
    "has_backfill_tags_table",
)


def share() -> None:
    """From now on, this process makes tables and compiles statements once, and stores events when somebody looks."""
    migrations.read_once()
    _share(events, "InMemoryEventLogStorage", "SqlEventLogStorageMetadata", "_connect")
    events.InMemoryEventLogStorage.store_event = _store_later  # type: ignore[method-assign]
    _share(runs, "InMemoryRunStorage", "RunStorageSqlMetadata", "connect")


@cache
def _share(module: ModuleType, storage: str, metadata: str, connect: str) -> None:
    engines: list[Engine] = []
    compiled: dict[Any, Any] = {}

    def create_engine(url: str, poolclass: type[Pool]) -> Engine:
        engine = sqlalchemy.create_engine(url, poolclass=poolclass, connect_args={"check_same_thread": False})
        engines[1:] = [engine]
        # Compiled statements belong to a dialect.
        engine.dialect = engines[0].dialect
        return engine.execution_options(compiled_cache=compiled)

    module.create_engine = create_engine  # type: ignore[attr-defined]
    made = getattr(module, storage)()
    tables = sqlite3.connect(":memory:", check_same_thread=False)
    _sqlite(made._held_conn).backup(tables)
    made.dispose()

    class Copied:
        """Stands for the description of the tables: they are copied as a whole."""

        @staticmethod
        def create_all(connection: Connection) -> None:
            tables.backup(_sqlite(connection))

    setattr(module, metadata, Copied)
    module.stamp_alembic_rev = lambda *_: None  # type: ignore[attr-defined]
    kind = getattr(module, storage)
    setattr(kind, connect, _held)
    for name in filter(partial(hasattr, kind), _ASKED_ONCE):
        setattr(kind, name, _asked_once(getattr(kind, name)))


def _asked_once(answer: Callable[..., bool]) -> Callable[..., bool]:
    """What is asked about the tables, which are the same in all storages; the last argument names what is asked for."""
    known: dict[tuple[Any, ...], bool] = {}

    def method(storage: Any, *asked: Any) -> bool:
        if asked[-1:] not in known:
            known[asked[-1:]] = answer(storage, *asked)
        return known[asked[-1:]]

    return method


def _sqlite(connection: Connection) -> sqlite3.Connection:
    known = connection.connection.driver_connection
    assert isinstance(known, sqlite3.Connection)
    return known


@contextmanager
def _held(storage: Any) -> Iterator[Connection]:
    """The one connection of a storage, for one thread at a time, in a transaction that comes after what waits."""
    with storage.__dict__.setdefault("_held_lock", threading.RLock()):
        if storage._held_conn.in_transaction():
            yield storage._held_conn
            return
        waiting = storage.__dict__.get("_waiting")
        while waiting:
            # One that cannot be stored takes none of the others with it.
            with storage._held_conn.begin():
                _store(storage, waiting.pop(0))
        with storage._held_conn.begin():
            yield storage._held_conn


_store = events.InMemoryEventLogStorage.store_event


def _store_later(storage: Any, event: EventLogEntry) -> None:
    """Keep an event for whoever looks into the storage next; most tests look at their result only."""
    if storage._handlers[event.run_id]:
        _store(storage, event)
    else:
        with storage.__dict__.setdefault("_held_lock", threading.RLock()):
            storage.__dict__.setdefault("_waiting", []).append(event)
