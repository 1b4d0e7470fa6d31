"""Markers: names, locations, fingerprints, and everything that can be wrong with one."""

import json
import os
import shutil
from pathlib import Path

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioscan_etl import landing
from bioscan_etl.errors import SourceError
from bioscan_etl.lake import Lake, digest
from bioscan_etl.landing import marker

SHA = "a" * 64


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "out")


def put(lake, text, name="b1"):
    path = lake.landing / name / landing.MARKER
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def sound(**more):
    return {"version": 2, "name": "b1", "records": [{"location": "a.tsv", "sha256": SHA}], **more}


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", ".hidden", "a b", "ä", "x" * 200, "a\n"])
def test_names_that_cannot_be_paths_are_refused(name):
    with pytest.raises(SourceError, match="batch name"):
        landing.check_name(name)


@given(st.text(max_size=200))
def test_any_file_name_gives_a_usable_batch_name_or_one_line(name):
    try:
        found = landing.name_from_file("/data/" + name.replace("/", ""))
    except SourceError as error:
        found, message = "refused", str(error)
    else:
        message = ""
    assert landing.is_name(found)
    assert len(message.splitlines()) <= 1


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("/data/BOLD_Public.18-Dec-2023.tsv", "BOLD_Public.18-Dec-2023"),
        ("s3://bucket/BOLD_Public.18-Dec-2023.tar.gz", "BOLD_Public.18-Dec-2023"),
        ("plate 7.tsv.gz", "plate-7"),
        ("/data/plate 7/", "plate-7"),
        ("https://host/a.tsv?token=x", "a"),
    ],
)
def test_batches_are_named_after_their_file(location, name):
    assert landing.name_from_file(location) == name


def test_locations_are_relative_to_the_marker(lake):
    batch = landing.Batch(name="b1", folder=lake.landing / "b1")
    assert batch.locate("images") == str(lake.landing / "b1" / "images")
    assert batch.locate("../../x.tsv") == str(lake.root / "x.tsv")
    assert batch.locate("/data/images") == "/data/images"
    assert batch.locate("s3://bucket/images") == "s3://bucket/images"


def test_a_location_is_written_relative_and_found_again_through_links(tmp_path):
    (tmp_path / "deep" / "disk" / "b1").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.tsv").write_text("rows")
    (tmp_path / "out" / "landing").mkdir(parents=True)
    link = tmp_path / "out" / "landing" / "b1"
    link.symlink_to(tmp_path / "deep" / "disk" / "b1")
    for folder in (link, tmp_path / "deep" / "disk" / "b1"):
        for file in (tmp_path / "data" / "a.tsv", folder / "x.tsv"):
            written = marker.relative(str(file), folder)
            assert not Path(written).is_absolute()
            found = landing.Batch(name="b1", folder=folder).locate(written)
            assert os.path.realpath(found) == os.path.realpath(file)


def test_a_file_with_undecodable_name_cannot_be_in_a_marker(tmp_path):
    with pytest.raises(SourceError, match="not UTF-8"):
        marker.relative(str(tmp_path / "a\udcff.tsv"), tmp_path)


def test_a_marker_reads_back(lake):
    batch = landing.Batch(
        name="b1",
        records=(landing.RecordsEntry(location="a.tsv", sha256=SHA),),
        images=(landing.ImagesEntry(location="images", files=1, listing=SHA, content=SHA),),
        origin=".",
        seen=SHA,
        folder=lake.landing / "b1",
    )
    path = marker.write(lake, batch)
    assert landing.load(lake, "b1") == batch
    assert json.loads(path.read_text())["version"] == 2
    assert "folder" not in json.loads(path.read_text())


def test_a_marker_of_version_1_is_read_and_keeps_its_fingerprint(lake):
    old = {
        "name": "b1",
        "records": [{"location": "/data/a.tsv", "sha256": SHA, "snapshot_date": None}],
        "images": [{"location": "/data/images", "files": 2, "listing": "b" * 64}],
        "image_manifest": {"location": "/data/m.csv", "sha256": "c" * 64},
    }
    put(lake, json.dumps(old))
    batch = landing.load(lake, "b1")
    assert batch.locate(batch.records[0].location) == "/data/a.tsv"
    assert batch.fingerprint == digest(["b1", [["a.tsv", SHA, ""]], [["images", 2, "b" * 64]], "c" * 64])


