"""What is wrong according to the lake: failed batches, a failed release, failed checks, damaged markers."""

import pytest
from lake_corpus import ingest, land

from bioscan_etl import state
from bioscan_etl.alerts.conditions import lake_conditions
from bioscan_etl.lake import Lake, failures
from bioscan_etl.lake.current import point
from bioscan_etl.lake.failures import Failure
from bioscan_etl.lake.record import find_record
from bioscan_etl.lake.withdrawals import withdraw
from bioscan_etl.settings import Settings
from bioscan_etl.stages.registry import STAGES


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "out")
    made.root.mkdir()
    return made


def conditions(lake, settings=None):
    settings = settings or Settings()
    return lake_conditions(lake, settings, state.survey(lake, settings))


def key_of(lake, name):
    return next(one.key for one in state.survey(lake, Settings()) if one.name == name)


def test_a_sound_corpus_has_none(lake):
    ingest(lake, land(lake, "b"))
    assert conditions(lake).alerts == []


def test_a_failed_batch_is_one_event_per_work_stage_and_kind_of_failure(lake):
    land(lake, "b")

    def failed(stage, sentence, *, transient=False, key=None):
        failures.note(lake, Failure(key or key_of(lake, "b"), stage, sentence, transient, "d"), "b")
        return [one.id for one in conditions(lake).alerts]

    first = failed("raw_records", "raw_records: no space left, 3 bytes", transient=True)
    assert len(first) == 1
    assert failed("raw_records", "raw_records: no space left, 5 bytes", transient=True) == first
    assert failed("raw_records", "raw_records: no such file") != first
    assert failed("specimen_boxes", "specimen_boxes: no space left", transient=True) != first
    assert failed("raw_records", "of other work", key="other") == []  # its delivery, settings or code have changed
    failures.forget(lake, "b")
    assert conditions(lake).alerts == []


def test_the_text_says_what_why_and_what_happens_next(lake):
    land(lake, "b")
    failures.note(lake, Failure(key_of(lake, "b"), "raw_records", "raw_records: x\n\x1b[2J", False, "d"), "b")
    [one] = conditions(lake).alerts
    assert one.title == "batch b failed at raw_records"
    assert one.lines == (
        "raw_records: x\\n\\x1b[2J", "it waits until its delivery, the settings or code change"
    )  # fmt: skip


def test_a_damaged_marker_is_told_and_hides_no_other_batch(lake):
    land(lake, "b")
    land(lake, "c")
    (lake.landing / "b" / "batch.json").write_text("{")
    failures.note(lake, Failure(key_of(lake, "c"), "raw_records", "raw_records: bad", False, "d"), "c")
    assert [one.title for one in conditions(lake).alerts] == [
        "batch b cannot be ingested",
        "batch c failed at raw_records",
    ]


def test_a_withdrawn_batch_is_nobodys_business(lake):
    land(lake, "b")
    failures.note(lake, Failure(key_of(lake, "b"), "raw_records", "raw_records: bad", False, "d"), "b")
    withdraw(lake, "b", "two plates mixed up", ["b"])
    assert conditions(lake).alerts == []


def test_a_failed_release_is_told(lake):
    failures.note(lake, Failure("k", "partitions", "partitions: failed check X", False), corpus=True)
    [one] = conditions(lake).alerts
    assert (one.kind, one.title) == ("release_failed", "the release failed at partitions")
    failures.forget(lake, corpus=True)
    assert conditions(lake).alerts == []


def test_a_failed_check_of_a_current_batch_is_told_with_its_numbers(lake):
    counts = {"checked_barcodes": {"checked_barcodes": 10, "with_barcode": 2}}
    ingest(lake, land(lake, "b"), **counts)
    [one] = conditions(lake).alerts
    assert one.title == "batch b: check records_have_barcodes of checked_barcodes failed"
    assert one.lines == (
        "required: Most records of the delivery have a barcode.",
        "8 of 10 records have no barcode, checks.min_barcode_share requires 0.5",
        "failing: 8",
    )
    assert [again.id for again in conditions(lake).alerts] == [one.id]


def test_outputs_that_are_missing_leave_their_batch_unread(lake):
    counts = {"checked_barcodes": {"checked_barcodes": 10, "with_barcode": 2}}
    ingest(lake, land(lake, "b"), **counts)
    (find_record(lake, "b").output(lake, "checked_barcodes").folder / "manifest.json").unlink()
    found = conditions(lake)
    assert found.unread == {"batch b"}
    assert "batch b is missing from the lake" in found.problems[0]


def test_a_failed_check_of_the_corpus_is_told_while_it_fails(lake):
    stage = STAGES["decisions"]

    def make(fingerprint, *, passed):
        with lake.writing(stage.name, fingerprint, made_from={}) as draft:
            draft.findings.append(
                stage.finding("decisions_readable", passed=passed, count=1, samples=("NOBODY-24",), detail="line 2")
            )
        point(lake, stage.name, fingerprint)

    make("a" * 64, passed=False)
    [one] = conditions(lake).alerts
    assert one.title == "the corpus: check decisions_readable of decisions failed"
    assert one.lines[-1] == "failing: 1, such as NOBODY-24"
    make("b" * 64, passed=False)
    assert [again.id for again in conditions(lake).alerts] == [one.id]
    make("c" * 64, passed=True)
    assert conditions(lake).alerts == []
