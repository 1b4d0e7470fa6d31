"""What became of a specimen: on batches of a few rows, and on a released demo corpus."""

import json
import shutil

import polars as pl
import pytest
from lake_corpus import ingest, land

from bioscan_etl import schema
from bioscan_etl.cli import main
from bioscan_etl.errors import SourceError
from bioscan_etl.explain import MOST, explain
from bioscan_etl.lake import Lake
from bioscan_etl.lake.corpus import read_settings
from bioscan_etl.lake.current import get
from bioscan_etl.settings import Settings


def fill(frame_of, table):
    """A frame of a table: the given columns, null elsewhere."""
    rows = pl.DataFrame(frame_of)
    missing = [pl.lit(None, dtype=c.dtype).alias(c.name) for c in table.columns if c.name not in rows.columns]
    return rows.with_columns(missing).select(pl.col(c.name).cast(c.dtype) for c in table.columns)


def fill_batch(lake, name, rejects=()):
    """Put real tables in place of the small files of a batch: A-1 is read, A-2 set aside."""
    record = ingest(lake, land(lake, name))
    place = {"batch": name, "source_file": "list.tsv", "source_line": 2}
    raw = record.output(lake, "raw_records").folder
    read = [place | {"processid": "A-1", "record_id": "A-1.COI-5P"}]
    fill(read, schema.RECORDS).write_parquet(raw / "records.parquet")
    aside = [place | {"processid": "A-2", "record_id": "A-2.ITS", "reason": "other_marker"}]
    fill(aside, schema.SET_ASIDE).write_parquet(raw / "set_aside.parquet")
    lines = [place | {"reason": "field_count", "raw_text": text} for text in rejects]
    fill(lines or {"batch": []}, schema.REJECTS).write_parquet(raw / "rejects.parquet")
    index = [{"batch": name, "processid": "A-1", "image_file": "A-1.jpg", "status": "found"}]
    images = record.output(lake, "specimen_images").folder
    fill(index, schema.IMAGE_INDEX).write_parquet(images / "image_index.parquet")
    boxes = [{"processid": "A-1", "image_file": "A-1.jpg", "status": "empty", "flags": ["EMPTY_IMAGE"]}]
    fill(boxes, schema.BOXES).write_parquet(record.output(lake, "specimen_boxes").folder / "boxes.parquet")
    for stage, table, flag in (
        ("checked_barcodes", schema.CHECKED_BARCODES, "NO_OPEN_READING_FRAME"),
        ("checked_geography", schema.CHECKED_GEOGRAPHY, "NEVER_DECLARED"),
        ("normalised_names", schema.NORMALISED_NAMES, None),
    ):
        flags = [{"processid": "A-1", "flags": [flag] if flag else []}]
        fill(flags, table).write_parquet(record.output(lake, stage).folder / f"{stage}.parquet")


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path)


def test_every_row_image_and_rule_of_a_batch_is_found(lake):
    fill_batch(lake, "b1")
    fill_batch(lake, "b2")
    found = explain(lake, Settings(), "A-1")
    assert found.is_known
    assert [row["batch"] for row in found.read] == ["b1", "b2"]
    assert found.read[0] | {"snapshot_date": None} == {
        "batch": "b1",
        "source_file": "list.tsv",
        "source_line": 2,
        "record_id": "A-1.COI-5P",
        "snapshot_date": None,
    }
    assert [(row["image_file"], row["status"], row["box"]) for row in found.images] == [
        ("A-1.jpg", "found", "empty")
    ] * 2
    assert [(row["rule"], row["stage"]) for row in found.rules if row["batch"] == "b1"] == [
        ("EMPTY_IMAGE", "specimen_boxes"),
        ("NO_OPEN_READING_FRAME", "checked_barcodes"),
        ("NEVER_DECLARED", "checked_geography"),
    ]
    statements = {row["rule"]: row["statement"] for row in found.rules}
    assert len(statements["NO_OPEN_READING_FRAME"]) > 20
    assert statements["NEVER_DECLARED"] == ""
    assert (found.set_aside, found.rejected, found.problems) == ([], [], [])
    assert [row["reason"] for row in explain(lake, Settings(), "A-2").set_aside] == ["other_marker"] * 2
    assert not explain(lake, Settings(), "A-3").is_known
    assert not explain(lake, Settings(), "a-1").is_known


