"""Dagster's event log with kept engines holds what Dagster's own holds."""

import subprocess
import sys
import threading

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from bioscan_etl.definitions import event_log


@dg.asset
def one():
    return dg.MaterializeResult(metadata={"rows": 3})


def materialised(folder):
    """The kinds of the events of a run, in order, and the metadata of the asset."""
    with dg.DagsterInstance.from_config(str(folder), "run.yaml") as instance:
        run = dg.materialize([one], instance=instance)
        events = [entry.dagster_event_type.value for entry in instance.all_logs(run.run_id) if entry.is_dagster_event]
        latest = instance.get_latest_materialization_event(one.key)
        return events, dict(latest.asset_materialization.metadata)


@pytest.fixture
def home(tmp_path):
    def of(name):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "run.yaml").write_text(f"storage:\n  sqlite:\n    base_dir: {folder}\ntelemetry:\n  enabled: false\n")
        return folder

    return of


def test_the_events_are_those_that_dagster_stores_with_a_few_engines(home, monkeypatch):
    made = []
    create = event_log.create_engine
    monkeypatch.setattr(event_log, "create_engine", lambda *args, **more: made.append(args) or create(*args, **more))
    event_log._engine.cache_clear()
    event_log.keep_engines()
    kept = materialised(home("kept"))
    assert len(made) == 2  # the index, and the run

    @event_log.contextmanager
    def plain(self, shard):
        """As Dagster does it: an engine for each connection."""
        with self._db_lock:
            engine = sqlite_event_log.create_engine(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection
            engine.dispose()

    monkeypatch.setattr(SqliteEventLogStorage, "_connect", plain)
    assert materialised(home("plain")) == kept
    assert "ASSET_MATERIALIZATION" in kept[0]
    assert kept[1]["rows"].value == 3


def test_what_is_stored_is_read_by_another_process_and_a_deleted_log_is_made_again(home):
    event_log.keep_engines()
    folder = home("kept")
    with dg.DagsterInstance.from_config(str(folder), "run.yaml") as instance:
        run = dg.materialize([one], instance=instance)
        count = len(instance.all_logs(run.run_id))
    event_log._engine.cache_clear()  # as in a process that begins
    with dg.DagsterInstance.from_config(str(folder), "run.yaml") as instance:
        assert len(instance.all_logs(run.run_id)) == count > 5
        instance.delete_run(run.run_id)
        assert instance.all_logs(run.run_id) == []
        assert dg.materialize([one], instance=instance).success


def test_a_thread_that_reads_does_not_disturb_a_run(home):
    event_log.keep_engines()
    with dg.DagsterInstance.from_config(str(home("kept")), "run.yaml") as instance:
        first = dg.materialize([one], instance=instance)
        done, read = threading.Event(), []

        def follow():
            while not done.is_set():
                read.append(len(instance.all_logs(first.run_id)))

        reader = threading.Thread(target=follow)
        reader.start()
        assert dg.materialize([one], instance=instance).success
        done.set()
        reader.join(30)
        assert not reader.is_alive()
        assert len(set(read)) == 1


def test_the_definitions_keep_them():
    command = (
        "import bioscan_etl.definitions as d; from dagster._core.storage.event_log import SqliteEventLogStorage as s; "
        "from bioscan_etl.definitions import event_log; assert s._connect is event_log._connect"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", command], check=True)
