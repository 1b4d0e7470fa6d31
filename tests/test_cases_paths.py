"""Paths are data: the whole pipeline in folders and from files whose names mean something to some library."""

import csv
import json
import os
import shutil
from pathlib import Path

import cv2
import pytest
from images_drawn import insect, well
from test_landing_folder import TABLE

import bioscan_etl
from bioscan_etl import landing
from bioscan_etl.cli import main
from bioscan_etl.errors import SourceError
from bioscan_etl.images.sources import printable
from bioscan_etl.lake import Lake
from bioscan_etl.records.inspect import inspect
from bioscan_etl.records.sources import RecordsFile, expand

NAMES = [
    *("run #1", "o: x", "out[1]", "100%20 %s", "{b} {}", "$HOME", "~", "~nobody", 'it\'s "q"', "line\nbreak", "a*b?"),
    *(
        "back\\slash",
        "-dash",
        "trailing ",
        "dot.",
        "Käfer 虫 \N{BUG}",
        "s3:",
        "file:",
        "split=train",
        "a&b;c|d",
        "long" * 50,
    ),
]
SLOW = ["run #1 out[1] o: x 100%20 {b} $HOME ~ 'q\" line\nbreak ü虫\N{BUG} *?-.. ", "-back\\slash#~", "s3:"]
SETTINGS = """
[gates]
require_image = false
[release]
image_packages = []
hdf5_packages = []
forms = ["splits", "partitioned"]
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_delivery_of_any_name_lands_and_is_found_again(tmp_path, monkeypatch, name):
    """The folder, the records, the images, the manifest and the output are all called so."""
    monkeypatch.chdir(tmp_path)
    delivery = tmp_path / "in" / name
    (delivery / f"{name}.d").mkdir(parents=True)
    records = delivery / f"{name}.tsv"
    records.write_text(TABLE)
    (delivery / f"{name}.d" / f"{name}.jpg").write_bytes(b"jpeg")
    with (delivery / f"{name}.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["processid", "image_file"], ["A-1", f"{name}.jpg"]])
    assert expand(str(delivery)) == [str(records)]
    assert inspect(RecordsFile(str(records))).generation
    lake = Lake((tmp_path / name).resolve())
    found = landing.recognise(str(delivery))
    assert found.records == (str(records),)
    assert found.images == (str(delivery / f"{name}.d"),)
    assert found.image_manifest == str(delivery / f"{name}.csv")
    landing.register(lake, "b1", found.records, found.images, found.image_manifest)
    batch = landing.load(lake, "b1")
    assert batch.locate(batch.records[0].location) == str(records)
    assert batch.locate(batch.images[0].location) == str(delivery / f"{name}.d")
    swept = landing.sweep(lake, str(tmp_path / "in"), now=1e9)
    if not landing.is_name(name):  # a folder of the inbox becomes a batch of its name
        assert landing.is_name(swept.refused[printable(name)].rpartition(" ")[2])
    assert {path.name for path in tmp_path.iterdir()} == {"in", name}


@pytest.mark.parametrize("name", NAMES)
def test_an_inbox_of_any_name_is_swept(tmp_path, name):
    delivery = tmp_path / name / "plate-7"
    delivery.mkdir(parents=True)
    (delivery / f"{name}.tsv").write_text(TABLE)
    (delivery / "DONE").touch()
    swept = landing.sweep(Lake(tmp_path / "out"), str(tmp_path / name), now=1e9)
    assert swept.landed == ["plate-7"]


def test_links_within_a_delivery_and_to_the_output(tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "here").symlink_to(real)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "r.tsv").write_text(TABLE)
    (tmp_path / "linked").symlink_to(tmp_path / "data")
    lake = Lake((tmp_path / "here" / "out").resolve())
    assert lake.root == real / "out"
    landing.register(lake, "b1", [str(tmp_path / "linked" / "r.tsv")])
    batch = landing.load(lake, "b1")
    assert Path(batch.locate(batch.records[0].location)).samefile(tmp_path / "data" / "r.tsv")


@pytest.mark.parametrize(
    ("name", "reason"),
    [(b"K\xe4fer", "this name is not UTF-8 text"), (b"a\\b[1]", r"a path with a backslash can have no")],
)
def test_an_output_folder_that_no_library_opens_is_refused_at_once(tmp_path, name, reason, capsys):
    output = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    records = tmp_path / "r.tsv"
    records.write_text(TABLE)
    with pytest.raises(SourceError, match=reason):
        bioscan_etl.run(output, records=[records])
    assert not Path(output).exists()
    assert main(["run", f"--records={records}", f"--output={output}"]) == 2
    said = capsys.readouterr()
    assert reason[:20] in said.err
    assert "Traceback" not in said.err


def test_a_records_file_whose_name_is_not_utf8_is_told(tmp_path):
    records = Path(os.fsdecode(os.fsencode(tmp_path) + b"/K\xe4fer.tsv"))
    records.write_text(TABLE)
    with pytest.raises(SourceError, match="not UTF-8"):
        bioscan_etl.run(tmp_path / "out", records=[records])


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_the_whole_pipeline_runs_in_a_folder_of_this_name(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    delivery = tmp_path / "in" / name
    pictures = delivery / f"{name}.d"
    pictures.mkdir(parents=True)
    (delivery / f"{name}.tsv").write_text(TABLE)
    picture = well()
    insect(picture, (500, 380), 200)
    (pictures / f"{name}.jpg").write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
    with (delivery / f"{name}.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["processid", "image_file"], ["A-1", f"{name}.jpg"]])
    (tmp_path / f"{name}.toml").write_text(SETTINGS)
    output = f"--output={name}"
    options = [f"--images={pictures}", f"--image-manifest={delivery / name}.csv", f"--settings={name}.toml"]
    assert main(["run", f"--records={delivery / name}.tsv", output, *options, "--quiet"]) == 0, capsys.readouterr()
    assert {path.name for path in tmp_path.iterdir()} == {"in", name, f"{name}.toml"}
    release = tmp_path / name / "releases" / "v1"
    assert main(["status", output]) == 0
    assert main(["why", "A-1", output]) == 0
    assert main(["check", str(release)]) == 0
    shutil.copytree(release, tmp_path / "in" / f"{name}.2")
    assert main(["diff", str(release), str(tmp_path / "in" / f"{name}.2"), f"--output={tmp_path / name}.csv"]) == 0
    assert main(["detect", str(pictures), f"--output={tmp_path / name}.found.csv"]) == 0
    with (tmp_path / f"{name}.found.csv").open(newline="") as stream:
        assert [row["image_file"] for row in csv.DictReader(stream)] == [printable(f"{name}.jpg")]
    assert json.loads((release / "manifest.json").read_text())["version"] == "v1"
