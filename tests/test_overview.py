"""The overview of a corpus, on batches of a few bytes."""

import pytest
from lake_corpus import ingest, land

from bioscan_etl.errors import SourceError
from bioscan_etl.lake import Lake
from bioscan_etl.overview import NextRun, ReleaseOverview, set_withdrawn, survey_corpus
from bioscan_etl.settings import Settings


def test_every_batch_and_release_is_listed(tmp_path):
    lake = Lake(tmp_path)
    ingest(lake, land(lake, "b1"))
    land(lake, "b2")
    land(lake, "b3")
    (lake.landing / "b3" / "batch.json").write_text("")
    (lake.releases / "v1").mkdir(parents=True)
    found = survey_corpus(lake, Settings())
    assert [(one.batch, one.status, one.records, one.images) for one in found.batches] == [
        ("b1", "current", 1, 1),
        ("b2", "landed", None, None),
        ("b3", "damaged", None, None),
    ]
    assert found.batches[1].why == found.batches[1].reasons == ("not ingested yet",)
    assert found.batches[2].why == (found.batches[2].problem,)
    assert found.batches[0].delivery == found.batches[0].current_delivery
    problem = "its manifest cannot be read (FileNotFoundError)"
    assert found.releases == (ReleaseOverview("v1", False, problem=problem),)
    assert found.next_run.to_ingest == ("b2",)
    assert found.next_run.has_work


def test_a_run_with_nothing_to_do_has_no_work():
    assert not NextRun("v1", (), (), "", "").has_work
    assert not NextRun(None, (), ("no release is made yet",), "no batch is ingested yet", "").has_work
    assert NextRun("v1", (), ("batch b1 came in",), "", "").has_work


def test_a_withdrawal_counts_and_is_undone(tmp_path):
    lake = Lake(tmp_path)
    ingest(lake, land(lake, "b1"))
    done = set_withdrawn(lake, Settings(), "b1", "two plates were mixed up")
    assert (done.withdrawn, done.reason, done.problem) == (True, "two plates were mixed up", "")
    assert survey_corpus(lake, Settings()).batches[0].why == ("two plates were mixed up",)
    with pytest.raises(SourceError, match="withdrawn already"):
        set_withdrawn(lake, Settings(), "b1", "again")
    assert not set_withdrawn(lake, Settings(), "b1", None).withdrawn
    with pytest.raises(SourceError, match="is not withdrawn"):
        set_withdrawn(lake, Settings(), "b1", None)
