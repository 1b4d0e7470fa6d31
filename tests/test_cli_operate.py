"""The commands that manage a corpus, on a small demo corpus that is released once: run, land, status, withdraw."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from lake_corpus import ingest
from lake_corpus import land as land_small

from bioscan_etl import landing
from bioscan_etl.cli import main
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import get
from bioscan_etl.lake.record import find_record
from bioscan_etl.release import staging
from bioscan_etl.release.manifest import read_head
from bioscan_etl.schema import BCDM

BATCHES = ["autumn-2025", "malaise-2023", "survey-2024"]


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A demo corpus with one release; tests take a copy of it (`corpus`)."""
    output = tmp_path_factory.mktemp("released")
    assert main(["demo", "--output", str(output), "--specimens", "40", "-q"]) == 0
    assert main(["run", "--output", str(output), "-q"]) == 0
    return output


@pytest.fixture
def corpus(released, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(released, folder, symlinks=True)
    return folder


def told(capsys, *arguments, code=0):
    """The JSON document of a command."""
    capsys.readouterr()
    assert main([*map(str, arguments), "--json", "-q"]) == code
    said = capsys.readouterr()
    assert said.err == ""
    return json.loads(said.out)


def said(capsys, *arguments, code=0):
    """The lines of a command."""
    capsys.readouterr()
    assert main([*map(str, arguments), "-q"]) == code
    found = capsys.readouterr()
    assert found.err == ""
    return found.out.splitlines()


def digest(folder):
    """Of every path, link and byte below a folder, with times of change."""
    sums = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        what = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        sums.update(repr((path.relative_to(folder).as_posix(), what, path.lstat().st_mtime_ns)).encode())
    return sums.hexdigest()


def spoilt(path):
    """A records file of a known layout whose pages are damaged: only whoever reads the rows finds out."""
    columns = {"processid": ["X-1"], **{column.name: pl.Series([None], dtype=pl.String) for column in BCDM}}
    given = {"record_id": ["X-1.COI-5P"], "marker_code": ["COI-5P"], "notes": ["a note"]}
    pl.DataFrame(columns | given).write_parquet(path)
    data = bytearray(path.read_bytes())
    data[4:400] = bytes(396)
    path.write_bytes(data)
    return path


def versions(output):
    return [path.name for path in staging.versions(output / "releases")]


@pytest.mark.slow
def test_a_batch_that_cannot_be_read_leaves_the_others_to_be_released(corpus, tmp_path, capsys):
    lines = said(capsys, "run", "--records", spoilt(tmp_path / "spoilt.parquet"), "--output", corpus, code=1)
    assert lines[0].startswith("release v1: ")
    assert "  spoilt: not in this release: raw_records: " in "\n".join(lines)
    assert lines[-2] == "failed: 1"
    assert lines[-1].startswith("  spoilt: raw_records: ")
    # Another one, of random bytes under a name that says Parquet, and settings that make a release.
    (tmp_path / "noise.parquet").write_bytes(hashlib.sha256(b"x").digest() * 50)
    assert main(["run", "--records", str(tmp_path / "noise.parquet"), "--output", str(corpus)]) == 2
    landing.register(Lake(corpus), "noise", [str(tmp_path / "noise.parquet")])
    (tmp_path / "settings.toml").write_text("[gates]\nrequire_image = false\n")
    facts = told(capsys, "run", "--output", corpus, "--settings", tmp_path / "settings.toml", code=1)
    assert facts["settings_changed"] == ["gates.require_image: True -> False"]
    assert facts["ingested"] == []
    assert [(one["kind"], one["name"]) for one in facts["failed"]] == [("batch", "noise"), ("batch", "spoilt")]
    assert facts["release"]["version"] == "v2"
    assert facts["release"]["made"] is True
    assert set(facts["release"]["notes"]) == {"spoilt", "noise"}
    assert sorted(read_head(corpus / "releases" / "v2")["provenance"]["batches"]) == BATCHES
    listed = {one["batch"]: one for one in told(capsys, "status", "--output", corpus)["batches"]}
    assert {name: one["status"] for name, one in listed.items()} == dict.fromkeys(BATCHES, "current") | {
        "spoilt": "failed",
        "noise": "failed",
    }
    assert listed["spoilt"]["why"] == listed["spoilt"]["failure"] != ""


@pytest.mark.slow
def test_a_release_says_that_it_holds_the_delivery_before(corpus, tmp_path, capsys):
    before = find_record(Lake(corpus), "survey-2024")
    landing.register(Lake(corpus), "survey-2024", [str(spoilt(tmp_path / "spoilt.parquet"))])
    lines = said(capsys, "run", "--output", corpus, code=1)
    assert lines[0].endswith("(nothing changed: no new release)")
    holds = f"  survey-2024: this release contains the previous delivery ({before.delivery[:12]}): raw_records: "
    assert any(line.startswith(holds) for line in lines)
    assert find_record(Lake(corpus), "survey-2024") == before


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["empty", "folder"])
def test_a_damaged_marker_is_listed_and_hides_nothing(corpus, capsys, damage):
    marker = corpus / "landing" / "survey-2024" / "batch.json"
    if damage == "empty":
        marker.write_text("")
    else:
        marker.unlink()
        marker.mkdir()
    facts = told(capsys, "run", "--output", corpus, code=1)
    assert [(one["kind"], one["name"]) for one in facts["failed"]] == [("batch", "survey-2024")]
    assert ("is empty" if damage == "empty" else "is a folder") in facts["failed"][0]["why"]
    assert facts["release"]["made"] is False
    assert "contains the previous delivery" in facts["release"]["notes"]["survey-2024"]
    listed = {one["batch"]: one["status"] for one in told(capsys, "status", "--output", corpus)["batches"]}
    assert listed == {"autumn-2025": "current", "malaise-2023": "current", "survey-2024": "damaged"}


