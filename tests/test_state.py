"""The state of batches and corpus: what is current, what is stale and why, and what may be released."""

import json

import pytest
from lake_corpus import ingest, land, tree

from bioscan_etl import state
from bioscan_etl.errors import LakeError
from bioscan_etl.lake import Lake, failures, pins, withdrawals
from bioscan_etl.lake.failures import Failure
from bioscan_etl.lake.record import find_record
from bioscan_etl.settings import Settings


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "out")


def of(lake, name, settings=None):
    return next(one for one in state.survey(lake, settings or Settings()) if one.name == name)


def changed(**sections):
    return Settings.model_validate(sections)


def test_a_batch_lands_is_ingested_and_lands_again(lake):
    first = land(lake, "b1")
    assert (of(lake, "b1").status, of(lake, "b1").reasons) == ("landed", ("not ingested yet",))
    ingest(lake, first)
    assert of(lake, "b1").status == "current"
    land(lake, "b1", "processid\nA-2\n")
    assert (of(lake, "b1").status, of(lake, "b1").reasons) == ("stale", ("another delivery has landed",))


def test_a_changed_setting_of_a_batch_is_named_and_others_change_nothing(lake):
    ingest(lake, land(lake, "b1"))
    assert of(lake, "b1", changed(images={"crop_margin": 1.0})).reasons == ("setting images.crop_margin: 0.4 -> 1.0",)
    for other in ({"gates": {"require_bin": True}}, {"splits": {"protocol": "stable"}}, {"automation": {"inbox": "x"}}):
        assert of(lake, "b1", changed(**other)).is_current
    for none in ({"images": {"workers": 3, "shard_images": 7}}, {"records": {"chunk_bytes": 1 << 20}}):
        assert of(lake, "b1", changed(**none)).is_current


def test_changed_code_data_and_libraries_are_named():
    before = {"version": "3", "libraries": {"polars": "2.1.0"}, "data": {"geography/borders.parquet": "a"}}
    after = {"version": "4", "libraries": {"polars": "2.2.0"}, "data": {"geography/borders.parquet": "b"}}
    assert state.code_changes("checked_geography", before, after) == [
        "geography/borders.parquet changed (checked_geography)",
        "polars 2.1.0 -> 2.2.0 changed (checked_geography)",
        "code of checked_geography: 3 -> 4",
    ]
    assert state.code_changes("x", before, before) == []


def test_another_code_makes_a_batch_stale(lake):
    ingest(lake, land(lake, "b1"))
    path = lake.home / "batches" / "b1.json"
    record = json.loads(path.read_text())
    record["stages"]["specimen_boxes"]["code"]["version"] = "0"
    path.write_text(json.dumps(record))
    assert "code of specimen_boxes: 0 -> " in of(lake, "b1").reasons[0]
    with pytest.raises(LakeError, match="batches are not current: b1"):
        state.pin_now(lake, Settings())


def test_missing_files_make_a_batch_stale(lake):
    record = ingest(lake, land(lake, "b1"))
    record.output(lake, "checked_geography").path("checked_geography.parquet").unlink()
    assert of(lake, "b1").reasons == ("files of checked_geography are missing from the lake",)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"name": "b2"}', '{"version": 99}', "folder", "\xff"])
def test_a_damaged_marker_is_named_and_hides_nothing(lake, damage):
    ingest(lake, land(lake, "b1"))
    ingest(lake, land(lake, "b2"))
    marker = lake.landing / "b1" / "batch.json"
    marker.unlink()
    if damage == "folder":
        marker.mkdir()
    else:
        marker.write_bytes(damage.encode("latin-1"))
    land(lake, "b3")
    assert [(one.name, one.status) for one in state.survey(lake, Settings())] == [
        ("b1", "damaged"),
        ("b2", "current"),
        ("b3", "landed"),
    ]
    assert "b1" in of(lake, "b1").problem
    # What was ingested before stays in the release, and a line says so.
    pin = state.pin_now(lake, Settings())
    assert set(pin.records) == {"b1", "b2"}
    assert "this release contains the previous delivery" in pin.notes["b1"]
    assert pin.notes["b3"] == "not in this release: landed, not ingested yet"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 9}', '{"format": 2}', "folder"])