def test_what_was_seen_and_where_it_came_from_is_not_in_the_fingerprint(lake):
    put(lake, json.dumps(sound()))
    first = landing.load(lake, "b1").fingerprint
    put(lake, json.dumps(sound(seen=SHA, origin="../../inbox/b1")))
    assert landing.load(lake, "b1").fingerprint == first


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("{", "not JSON"),
        (b"\xff\xfe{}", "not UTF-8"),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("[" * 200_000, "nested too deeply|not JSON"),
        ('{"name": ' + '{"a":' * 150_000, "nested too deeply|not JSON"),
        ("1" * 10_000, "not JSON"),
        (json.dumps(sound(version=3)), "of version 3"),
        (json.dumps(sound(version="2")), "version is not a number"),
        (json.dumps(sound(version=True)), "version is not a number"),
        (json.dumps(sound(colour="blue")), "colour: unknown field"),
        (json.dumps(sound(**{"two\nlines": 1})), "unknown field"),
        (json.dumps(sound(folder="/etc")), "folder: unknown field"),
        (json.dumps(sound(name="b2")), "must agree"),
        (json.dumps(sound(name="b\n2")), "must agree"),
        (json.dumps(sound(records=[{"location": "a.tsv", "sha256": "short"}])), "records.0.sha256"),
        (json.dumps(sound(records=[{"location": "", "sha256": SHA}])), "records.0.location"),
        (json.dumps(sound(records=[{"location": "a\0b", "sha256": SHA}])), "records.0.location"),
        (json.dumps(sound(images=[{"location": "i", "files": -1, "listing": SHA}])), "images.0.files"),
        (b'{"name": "\\ud800"}', "damaged"),
        (b'{"name": "b1", "seen": Infinity}', "seen"),
    ],
)
def test_a_damaged_or_foreign_marker_is_said_in_one_line(lake, text, why):
    path = put(lake, text)
    with pytest.raises(SourceError, match=why) as caught:
        landing.load(lake, "b1")
    assert len(str(caught.value).splitlines()) == 1
    assert str(path) in str(caught.value)
    assert landing.landed(lake) == ["b1"]


def test_an_absent_marker_and_things_in_its_place_are_said(lake, monkeypatch):
    with pytest.raises(SourceError, match="has not landed"):
        landing.load(lake, "b1")
    assert landing.landed(lake) == []
    (lake.landing / "b1" / "batch.json").mkdir(parents=True)
    (lake.landing / "b2").mkdir()
    (lake.landing / "b2" / "batch.json").symlink_to("nowhere")
    (lake.landing / "b3").mkdir()
    os.mkfifo(lake.landing / "b3" / "batch.json")
    (lake.landing / "b4").write_text("a file")
    (lake.landing / ".b5").mkdir()
    (lake.landing / ".b5" / "batch.json").touch()
    (lake.landing / "a name").mkdir()
    (lake.landing / "a name" / "batch.json").touch()
    assert landing.landed(lake) == ["a name", "b1", "b2", "b3"]
    for name, why in {
        "b1": "is a folder",
        "b2": "broken link",
        "b3": "is not a file",
        "b4": "Not a directory",
    }.items():
        with pytest.raises(SourceError, match=why):
            landing.load(lake, name)
    with pytest.raises(SourceError, match="batch name"):
        landing.load(lake, "a name")
    put(lake, json.dumps(sound()), "b6")
    monkeypatch.setattr(marker, "_MOST_BYTES", 20)
    with pytest.raises(SourceError, match="bytes"):
        landing.load(lake, "b6")


def test_a_marker_that_may_not_be_read_is_said(lake, monkeypatch):
    put(lake, json.dumps(sound()))

    def closed(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", closed)
    with pytest.raises(SourceError, match="Permission denied"):
        landing.load(lake, "b1")


def test_a_marker_that_cannot_be_written_is_said(lake):
    (lake.landing / "b1" / "batch.json").mkdir(parents=True)
    with pytest.raises(SourceError, match="cannot be written"):
        marker.write(lake, landing.Batch(name="b1"))
    (lake.landing / "b2").write_text("a file")
    with pytest.raises(SourceError, match="cannot be written"):
        marker.write(lake, landing.Batch(name="b2"))


def said_of(lake) -> int:
    """Lines of what is wrong with the marker of b1; 0 where it is sound."""
    try:
        batch = landing.load(lake, "b1")
    except SourceError as error:
        return len(str(error).splitlines())
    assert len(batch.fingerprint) == 64
    return 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(200))
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_a_marker_or_one_line(lake, data):
    put(lake, data)
    assert said_of(lake) in {0, 1}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(200))
@given(st.dictionaries(st.sampled_from([*landing.Batch.model_fields, "x"]), _JSON, max_size=4))
def test_arbitrary_values_are_a_marker_or_one_line(lake, fields):
    put(lake, json.dumps(sound() | fields))
    assert said_of(lake) in {0, 1}


def test_a_tree_that_is_copied_without_times_keeps_its_fingerprint(lake, tmp_path):
    outside = tmp_path / "deliveries"
    (outside / "images").mkdir(parents=True)
    (outside / "images" / "A-1.jpg").write_bytes(b"jpeg")
    (outside / "a.tsv").write_text("processid\nA-1\n")
    (outside / "m.csv").write_text("processid,image_file\nA-1,A-1.jpg\n")
    old = landing.register(lake, "b1", [str(outside / "a.tsv")], [str(outside / "images")], str(outside / "m.csv"))
    os.utime(outside / "images" / "A-1.jpg", (1, 1))
    shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}-copy", copy_function=shutil.copyfile)
    shutil.rmtree(outside)
    copied = Lake(tmp_path.parent / f"{tmp_path.name}-copy" / "out")
    batch = landing.load(copied, "b1")
    assert batch.fingerprint == old.fingerprint
    assert Path(batch.locate(batch.records[0].location)).read_text() == "processid\nA-1\n"
    assert not landing.images_changed(batch, batch.images[0])
    again = landing.register(
        copied,
        "b1",
        [batch.locate(batch.records[0].location)],
        [batch.locate(batch.images[0].location)],
        batch.locate(batch.image_manifest.location),
    )
    assert again == batch