@pytest.mark.slow
def test_settings_are_installed_and_make_the_right_batches_stale(corpus, tmp_path, capsys):
    file = tmp_path / "settings.toml"
    file.write_text("[barcodes]\nmin_homopolymer = 30\n[images]\nworkers = 2\n")
    before = digest(corpus)
    changed = ["barcodes.min_homopolymer: 20 -> 30", "images.workers: 0 -> 2"]
    # First only in words: not a byte changes, and no settings are installed.
    facts = told(capsys, "run", "--output", corpus, "--settings", file, "--dry-run")
    assert facts["settings_changed"] == changed
    assert facts["ingest"] == {name: ["setting barcodes.min_homopolymer: 20 -> 30"] for name in BATCHES}
    lines = said(capsys, "run", "--output", corpus, "--settings", file, "--dry-run")
    assert lines[0] == f"would change setting {changed[0]}"
    assert "would ingest survey-2024: setting barcodes.min_homopolymer: 20 -> 30" in lines
    assert digest(corpus) == before
    boxes = get(Lake(corpus), "specimen_boxes", "survey-2024").fingerprint
    barcodes = get(Lake(corpus), "checked_barcodes", "survey-2024").fingerprint
    lines = said(capsys, "run", "--output", corpus, "--settings", file)
    assert lines[:2] == [f"setting {line}" for line in changed]
    assert lines[2].startswith("release v2: ")
    assert (corpus / "settings.toml").read_text() == file.read_text()
    assert get(Lake(corpus), "checked_barcodes", "survey-2024").fingerprint != barcodes
    assert get(Lake(corpus), "specimen_boxes", "survey-2024").fingerprint == boxes
    # From now on they are the corpus' own.
    facts = told(capsys, "run", "--output", corpus)
    assert "settings_changed" not in facts
    assert (facts["ingested"], facts["release"]["made"]) == ([], False)
    assert told(capsys, "status", "--output", corpus)["corpus"]["reasons"] == []
    # Broken ones change nothing.
    file.write_text("[barcodes]\nmin_length = -1\n")
    assert main(["run", "--output", str(corpus), "--settings", str(file)]) == 2
    assert "barcodes.min_length" in capsys.readouterr().err
    assert "min_homopolymer" in (corpus / "settings.toml").read_text()


