"""What the sensors decide, without Dagster."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lake_corpus import ingest, land

from bioscan_etl import automation, state
from bioscan_etl.automation import Attempts, Plan, Request, plan_ingest, plan_release
from bioscan_etl.lake import Lake, failures
from bioscan_etl.lake.failures import Failure
from bioscan_etl.settings import AutomationSettings, Settings

SETTINGS = AutomationSettings(retry_minutes=1, retry_at_most=3, settle_minutes=5)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "out")


def survey(lake):
    return state.survey(lake, Settings())


def fail(lake, name, *, transient):
    key = next(one.key for one in survey(lake) if one.name == name)
    failures.note(lake, Failure(key, "raw_records", "raw_records: why", transient), name)


def test_new_and_stale_batches_are_asked_for_with_their_reason(lake):
    ingest(lake, land(lake, "b1"))
    land(lake, "b1", "processid\nA-2\n")
    land(lake, "b2")
    ingest(lake, land(lake, "b3"))
    plan = plan_ingest(survey(lake), {}, SETTINGS, 0.0)
    assert [(one.batch, one.why) for one in plan.requests] == [
        ("b1", "another delivery has landed"),
        ("b2", "not ingested yet"),
    ]
    assert not plan.failed
    assert not plan.waiting


def test_fifty_broken_batches_hide_no_good_one(lake):
    for number in range(51):
        land(lake, f"broken-{number:02}")
        fail(lake, f"broken-{number:02}", transient=False)
    (lake.landing / "damaged").mkdir()
    (lake.landing / "damaged" / "batch.json").mkdir()
    land(lake, "good")
    plan = plan_ingest(survey(lake), {}, SETTINGS, 0.0)
    assert [one.batch for one in plan.requests] == ["good"]
    assert len(plan.failed) == 52
    assert plan.failed["broken-07"] == "raw_records: why"
    assert "damaged" in plan.failed


def test_what_was_tried_before_comes_after_what_is_new(lake):
    for name in ("a", "b", "c"):
        land(lake, name)
    fail(lake, "a", transient=True)
    past = {"a": Attempts(failed=1, total=1, last_end=0.0)}
    plan = plan_ingest(survey(lake), past, SETTINGS, 1000.0)
    assert [(one.batch, one.attempt) for one in plan.requests] == [("b", 0), ("c", 0), ("a", 1)]
    assert len({one.run_key for one in plan.requests}) == 3


@pytest.mark.parametrize(("failed", "wait"), [(1, 60), (2, 120), (3, 240)])
def test_passing_causes_are_tried_again_after_twice_the_wait(lake, failed, wait):
    land(lake, "b1")
    fail(lake, "b1", transient=True)
    past = {"b1": Attempts(failed=failed, total=failed, last_end=100.0)}
    early = plan_ingest(survey(lake), past, SETTINGS, 100.0 + wait - 1)
    assert not early.requests
    assert f"attempt {failed + 1} in 1 s" in early.waiting["b1"]
    due = plan_ingest(survey(lake), past, SETTINGS, 100.0 + wait)
    assert [one.attempt for one in due.requests] == [failed]


def test_a_killed_run_leaves_no_note_and_is_tried_again(lake):
    land(lake, "b1")
    past = {"b1": Attempts(failed=1, total=1, last_end=0.0)}
    assert "stopped externally" in plan_ingest(survey(lake), past, SETTINGS, 1.0).waiting["b1"]
    assert plan_ingest(survey(lake), past, SETTINGS, 60.0).requests


def test_after_some_attempts_a_person_must_look(lake):
    land(lake, "b1")
    past = {"b1": Attempts(failed=4, total=4, last_end=0.0)}
    plan = plan_ingest(survey(lake), past, SETTINGS, 1e9)
    assert "given up after 4 attempts" in plan.failed["b1"]


def test_what_is_running_is_left(lake):
    land(lake, "b1")
    plan = plan_ingest(survey(lake), {"b1": Attempts(going=True, total=1)}, SETTINGS, 0.0)
    assert (plan.going, plan.requests) == (["b1"], [])


def release(lake, *, plan=None, past=None, now=1e10, settings=SETTINGS):
    found = state.corpus(lake, Settings())
    return plan_release(found, plan or Plan(), past or Attempts(), settings, now, automation.last_change(lake))


def test_a_release_waits_until_the_wave_has_settled(lake):
    ingest(lake, land(lake, "b1"))
    quiet = automation.last_change(lake)
    assert "new batches arrived recently" in release(lake, now=quiet + 299)
    assert release(lake, now=quiet + 301).why == "there is no release yet"


def test_a_release_waits_for_batches_that_are_being_ingested_but_for_no_broken_one(lake):
    ingest(lake, land(lake, "b1"))
    assert "1 batches are being ingested: b2" in release(lake, plan=Plan(going=["b2"]))
    asked = Plan(requests=[Request("b3", "k", 0, "new")])
    assert "b3" in release(lake, plan=asked)
    stuck = Plan(failed={"b4": "broken"}, waiting={"b5": "the network"})
    assert isinstance(release(lake, plan=stuck), Request)


def test_a_release_that_cannot_be_made_says_why(lake):
    assert release(lake) == "no batch is ingested yet"
    ingest(lake, land(lake, "b1"))
    key = state.corpus(lake, Settings()).key
    failures.note(lake, Failure(key, "partitions", "partitions: a barcode is in two", transient=False), corpus=True)
    assert release(lake) == "the release cannot be made: partitions: a barcode is in two"
    failures.note(lake, Failure(key, "partitions", "the disk", transient=True), corpus=True)
    assert "the disk; attempt 2 in" in release(lake, past=Attempts(failed=1, total=1, last_end=1e10))
    assert isinstance(release(lake, past=Attempts(failed=1, total=1, last_end=0.0)), Request)
    assert release(lake, past=Attempts(going=True)) == "a release is being made"


@given(failed=st.integers(1, 30), now=st.floats(0, 1e9))
def test_no_wait_is_negative_and_none_is_shorter_than_the_one_before(failed, now):
    settings = AutomationSettings(retry_at_most=30)
    shorter, longer = (
        automation._wait(Attempts(failed=count, total=count, last_end=0.0), settings, now, "why")
        for count in (failed, failed + 1)
    )
    assert "in -" not in shorter
    assert not (shorter and not longer)
