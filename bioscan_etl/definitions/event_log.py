"""Dagster's SQLite event log with database engines and connections that are kept.

Dagster 1.13 makes a new engine for every event that it stores. SQLAlchemy keeps the statements that it has compiled
with the engine, so each event compiles all of its statements again. And SQLite writes its journal back into the
database whenever the last connection is closed (measured by benchmarks/event_log.py).

Belongs here: this one replacement. Does not belong here: what Dagster stores, and where (`instance.yaml`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import QueuePool

_KEPT = 16  # one for the index of all runs, and one for each run that is stored or shown at a time


@lru_cache(maxsize=_KEPT)
def _engine(address: str) -> Engine:
    engine = create_engine(
        address,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=-1,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
    )
    path = Path(str(engine.url.database))

    def connected(_: object, record: Any) -> None:
        record.info["file"] = _identity(path)

    def taken(_: object, record: Any, __: object) -> None:
        # A run's file can be deleted, and the next connection makes it again.
        if record.info["file"] != _identity(path):
            raise DisconnectionError(f"{path} is another file")

    event.listen(engine, "connect", connected)
    event.listen(engine, "checkout", taken)
    return engine


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one of its name; None: there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


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