def test_rejected_lines_hold_it_as_a_word(lake):
    long = "x" * 5000 + "\tA-1\t" + "y" * 5000
    fill_batch(lake, "b1", ["A-1\tAus", "A-10\tAus", "AA-1\tAus", "B-1 (A-1)", long, "../../x\t"])
    found = explain(lake, Settings(), "A-1").rejected
    assert [row["text"] for row in found[:2]] == ["A-1\tAus", "B-1 (A-1)"]
    assert len(found) == 3
    assert "\tA-1\t" in found[2]["text"]
    assert len(found[2]["text"]) < 150
    assert [row["reason"] for row in explain(lake, Settings(), "../../x").rejected] == ["field_count"]
    assert [row["text"] for row in explain(lake, Settings(), "A-10").rejected] == ["A-10\tAus"]


def test_of_very_many_lines_the_first_are_shown(lake):
    fill_batch(lake, "b1", [f"A-1\t{n}" for n in range(MOST + 30)])
    found = explain(lake, Settings(), "A-1")
    assert len(found.rejected) == MOST
    assert f"more matching rows; {MOST} are shown" in found.problems[0]


def test_damaged_files_are_named_and_hide_nothing(lake):
    fill_batch(lake, "b1")
    fill_batch(lake, "b2")
    get(lake, "raw_records", "b1").path("records.parquet").write_bytes(b"no Parquet")
    get(lake, "specimen_images", "b1").path("image_index.parquet").unlink()
    (lake.releases / "v1").mkdir(parents=True)
    (lake.releases / "v1" / "manifest.json").write_text("{")
    found = explain(lake, Settings(), "A-1")
    assert [row["batch"] for row in found.read] == ["b2"]
    assert [row["batch"] for row in found.images] == ["b2"]
    assert len(found.problems) == 3
    assert all("\n" not in problem for problem in found.problems)
    assert [name for name in ("records.parquet", "image_index.parquet", "v1") if name not in str(found.problems)] == []


def test_the_command_prints_hostile_values_safely(lake, capsys):
    fill_batch(lake, "b1", ["A-1\t\x1b]0;owned\x07\x9b2J[red]"])
    assert main(["why", "A-1", "--output", str(lake.root)]) == 0
    said = capsys.readouterr().out
    assert r"A-1\t\x1b]0;owned\x07\x9b2J[red]" in said
    assert all(line.isprintable() for line in said.split("\n"))
    assert main(["why", "Z\x1b[0m-9", "--output", str(lake.root)]) == 1
    assert capsys.readouterr().out == rf"nothing is known of Z\x1b[0m-9 in {lake.root}" + "\n"


