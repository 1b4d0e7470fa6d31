"""Failed runs: those that the lake explains are one alert, not two."""

from bioscan_etl.alerts.conditions import Conditions
from bioscan_etl.alerts.event import alert
from bioscan_etl.alerts.failed_runs import FailedRun, Work, add_failed_runs

TIDY = Work("tidy_up")
BATCH = Work("ingest_batch", "plate-7")
RELEASE = Work("curate_and_release", makes_release=True)


def told(*runs, alerts=(), undecided=(), sound=()):
    found = Conditions(alerts=list(alerts))
    add_failed_runs(found, runs, undecided, sound)
    return found


def test_a_run_that_leaves_no_note_is_told():
    [one] = told(FailedRun(TIDY, "run-1", "tidy_lake: disk full")).alerts
    assert (one.kind, one.subject, one.title) == ("run_failed", "job tidy_up", "tidy_up failed")
    assert one.lines == ("tidy_lake: disk full", "run run-1 in the UI has the details")
    [one] = told(FailedRun(BATCH, "run-2", "killed")).alerts
    assert (one.subject, one.title) == ("batch plate-7", "ingest_batch failed for batch plate-7")


def test_the_same_cause_in_another_run_is_the_same_event():
    [one] = told(FailedRun(TIDY, "run-1", "no space for 512 bytes in /tmp/3f2504e0a1")).alerts
    [same] = told(FailedRun(TIDY, "run-2", "no space for 4096 bytes in /tmp/77ab12cd99")).alerts
    [other] = told(FailedRun(TIDY, "run-3", "no permission")).alerts
    assert one.id == same.id != other.id


def test_what_the_lake_explains_is_not_told_twice():
    batch = alert("batch_failed", "batch plate-7", (), "batch plate-7 failed at raw_records")
    release = alert("release_failed", "the release", (), "the release failed")
    runs = [FailedRun(BATCH, "1", "raw_records: bad"), FailedRun(RELEASE, "2", "partitions: bad")]
    assert told(*runs, alerts=[batch, release]).alerts == [batch, release]
    # A failed check explains no failed run: the batch with such a check is in the corpus.
    check = alert("check_failed", "batch plate-7", (), "a check failed")
    assert len(told(runs[0], alerts=[check]).alerts) == 2


def test_work_under_way_is_not_over():
    assert told(undecided=[BATCH, TIDY, RELEASE]).unread == {"batch plate-7", "job tidy_up", "the release"}


def test_a_failed_run_on_what_is_sound_is_nobodys_business():
    run = FailedRun(BATCH, "1", "killed")
    assert told(run, sound={"batch plate-7"}).alerts == []
    assert len(told(run, sound={"batch plate-8"}).alerts) == 1


def test_assets_that_a_person_chose_are_named_so():
    [one] = told(FailedRun(Work("__ASSET_JOB", "plate-7"), "1", "killed")).alerts
    assert one.title == "the run of chosen assets failed for batch plate-7"