def test_a_damaged_record_is_made_anew(lake, damage):
    batch = land(lake, "b1")
    ingest(lake, batch)
    path = lake.home / "batches" / "b1.json"
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        path.write_text(damage)
    found = of(lake, "b1")
    assert found.wants_work
    assert "damaged" in found.reasons[0]
    if damage != "folder":
        ingest(lake, batch)
        assert of(lake, "b1").is_current


def fail(lake, name, *, transient=False, settings=None, sentence="raw_records: no table in it"):
    wanted = of(lake, name, settings)
    failures.note(lake, Failure(wanted.key, "raw_records", sentence, transient), name)


def test_a_failure_counts_for_what_failed_and_nothing_else(lake):
    land(lake, "b1")
    fail(lake, "b1")
    assert (of(lake, "b1").status, of(lake, "b1").failure.sentence) == ("failed", "raw_records: no table in it")
    assert of(lake, "b1", changed(records={"marker": "ITS"})).status == "landed"
    land(lake, "b1", "processid\nA-2\n")
    assert of(lake, "b1").status == "landed"


def test_a_failed_delivery_changes_the_next_release_by_a_line(lake):
    ingest(lake, land(lake, "b1"))
    before = find_record(lake, "b1")
    land(lake, "b1", "broken")
    fail(lake, "b1")
    pin = state.pin_now(lake, Settings())
    assert pin.records["b1"] == before
    assert pin.notes["b1"].endswith("raw_records: no table in it")
    assert before.delivery[:12] in pin.notes["b1"]


def test_no_release_is_made_of_batches_of_other_settings(lake):
    ingest(lake, land(lake, "b1"))
    ingest(lake, land(lake, "b2"))
    wider = changed(images={"crop_margin": 1.0})
    with pytest.raises(LakeError, match=r"2 batches are not current: .*images.crop_margin: 0.4 -> 1.0"):
        state.pin_now(lake, wider)
    ingest(lake, of(lake, "b1").delivery, wider)
    # A broken delivery cannot be made with the new settings: what is there may not be released as if it were.
    land(lake, "b2", "broken")
    fail(lake, "b2", settings=wider)
    with pytest.raises(LakeError, match=r"1 batches are not .* b2 .*no table in it.*withdraw"):
        state.pin_now(lake, wider)
    withdrawals.withdraw(lake, "b2", "never came right", ["b1", "b2"])
    pin = state.pin_now(lake, wider)
    assert (set(pin.records), pin.withdrawn) == ({"b1"}, {"b2": "never came right"})


def published(lake, *batches):
    """A release that says it was made of some batches."""
    head = {"format": "bioscan-release", "provenance": {"batches": {name: {} for name in batches}}}
    folder = lake.releases / "v1"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(head, indent=1).removesuffix("\n}") + ',\n "files": [\n ]\n}\n')


def test_a_batch_of_the_last_release_is_not_lost_in_silence(lake):
    ingest(lake, land(lake, "b1"))
    published(lake, "b1", "b2")
    with pytest.raises(
        LakeError, match=r"release v1 contains batches that the next one would lose: b2 \(it is missing\)"
    ):
        state.pin_now(lake, Settings())
    land(lake, "b2", "broken")
    fail(lake, "b2")
    with pytest.raises(LakeError, match="b2"):
        state.pin_now(lake, Settings())
    withdrawals.withdraw(lake, "b2", "its owner wants it back", ["b1", "b2"])
    assert set(state.pin_now(lake, Settings()).records) == {"b1"}
    withdrawals.restore(lake, "b2")
    with pytest.raises(LakeError, match="b2"):
        state.pin_now(lake, Settings())


def test_a_release_of_format_1_names_its_batches_by_its_inputs(lake):
    ingest(lake, land(lake, "b1"))
    published(lake)
    path = lake.releases / "v1" / "manifest.json"
    path.write_text(path.read_text().replace('"provenance": {', '"inputs": [{"batch": "b9"}], "other": {'))
    with pytest.raises(LakeError, match="b9"):
        state.pin_now(lake, Settings())


def test_nothing_to_release_is_said_with_the_reason(lake):
    with pytest.raises(LakeError, match="no batch is ingested yet"):
        state.pin_now(lake, Settings())
    land(lake, "b1")
    fail(lake, "b1")
    with pytest.raises(LakeError, match="batch b1: not in this release: raw_records: no table in it"):
        state.pin_now(lake, Settings())


