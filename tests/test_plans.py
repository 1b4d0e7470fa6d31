"""What a run would do, on batches of a few bytes; `tests/test_cli_operate.py` holds it against runs."""

from lake_corpus import ingest, land, tree

from bioscan_etl.lake import Lake
from bioscan_etl.plans import PlannedLanding, PlannedRelease, make_plan, unlanded
from bioscan_etl.settings import Settings


def test_an_empty_corpus_is_blocked(tmp_path):
    plan = make_plan(Lake(tmp_path / "out"), Settings(), {})
    assert plan.release == PlannedRelease(False, (), "no batch is ingested yet")
    assert (plan.settings_changed, plan.land, plan.ingest, plan.last_release) == (None, {}, {}, None)
    assert not (tmp_path / "out").exists()


def test_batches_are_ingested_first_and_nothing_changes(tmp_path):
    lake = Lake(tmp_path)
    ingest(lake, land(lake, "b1"))
    land(lake, "b2")
    (tmp_path / "new.toml").write_text("[gates]\nrequire_image = false\n")
    before = tree(tmp_path)
    plan = make_plan(lake, Settings(), {"b3": ["x.tsv"]}, ["photos"], tmp_path / "new.toml")
    assert plan.settings_changed == ("gates.require_image: True -> False",)
    assert plan.land == {"b3": PlannedLanding(("x.tsv",), ("photos",))}
    assert list(plan.ingest) == ["b2", "b3"]
    assert plan.ingest["b2"] == ("not ingested yet",)
    assert plan.release.made is None
    assert plan.release.reasons[-1] == "b2, b3 would be ingested first"
    assert tree(tmp_path) == before


def test_a_damaged_batch_is_named(tmp_path):
    lake = Lake(tmp_path)
    land(lake, "b1")
    (lake.landing / "b1" / "batch.json").write_text("{")
    plan = make_plan(lake, Settings(), {})
    assert list(plan.damaged) == ["b1"]
    assert not plan.ingest


def test_folders_that_have_not_landed_are_told_of(tmp_path):
    lake = Lake(tmp_path)
    land(lake, "b1")
    (lake.landing / "plate-7").mkdir()
    (lake.landing / ".hidden").mkdir()
    inbox = tmp_path / "inbox"
    (inbox / "plate-8").mkdir(parents=True)
    ranks = ["phylum", "class", "order", "family", "subfamily", "genus", "species"]
    columns = ["processid", "marker_code", "nuc", "bin_uri", *ranks]
    (inbox / "plate-8" / "list.tsv").write_text("\t".join(columns) + "\n" + "\t".join("x" * len(columns)) + "\n")
    known = dict(unlanded(lake, Settings(automation={"inbox": str(inbox)})))
    assert list(known) == ["plate-7", "plate-8"]
    assert known["plate-8"] == "1 records files, 0 image sources; landed once it is complete"
    assert dict(unlanded(lake, Settings(automation={"inbox": "s3://bucket/inbox"})))["s3://bucket/inbox"]
