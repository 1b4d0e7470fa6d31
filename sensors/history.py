"""Removing Dagster's old history: runs with their events and logs, and ticks with theirs.

Belongs here: what is old, and what it takes on disk or in the database. Does not belong here: the lake's outputs
(`bioscan_etl.stages.commit`), which are no history, and the logs of the UI's processes, which rotate
(`bioscan_etl.ui.processes`).

Dagster deletes rows and leaves files: with SQLite each run has a database file of its own, and the output of runs and
the logs of ticks are files with either database. The last success of each job and batch is kept whatever its age: the
UI shows the state of a batch by it.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import dagster as dg
import sqlalchemy
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.tags import PARTITION_NAME_TAG

from bioscan_etl.settings import AutomationSettings

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_TICK_LOGS = "__repository__"
_LOCK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed: counts, and bytes on disk and (PostgreSQL) of the events' texts in the database."""

    runs: int = 0
    events: int = 0
    ticks: int = 0
    files: int = 0
    file_bytes: int = 0
    database_bytes: int = 0

    def __str__(self) -> str:
        """One line for a log."""
        database = f", {self.database_bytes:,} bytes of events in the database" if self.database_bytes else ""
        return (
            f"{self.runs:,} runs with {self.events:,} events and {self.ticks:,} ticks removed: {self.files:,} files, "
            f"{self.file_bytes:,} bytes on disk{database}"
        )


def tidy_history(instance: dg.DagsterInstance, automation: AutomationSettings, now: dt.datetime) -> Removed:
    """Remove runs and ticks that are older than the settings say, and all files of theirs.

    Args:
        instance: Dagster's instance.
        automation: `keep_runs_days` and `keep_ticks_days`.
        now: the time, with its zone.
    """
    folder = Path(instance.storage_directory()).parent
    runs_before = now - dt.timedelta(days=automation.keep_runs_days)
    ticks_before = now - dt.timedelta(days=automation.keep_ticks_days)
    old = old_runs(instance, runs_before)
    events = text_bytes = 0
    for run_id in old:
        found = _events(instance, run_id)
        events, text_bytes = events + found[0], text_bytes + found[1]
        instance.delete_run(run_id)
    ticks = _purge_ticks(instance, ticks_before)
    files = [*_files_of_lost_runs(instance, folder, runs_before, set(old)), *_tick_logs(folder, ticks_before)]
    removed = _unlink(files)
    sharded = isinstance(instance.event_log_storage, SqliteEventLogStorage)
    freed = sum(map(_vacuum, _databases(folder))) if sharded and (old or ticks) else 0
    return Removed(len(old), events, ticks, removed[0], removed[1] + freed, 0 if sharded else text_bytes)


def old_runs(instance: dg.DagsterInstance, before: dt.datetime) -> list[str]:
    """Finished runs that were created before a time, without the last success of each job and batch, oldest last."""
    last: dict[tuple[str, str | None], str] = {}
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])):
        last.setdefault((run.job_name, run.tags.get(PARTITION_NAME_TAG)), run.run_id)
    kept = set(last.values())
    found = instance.get_runs(dg.RunsFilter(created_before=before, statuses=FINISHED))
    return [run.run_id for run in found if run.run_id not in kept]


def _events(instance: dg.DagsterInstance, run_id: str) -> tuple[int, int]:
    """Number of a run's events, and the bytes of their texts."""
    query = sqlalchemy.text("SELECT count(*), coalesce(sum(length(event)), 0) FROM event_logs WHERE run_id = :run")
    with instance.event_log_storage.run_connection(run_id) as connection:  # type: ignore[attr-defined]
        count, size = connection.execute(query, {"run": run_id}).one()
    return int(count), int(size)


def _purge_ticks(instance: dg.DagsterInstance, before: dt.datetime) -> int:
    """Remove old ticks of every sensor and schedule, also of those that exist no more: those Dagster never purges."""
    removed = 0
    for state in instance.all_instigator_state():
        place = (state.instigator_origin_id, state.selector_id)
        found = instance.get_ticks(*place, before=before.timestamp())
        if found:
            instance.purge_ticks(*place, before=before.timestamp())
        removed += len(found)
    return removed


def _files_of_lost_runs(
    instance: dg.DagsterInstance, folder: Path, before: dt.datetime, removed: set[str]
) -> Iterator[Path]:
    """Files of the runs just removed, and of those removed earlier, whose files Dagster has left."""
    for path in (*folder.glob("*"), *folder.glob("storage/*"), *folder.glob("history/runs/*")):
        # A run's database has two files beside it while it is open: ID.db-wal and ID.db-shm.
        run_id = path.name.partition(".db")[0]
        if not _is_id(run_id) or path.is_symlink():
            continue
        if run_id in removed or (_is_older(path, before) and instance.get_run_by_id(run_id) is None):
            yield path


def _tick_logs(folder: Path, before: dt.datetime) -> Iterator[Path]:
    return (path for path in folder.glob(f"{_TICK_LOGS}/*/*") if _is_older(path, before))


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


def _is_older(path: Path, before: dt.datetime) -> bool:
    try:
        return path.lstat().st_mtime < before.timestamp()
    except FileNotFoundError:
        return False


def _unlink(places: Iterable[Path]) -> tuple[int, int]:
    """Remove files and whole folders, never through a link; returns how many files and bytes."""
    files = size = 0
    for place in places:
        inside = sorted(place.rglob("*"), reverse=True) if place.is_dir() and not place.is_symlink() else []
        for path in (*inside, place):
            with suppress(FileNotFoundError):  # somebody else tidies up as well
                found = path.lstat()
                if stat.S_ISDIR(found.st_mode):
                    path.rmdir()
                else:
                    path.unlink()
                    files, size = files + 1, size + found.st_size
    return files, size


def _databases(folder: Path) -> Iterator[Path]:
    for name in ("history/runs.db", "history/runs/index.db", "schedules/schedules.db"):
        if (folder / name).is_file():
            yield folder / name


def _vacuum(path: Path) -> int:
    """Give the space of removed rows back to the disk, unless others use the database; returns the bytes."""
    before = path.stat().st_size
    try:
        with closing(sqlite3.connect(path, timeout=_LOCK_SECONDS, isolation_level=None)) as database:
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError:  # locked, or no room for the copy: the next time will do
        return 0
    return max(0, before - path.stat().st_size)