@pytest.mark.slow
def test_a_dry_run_says_what_would_be_done_and_changes_nothing(corpus, tmp_path, capsys):
    assert said(capsys, "run", "--output", corpus, "--dry-run") == ["would make no release: v1 is of what is there"]
    (corpus / "landing" / "plate-7").mkdir()
    (corpus / "landing" / "plate-8").mkdir()
    (corpus / "landing" / "plate-8" / "list.tsv").write_text("processid\tnuc\nA-1\tACGT\n")
    records = spoilt(tmp_path / "spoilt.parquet")
    images = tmp_path / "images"
    images.mkdir()
    (corpus / "landing" / "autumn-2025" / "batch.json").write_text("{")
    before = digest(corpus)
    arguments = ("run", "--records", records, "--images", images, "--output", corpus, "--dry-run")
    facts = told(capsys, *arguments, code=1)
    assert facts["land"] == {"spoilt": {"records": [str(records)], "images": [str(images)]}}
    assert set(facts["folders"]) == {"plate-7", "plate-8"}
    assert set(facts["ingest"]) == {"spoilt"}
    assert set(facts["damaged"]) == {"autumn-2025"}
    assert facts["release"]["made"] is None
    lines = said(capsys, *arguments, code=1)
    assert lines[0] == f"would land spoilt: {records}, images of {images}"
    assert lines[-1].startswith("would make a release, if that changes anything: ")
    assert digest(corpus) == before


def test_a_dry_run_of_nothing_makes_no_folder(tmp_path, capsys):
    lines = said(capsys, "run", "--output", tmp_path / "out", "--dry-run")
    assert lines == ["would make no release: no batch is ingested yet"]
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_withdrawn_batch_is_out_of_the_next_release_and_comes_back(corpus, capsys):
    def held():
        return set(pl.read_csv(corpus / "releases" / "latest" / "splits" / "all.csv")["processid"])

    before = held()
    lines = said(capsys, "withdraw", "survey-2024", "--reason", "two plates\nmixed up", "--output", corpus)
    assert lines[0].startswith("survey-2024 is withdrawn")
    assert "next run: makes a release: batch survey-2024 was withdrawn" in lines
    assert main(["withdraw", "survey-2024", "--reason", "again", "--output", str(corpus)]) == 2
    assert "withdrawn already: two plates mixed up" in capsys.readouterr().err
    facts = told(capsys, "status", "--output", corpus)
    assert facts["batches"][2]["why"] == facts["batches"][2]["withdrawn"] == "two plates mixed up"
    facts = told(capsys, "run", "--output", corpus)
    assert facts["release"]["version"] == "v2"
    assert facts["release"]["withdrawn"] == {"survey-2024": "two plates mixed up"}
    assert read_head(corpus / "releases" / "v2")["provenance"]["withdrawn"] == facts["release"]["withdrawn"]
    without = held()
    assert without < before
    facts = told(capsys, "withdraw", "survey-2024", "--undo", "--output", corpus)
    assert (facts["batch"], facts["withdrawn"]) == ("survey-2024", False)
    assert facts["corpus"]["reasons"] == ["batch survey-2024 was added"]
    assert told(capsys, "run", "--output", corpus)["ingested"] == []
    assert held() == before


