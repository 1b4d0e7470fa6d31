"""What is removed from the lake, and what is kept."""

import pytest
from lake_corpus import ingest, land, tree

from bioscan_etl import state
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import current, point
from bioscan_etl.lake.record import find_record
from bioscan_etl.settings import Settings
from bioscan_etl.stages.commit import last_release, note_mirrored, note_release, tidy
from bioscan_etl.stages.situation import Situation


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "out")


def corpus_output(lake, fingerprint):
    with lake.writing("specimens", fingerprint, made_from={}) as draft:
        (draft.folder / "file").write_text(fingerprint)


def test_tidying_removes_what_nothing_refers_to_and_nothing_else(lake):
    record = ingest(lake, land(lake, "b1"))
    corpus_output(lake, "1" * 64)
    corpus_output(lake, "2" * 64)
    point(lake, "specimens", "2" * 64)
    with lake.writing("raw_records", "3" * 64, "b1", made_from={}) as draft:
        (draft.folder / "file").write_text("of a delivery that failed")
    (lake.home / "outputs" / "promoted_detector" / "mine" / "0123").mkdir(parents=True)
    assert tidy(lake) == 2
    assert current(lake, "specimens").fingerprint == "2" * 64
    assert lake.find("specimens", "1" * 64) is None
    assert all(record.output(lake, stage).is_whole for stage in record.stages)
    assert (lake.home / "outputs" / "promoted_detector" / "mine" / "0123").is_dir()
    before = tree(lake.home)
    assert tidy(lake) == 0
    assert tree(lake.home) == before


def test_tidying_keeps_what_a_pin_names(lake):
    first = ingest(lake, land(lake, "b1"))
    state.pin_now(lake, Settings())
    ingest(lake, land(lake, "b1", "processid\nA-2\n"))
    tidy(lake)
    assert first.output(lake, "raw_records").is_whole
    assert find_record(lake, "b1") != first


def test_a_release_that_is_not_mirrored_yet_is_due(lake):
    ingest(lake, land(lake, "b1"))
    settings = Settings.model_validate({"release": {"publish_to": "s3://bucket/sets"}})
    note_release(Situation(lake, settings, pin=state.pin_now(lake, settings)), "v1")
    (lake.releases / "v1").mkdir(parents=True)
    (lake.releases / "latest").symlink_to("v1")
    assert state.corpus(lake, settings).reasons == ("release v1 is not mirrored to s3://bucket/sets yet",)
    note_mirrored(lake, "s3://bucket/sets")
    assert state.corpus(lake, settings).reasons == ()
    assert state.corpus(lake, Settings()).reasons == ()
    assert last_release(lake)["version"] == "v1"
