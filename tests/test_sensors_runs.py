"""Runs that failed last, from a real Dagster instance with real runs."""

import datetime as dt

import dagster as dg
import pytest

from bioscan_etl.alerts import Work
from bioscan_etl.sensors.runs import cause_of, last_failures

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
PARTITIONS = dg.DynamicPartitionsDefinition(name="specimen_batches")


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as running:
        yield running


def run(instance, outcome="ok", batch=None, job="tidy_up"):
    @dg.op
    def work():
        if outcome == "reason":
            raise dg.Failure("no space\n\x1b[2Jleft", allow_retries=False)
        if outcome == "cause":
            try:
                raise OSError("first line\nsecond")
            except OSError as error:
                raise RuntimeError("wrapped") from error

    @dg.job(name=job, partitions_def=PARTITIONS if batch else None)
    def made():
        work()

    if batch:
        instance.add_dynamic_partitions("specimen_batches", [batch])
    return made.execute_in_process(instance=instance, raise_on_error=False, partition_key=batch)


def failed(instance, since=LONG_AGO):
    return last_failures(instance, "curate_and_release", since)


def test_none_failed(instance):
    run(instance)
    assert failed(instance) == ([], [])


@pytest.mark.slow
def test_the_last_run_of_each_work_counts(instance):
    run(instance, "reason")
    second = run(instance, "reason")
    run(instance, "reason", batch="b1")
    run(instance, "reason", batch="b2")
    run(instance, batch="b2")
    run(instance, "cause", job="curate_and_release")
    found, undecided = failed(instance)
    assert undecided == []
    assert {one.work: one.cause for one in found} == {
        Work("tidy_up"): "work: no space\\n\\x1b[2Jleft",
        Work("tidy_up", "b1"): "work: no space\\n\\x1b[2Jleft",
        Work("curate_and_release", makes_release=True): "work: OSError: first line",
    }
    assert second.run_id in {one.run_id for one in found}


def test_a_failure_that_a_later_run_repaired_is_none(instance):
    run(instance, "reason")
    run(instance)
    assert failed(instance) == ([], [])


def test_work_that_is_under_way_again_is_undecided(instance):
    run(instance, "reason")
    instance.add_run(dg.DagsterRun(job_name="tidy_up", status=dg.DagsterRunStatus.STARTED))
    assert failed(instance) == ([], [Work("tidy_up")])


def test_what_a_person_ended_is_no_failure(instance):
    run(instance, "reason")
    instance.add_run(dg.DagsterRun(job_name="tidy_up", status=dg.DagsterRunStatus.CANCELED))
    assert failed(instance) == ([], [])


def test_older_failures_are_left_out(instance):
    run(instance, "reason")
    assert failed(instance, dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)) == ([], [])


def test_a_killed_run_has_the_reason_that_the_ui_gave_it(instance):
    killed = dg.DagsterRun(job_name="tidy_up", status=dg.DagsterRunStatus.STARTED)
    instance.add_run(killed)
    instance.report_run_failed(killed, "The run's process has died: it was killed, or the machine crashed.")
    assert cause_of(instance, killed.run_id) == "The run's process has died: it was killed, or the machine crashed."
    [one], _ = failed(instance)
    assert one.run_id == killed.run_id


def test_a_run_without_events_has_no_known_reason(instance):
    silent = dg.DagsterRun(job_name="tidy_up", status=dg.DagsterRunStatus.FAILURE)
    instance.add_run(silent)
    assert cause_of(instance, silent.run_id) == "no reason is known"


def chosen(instance, status, *assets, batch=None):
    """A run of assets that a person chose in the UI."""
    tags = {"dagster/partition": batch} if batch else {}
    selection = frozenset(dg.AssetKey(one) for one in assets)
    run = dg.DagsterRun(job_name="__ASSET_JOB", status=status, tags=tags, asset_selection=selection)
    instance.add_run(run)


def test_assets_that_a_person_chose_are_work_on_their_batch_or_the_release(instance):
    failure, success = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS
    chosen(instance, failure, "raw_records", batch="b1")
    chosen(instance, failure, "specimens", "partitions")
    chosen(instance, failure, "tuned_detector")
    found, _ = failed(instance)
    assert {one.work.subject for one in found} == {"batch b1", "the release", "job __ASSET_JOB"}
    # Another job repairs them.
    instance.add_run(dg.DagsterRun(job_name="ingest_batch", status=success, tags={"dagster/partition": "b1"}))
    instance.add_run(dg.DagsterRun(job_name="curate_and_release", status=success))
    found, _ = failed(instance)
    assert [one.work.subject for one in found] == ["job __ASSET_JOB"]