@pytest.mark.slow
def test_a_run_lands_complete_folders_and_tells_of_the_others(released, corpus, capsys):
    inbox = corpus / "landing"
    source = next((released / "landing" / "survey-2024").rglob("*.tsv"))
    for name in ("plate-7", "plate-8", "no name"):
        (inbox / name).mkdir()
        shutil.copy(source, inbox / name / source.name)
    (inbox / "plate-7" / "DONE").touch()
    (inbox / "plate-7" / "scan.xyz").write_text("x")
    lines = said(capsys, "run", "--output", corpus, code=1)
    assert "landed plate-7" in lines
    assert "  plate-7: left out, of no known kind: scan.xyz" in lines
    assert any(line.startswith("waiting plate-8: 1 file, still arriving") for line in lines)
    assert [line for line in lines if "has a name that no batch can have" in line] == [lines[-1]]
    assert versions(corpus) == ["v1", "v2"]


@pytest.mark.slow
def test_a_run_that_is_interrupted_stops_at_once(tmp_path):
    """Dagster takes Ctrl-C for the failure of a step; no other batch is begun, and nothing is released."""
    assert main(["demo", "--output", str(tmp_path), "--specimens", "40", "-q"]) == 0
    words = [Path(sys.executable).with_name("bioscan-etl"), "run", "--output", str(tmp_path), "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("lake/outputs/specimen_boxes/*/*")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, out + err
    assert json.loads(out)["error"] == "interrupted; run the same command again to go on"
    assert "Traceback" not in err
    assert not (tmp_path / "releases").exists()


@pytest.mark.slow
def test_a_run_says_with_verbose_which_runs_of_dagster_it_was(corpus, capsys):
    assert main(["run", "--output", str(corpus), "-v"]) == 0
    found = capsys.readouterr()
    assert "of curate_and_release" in found.err
    assert "INFO run " in found.err
    assert "UI: bioscan-etl ui " in found.out


@pytest.mark.slow
def test_the_other_commands_on_releases_answer_in_json(released, capsys):
    releases = released / "releases"
    facts = told(capsys, "check", releases / "v1")
    assert (facts["count"], facts["faults"]) == (0, [])
    facts = told(capsys, "check", releases / "none", code=1)
    assert facts["count"] == len(facts["faults"]) == facts["files"] == 1
    assert set(facts["faults"][0]) == {"file", "processid", "fault"}
    facts = told(capsys, "diff", releases / "v1", releases / "latest")
    assert (facts["records"], facts["reasons"], facts["values"]) == ({}, [], [])
    assert facts["records_before"] == facts["records_after"] > 20
    facts = told(capsys, "demo", "--output", released.parent / "again", "--specimens", "20")
    assert sorted(facts["batches"]) == BATCHES
    assert facts["next"].startswith("bioscan-etl run --output ")


@pytest.mark.slow
def test_the_commands_on_tables_answer_in_json(released, tmp_path, capsys):
    table = pl.DataFrame(
        {
            "processid": [f"P-{n}" for n in range(30)],
            "genus": "Aus",
            "species": "Aus bus",
            "dna_barcode": ["ACGT" * 100 + "A" * n + "C" for n in range(30)],
        }
    )
    table.write_csv(tmp_path / "t.csv")
    facts = told(capsys, "split", tmp_path / "t.csv", "--output", tmp_path / "s.csv")
    assert facts["protocol"] == "bioscan-5m"
    assert sum(row["samples"] for row in facts["partitions"]) == 30
    assert (facts["memory"], facts["moved"]) == (None, [])
    one = next((released / "landing" / "survey-2024").rglob("*.tsv"))
    facts = told(capsys, "compare", one, one, "--output", tmp_path / "c.csv")
    assert (facts["changed"], facts["added"], facts["removed"], facts["fields"]) == (0, 0, 0, [])
    assert facts["shared"] > 5
    images = next(path for path in (released / "landing" / "autumn-2025").rglob("*") if path.is_dir())
    facts = told(capsys, "detect", images, "--output", tmp_path / "boxes.csv")
    assert facts["images"] == sum(facts["statuses"].values()) > 5
    assert (facts["masks"], facts["masks_written"]) == (None, 0)


def test_landing_a_folder_says_what_was_found(tmp_path, capsys):
    folder = tmp_path / "plate-7"
    (folder / "images").mkdir(parents=True)
    columns = ["processid", *(column.name for column in BCDM)]
    (folder / "list.tsv").write_text("\t".join(columns) + "\n" + "\t".join(["A-1", *["None"] * len(BCDM)]) + "\n")
    for name in ("A-1.jpg", "A-2.jpg"):
        (folder / "images" / name).write_bytes(b"\xff\xd8")
    (folder / "notes.xyz").write_text("x")
    output = tmp_path / "out"
    lines = said(capsys, "land", folder, "--output", output)
    assert lines == [
        f"landed plate-7 in {output / 'landing' / 'plate-7'}",
        f"  records {folder / 'list.tsv'}",
        f"  images {folder / 'images'}: 2 files",
        "  left out, of no known kind: notes.xyz",
    ]
    assert main(["land", str(folder), "--output", str(output)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"next: bioscan-etl run --output {output}"
    files = [folder / "list.tsv", folder / "images"]
    facts = told(capsys, "land", *files, "--name", "b2", "--snapshot-date", "2026-01-31", "--output", output)
    assert (facts["batch"], facts["records"]) == ("b2", [str(folder / "list.tsv")])
    assert facts["images"] == [{"location": str(folder / "images"), "files": 2}]
    assert facts["delivery"] == landing.load(Lake(output), "b2").fingerprint
    assert str(landing.load(Lake(output), "b2").records[0].snapshot_date) == "2026-01-31"


def test_status_tells_of_every_batch_and_of_the_next_run(tmp_path, capsys):
    lake = Lake(tmp_path)
    assert said(capsys, "status", "--output", tmp_path) == [
        f"no batch has landed in {lake.landing}",
        "last release: none",
        "next run: makes no release: no batch is ingested yet",
    ]
    ingest(lake, land_small(lake, "b1"))
    land_small(lake, "b2")
    land_small(lake, "b3")
    (lake.landing / "b3" / "batch.json").write_text("")
    (lake.landing / "plate-7").mkdir()
    (lake.landing / "plate-7" / "\x1b[31mred.tsv").write_text("x")
    (lake.releases / "v1").mkdir(parents=True)
    facts = told(capsys, "status", "--output", tmp_path)
    assert [(one["batch"], one["status"], one["records"]) for one in facts["batches"]] == [
        ("b1", "current", 1),
        ("b2", "landed", None),
        ("b3", "damaged", None),
    ]
    assert facts["corpus"]["to_ingest"] == ["b2"]
    assert set(facts["folders"]) == {"plate-7"}
    assert facts["releases"][0]["problem"] == "its manifest cannot be read (FileNotFoundError)"
    lines = said(capsys, "status", "--output", tmp_path)
    assert all(line.isprintable() for line in lines)
    assert any(
        line.split()[:2] == ["b3", "damaged"] and line.rstrip().endswith("land the batch again") for line in lines
    )
    assert "next run: ingests b2, then makes a release if that changes anything" in lines


def test_withdraw_stands_where_the_rest_of_the_corpus_cannot_be_told(tmp_path, capsys):
    lake = Lake(tmp_path)
    ingest(lake, land_small(lake, "b1"))
    lines = said(capsys, "withdraw", "b1", "--reason", "gone", "--output", tmp_path)
    assert lines[-1] == "next run: makes no release: no batch is ingested yet"
    assert main(["withdraw", "b2", "--reason", "x", "--output", str(tmp_path)]) == 2
    assert "there is no batch 'b2'" in capsys.readouterr().err
    assert main(["withdraw", "b1", "--undo", "--output", str(tmp_path)]) == 0
    assert "b1 is in the corpus again" in capsys.readouterr().out
    assert main(["withdraw", "b1", "--output", str(tmp_path)]) == 2
    assert main(["withdraw", "b1", "--reason", "x", "--undo", "--output", str(tmp_path)]) == 2
