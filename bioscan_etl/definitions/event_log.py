"""Dagster's SQLite event log with database engines that are kept.

Dagster 1.13 makes a new engine for every event that it stores. SQLAlchemy keeps the statements that it has compiled
with the engine, so each event compiles all of its statements again (measured by benchmarks/event_log.py).

Belongs here: this one replacement. Does not belong here: what Dagster stores, and where (`instance.yaml`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

_KEPT = 16  # one for the index of all runs, and one for each run that is stored or shown at a time


@lru_cache(maxsize=_KEPT)
def _engine(address: str) -> Engine:
    # No connection is kept: a run's file can be deleted, and the next connection makes it again.
    return create_engine(address, poolclass=NullPool, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})


@contextmanager
def _connect(self: SqliteEventLogStorage, shard: str) -> Iterator[Connection]:
    with self._db_lock:
        engine = _engine(self.conn_string_for_shard(shard))
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        with engine.connect() as connection, connection.begin():
            yield connection


def keep_engines() -> None:
    """Let every SQLite event log of this process keep its engines; the databases stay as Dagster makes them."""
    SqliteEventLogStorage._connect = _connect  # type: ignore[method-assign]