def test_a_pin_holds_on_to_what_it_names(lake):
    first = ingest(lake, land(lake, "b1"))
    pin = state.pin_now(lake, Settings())
    ingest(lake, land(lake, "b1", "processid\nA-2\n"))
    assert find_record(lake, "b1") != first
    assert pins.load_pin(lake, pin.digest).records["b1"].output(lake, "raw_records").is_whole
    # Once a release is made of a later pin, nothing needs the earlier outputs.
    later = state.pin_now(lake, Settings())
    pins.drop_older_pins(lake, later)
    ingest(lake, land(lake, "b1", "processid\nA-3\n"))
    with pytest.raises(LakeError, match="missing from the lake"):
        first.output(lake, "raw_records")


def test_a_pin_that_is_unknown_or_damaged_is_refused(lake):
    ingest(lake, land(lake, "b1"))
    pin = state.pin_now(lake, Settings())
    with pytest.raises(LakeError, match="is not a digest"):
        pins.load_pin(lake, "../../etc/passwd")
    with pytest.raises(LakeError, match="does not exist; start the run without one"):
        pins.load_pin(lake, "0" * 64)
    path = lake.home / "pins" / f"{pin.digest}.json"
    path.write_text(path.read_text().replace(pin.records["b1"].delivery, "0" * 64))
    with pytest.raises(LakeError, match="does not match its digest"):
        pins.load_pin(lake, pin.digest)


def test_a_survey_changes_nothing(lake):
    ingest(lake, land(lake, "b1"))
    land(lake, "b2")
    before = tree(lake.root)
    state.survey(lake, Settings())
    state.corpus(lake, Settings())
    assert tree(lake.root) == before


def test_withdrawals_are_recorded_with_their_history(lake):
    from bioscan_etl.errors import SourceError

    withdrawals.withdraw(lake, "b1", "  two\nplates mixed up ", ["b1"])
    assert withdrawals.withdrawn(lake) == {"b1": "two plates mixed up"}
    with pytest.raises(SourceError, match="withdrawn already"):
        withdrawals.withdraw(lake, "b1", "again", ["b1"])
    withdrawals.restore(lake, "b1")
    assert withdrawals.withdrawn(lake) == {}
    events = json.loads((lake.root / "withdrawn" / "b1.json").read_text())["events"]
    assert [one["action"] for one in events] == ["withdraw", "restore"]
    for wrong in (lambda: withdrawals.restore(lake, "b1"), lambda: withdrawals.withdraw(lake, "../x", "r", ["b1"]),
                  lambda: withdrawals.withdraw(lake, "b1", " ", ["b1"])):  # fmt: skip
        with pytest.raises(SourceError):
            wrong()


@pytest.mark.parametrize("damage", ["{", "[]", '{"events": 1}', '{"events": [{}]}'])
def test_a_damaged_withdrawal_stops_releases_and_no_ingestion(lake, damage):
    ingest(lake, land(lake, "b1"))
    land(lake, "b2")
    (lake.root / "withdrawn").mkdir()
    (lake.root / "withdrawn" / "b1.json").write_text(damage)
    assert of(lake, "b2").wants_work
    with pytest.raises(LakeError, match=r"the withdrawals cannot be read: .*b1.json.* damaged"):
        state.pin_now(lake, Settings())


def test_a_blocking_check_keeps_a_batch_out_and_others_go_into_its_record(lake):
    batch = land(lake, "b1")
    bad = {"rows_read": 10, "records": 1, "set_aside": {}, "rejected": {"field_count": 9}}
    assert ingest(lake, batch, raw_records=bad) is None
    assert of(lake, "b1").status == "landed"
    other = land(lake, "b2")
    record = ingest(lake, other, specimen_boxes={"images": 10, "unreadable": 9, "detected": 1})
    assert record.stages["specimen_boxes"].failed_checks == ("images_readable",)
    assert of(lake, "b2").is_current
    # Another threshold is another look, not another extraction.
    lenient = changed(checks={"max_rejected_share": 0.95})
    outputs = tree(lake.home / "outputs")
    assert ingest(lake, batch, lenient) is not None
    assert tree(lake.home / "outputs") == outputs


def test_lost_rows_are_found_in_the_counts(lake):
    lost = {"rows_read": 3, "records": 1, "set_aside": {}, "rejected": {}}
    assert ingest(lake, land(lake, "b1"), raw_records=lost) is None