def test_no_process_id_is_an_error(lake):
    with pytest.raises(SourceError, match="give a process ID"):
        explain(lake, Settings(), " ")


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A demo corpus with a release, and a second one without the gate for images."""
    output = tmp_path_factory.mktemp("why")
    assert main(["demo", "--output", str(output), "--specimens", "40", "-q"]) == 0
    assert main(["run", "--output", str(output), "-q"]) == 0
    settings = output.parent / "why.toml"
    settings.write_text("[gates]\nrequire_image = false\n")
    assert main(["run", "--output", str(output), "--settings", str(settings), "-q"]) == 0
    return Lake(output)


def of(lake, processid):
    return explain(lake, read_settings(lake), processid)


@pytest.mark.slow
def test_a_quarantined_specimen_is_told_with_its_gates(released, capsys):
    held = pl.read_parquet(get(released, "specimens").path("quarantine.parquet"))
    row = held.filter(pl.col("gates").list.contains("NO_BARCODE")).row(0, named=True)
    found = of(released, row["processid"])
    assert [gate["gate"] for gate in found.gates] == row["gates"]
    assert all(gate["statement"] for gate in found.gates)
    assert (row["source_file"], row["source_line"]) in [(one["source_file"], one["source_line"]) for one in found.read]
    assert [(one["version"], one["place"], one["split"]) for one in found.releases] == [
        (version, "quarantined:" + "+".join(row["gates"]), None) for version in ("v1", "v2")
    ]
    assert found.partitions == []
    assert main(["why", row["processid"], "--output", str(released.root)]) == 0
    said = capsys.readouterr().out
    assert "gates that hold it back now\n  NO_BARCODE: " in said
    assert "\n  v2: quarantined:NO_BARCODE" in said


@pytest.mark.slow
def test_a_specimen_that_waited_for_its_image_is_in_the_release_without_the_gate(released):
    before = pl.read_parquet(released.releases / "v1" / "quarantine.parquet")
    processid = before.filter(pl.col("gates").list.join("+") == "NO_IMAGE")["processid"][0]
    found = of(released, processid)
    assert [one["place"] for one in found.releases] == ["quarantined:NO_IMAGE", "released"]
    assert (found.gates, found.images) == ([], [])
    assert found.partitions[0]["split"] == found.releases[1]["split"]


@pytest.mark.slow
def test_a_changed_specimen_is_told_with_its_rules_and_labels(released, capsys):
    changes = pl.read_parquet(get(released, "curated_taxonomy").path("changes.parquet"))
    inferred = changes.filter(pl.col("rule") == "INFERRED_FROM_BARCODE")
    processid = inferred["processid"][0]
    mine = changes.filter(pl.col("processid") == processid).sort("field", "step")
    found = of(released, processid)
    columns = ("field", "step", "before", "after", "rule", "evidence")
    assert [tuple(row[name] for name in columns) for row in found.changes] == mine.select(columns).rows()
    assert "INFERRED_FROM_BARCODE" in {row["rule"] for row in found.rules}
    last = mine.filter(pl.col("field") == "species")
    if last.height:
        assert found.releases[-1]["labels"]["species"] == last["after"][-1]
    assert main(["why", processid, "--output", str(released.root), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["found"] is True
    assert [row["rule"] for row in document["changes"]] == mine["rule"].to_list()
    assert set(document) == {
        *("found", "processid", "batches", "read", "set_aside", "rejected", "images", "rules", "gates", "changes"),
        *("partitions", "releases", "problems"),
    }


@pytest.mark.slow
def test_a_released_specimen_of_two_batches_is_told_with_both(released):
    aside = pl.read_parquet(get(released, "specimens").path("set_aside.parquet"))
    superseded = aside.filter(pl.col("reason") == "superseded")
    processid = superseded["processid"][0]
    found = of(released, processid)
    assert len({row["batch"] for row in found.read}) == 2
    assert {row["batch"] for row in found.read} <= {row["batch"] for row in found.batches}
    assert {row["status"] for row in found.batches} == {"current"}
    mine = superseded.filter(pl.col("processid") == processid).select("batch", "source_line", "kept_batch")
    told = [row for row in found.set_aside if row["reason"] == "superseded"]
    assert [(row["batch"], row["source_line"], row["kept_batch"]) for row in told] == mine.rows()


@pytest.mark.slow
def test_every_specimen_of_the_release_is_found_in_its_partition(released):
    rows = pl.read_csv(released.releases / "v2" / "splits" / "all.csv")
    for processid, split in rows.sample(5, seed=1).select("processid", "split").iter_rows():
        found = of(released, processid)
        assert found.partitions[0]["split"] == split == found.releases[-1]["split"]
        assert found.read
        assert found.problems == []


@pytest.mark.slow
def test_a_batch_that_is_gone_from_the_lake_leaves_what_the_releases_tell(released, tmp_path):
    copy = Lake(tmp_path / "copy")
    shutil.copytree(released.root, copy.root, symlinks=True)
    shutil.rmtree(copy.home)
    processid = pl.read_csv(copy.releases / "v2" / "splits" / "all.csv")["processid"][0]
    found = of(copy, processid)
    assert found.read == []
    assert found.is_known
    assert found.releases[-1]["place"] == "released"
