"""Old runs are removed with their events, files and logs, and nothing else is: with SQLite and with PostgreSQL."""

import datetime as dt
import os
import sqlite3
from contextlib import closing

import dagster as dg
import pytest
from dagster._core.storage.tags import PARTITION_NAME_TAG
from postgres_server import postgres

from bioscan_etl.sensors import history
from bioscan_etl.sensors.history import Removed, tidy_history
from bioscan_etl.settings import AutomationSettings
from bioscan_etl.ui import plan

AUTOMATION = AutomationSettings(keep_runs_days=10, keep_ticks_days=10)
KEPT = dt.timedelta(days=10)


@dg.op
def say(context):
    print(context.run.tags.get("say", "nothing"))  # noqa: T201
    if "fail" in context.run.tags:
        raise dg.Failure("asked to fail")


@dg.job(executor_def=dg.in_process_executor)
def ingest_batch():
    say()


@dg.job(executor_def=dg.in_process_executor)
def curate_and_release():
    say()


@pytest.fixture(scope="module")
def server():
    with postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgres"])
def instance(request, tmp_path, monkeypatch):
    """An instance as the UI configures it."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("BIOSCAN_DAGSTER_STORAGE", str(tmp_path))
    address = ""
    if request.param == "postgres":
        server = request.getfixturevalue("server")
        monkeypatch.setenv("PGPASSFILE", str(server.password_file(tmp_path)))
        address = server.database(f"history_{request.node.name.partition('[')[0][:40]}")
    (tmp_path / "dagster.yaml").write_text(plan.instance(AutomationSettings(database=address)))
    with dg.DagsterInstance.from_config(str(tmp_path)) as made:
        yield made


def execute(instance, job, batch=None, **tags):
    tags |= {PARTITION_NAME_TAG: batch} if batch else {}
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False, run_config=quiet).run_id


def files_of(folder, run_id):
    return [path for path in folder.rglob("*") if run_id in str(path) and path.is_file()]


def events_of(instance, run_id):
    return len(instance.get_records_for_run(run_id).records)


def test_old_runs_go_with_all_that_is_theirs_and_the_last_success_of_each_batch_stays(instance, tmp_path):
    sharded = (tmp_path / "history").exists()
    old = [
        execute(instance, ingest_batch, "plate-1", say="first"),
        execute(instance, ingest_batch, "plate-2", fail="yes"),
        execute(instance, curate_and_release),
        execute(instance, curate_and_release, fail="yes"),
    ]
    last = [execute(instance, ingest_batch, "plate-1"), execute(instance, ingest_batch, "plate-2")]
    then = dt.datetime.now(dt.UTC)
    recent = [execute(instance, curate_and_release), execute(instance, ingest_batch, "plate-1", fail="yes")]
    events = sum(events_of(instance, run) for run in old)
    files = [path for run in old for path in files_of(tmp_path, run)]
    size = sum(path.stat().st_size for path in files)
    assert any("first" in path.read_text(errors="replace") for path in files if path.suffix == ".out")
    assert events > 30

    removed = tidy_history(instance, AUTOMATION, then + KEPT)
    assert removed.runs == 4
    assert removed.events == events
    assert removed.files == len(files)
    assert removed.file_bytes >= size
    assert (removed.database_bytes > 100 * events) is not sharded
    assert {run.run_id for run in instance.get_runs()} == {*last, *recent}
    for run in old:
        assert files_of(tmp_path, run) == []
        assert instance.get_run_by_id(run) is None
    for run in (*last, *recent):
        assert events_of(instance, run) > 5
        assert any(path.suffix == ".out" for path in files_of(tmp_path, run))
    assert str(removed).startswith(f"4 runs with {events} events and 0 ticks removed: {len(files)} files, ")
    assert tidy_history(instance, AUTOMATION, then + KEPT) == Removed()


def test_a_run_that_goes_on_is_kept_whatever_its_age(instance, tmp_path):
    run = instance.create_run_for_job(ingest_batch, status=dg.DagsterRunStatus.STARTED)
    assert tidy_history(instance, AUTOMATION, dt.datetime.now(dt.UTC) + 2 * KEPT).runs == 0
    assert instance.get_run_by_id(run.run_id)


def test_files_that_earlier_clean_ups_left_go_and_what_is_no_runs_stays(instance, tmp_path):
    lost, known = "0b0cb0a5-6a3b-4e0c-9c64-4f1d6f0e6f11", execute(instance, ingest_batch)
    outside = tmp_path.with_name(f"{tmp_path.name}-outside")
    outside.mkdir()
    (outside / "keep").write_text("keep")
    shards = tmp_path / "history" / "runs"
    places = [tmp_path / lost / "compute_logs" / "a.out", tmp_path / "storage" / lost / "files" / "b",
              shards / f"{lost}.db", shards / f"{lost}.db-wal"]  # fmt: skip
    ticks = [tmp_path / "__repository__" / "new_batches" / name for name in ("1.err", "1.complete", "2.err")]
    stay = [tmp_path / "logs" / "daemon.log", tmp_path / "children.json", tmp_path / "not-a-run" / "c",
            tmp_path / lost.upper() / "d", shards / ".db"]  # fmt: skip
    for path in (*places, *ticks, *stay):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 10)
    (tmp_path / "11111111-1111-4111-8111-111111111111").symlink_to(outside)
    (tmp_path / lost / "link").symlink_to(outside)
    aged = (dt.datetime.now(dt.UTC) - 2 * KEPT).timestamp()
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        if path != ticks[2] and not path.is_symlink() and "history/runs/index" not in str(path):
            os.utime(path, (aged, aged))

    removed = tidy_history(instance, AUTOMATION, dt.datetime.now(dt.UTC))
    assert (removed.runs, removed.files) == (0, 4 + 1 + 2)
    assert not any(path.exists() for path in (*places, *ticks[:2]))
    assert ticks[2].exists()
    assert all(path.exists() for path in stay)
    assert (outside / "keep").read_text() == "keep"
    assert files_of(tmp_path, known)


def test_the_space_of_sqlite_is_given_back_unless_others_write(tmp_path, monkeypatch):
    monkeypatch.setenv("BIOSCAN_DAGSTER_STORAGE", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text(plan.instance(AutomationSettings()))
    monkeypatch.setattr(history, "_LOCK_SECONDS", 0.1)
    runs = tmp_path / "history" / "runs.db"
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        for _ in range(5):
            execute(instance, ingest_batch, padding="x" * 100_000, fail="yes")
        before = runs.stat().st_size
        assert tidy_history(instance, AUTOMATION, dt.datetime.now(dt.UTC) + KEPT).runs == 5
        assert runs.stat().st_size < before / 2
    with closing(sqlite3.connect(runs, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert history._vacuum(runs) == 0
