"""Batches: markers, fingerprints, pins."""

import datetime as dt
import hashlib
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl import batches
from bioscan_etl.errors import LakeError, SourceError
from bioscan_etl.lake import Lake
from bioscan_etl.settings import Settings


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "out")


@pytest.fixture
def delivery(tmp_path):
    folder = tmp_path / "delivery"
    (folder / "images").mkdir(parents=True)
    (folder / "BOLD_Public.18-Dec-2023.tsv").write_text("processid\nA-1\n")
    (folder / "images" / "A-1.jpg").write_bytes(b"jpeg")
    (folder / "manifest.csv").write_text("processid,image_file\nA-1,A-1.jpg\n")
    return folder


def land(lake, delivery, name="b1", **more):
    return batches.register(
        lake,
        name,
        [str(delivery / "BOLD_Public.18-Dec-2023.tsv")],
        [str(delivery / "images")],
        str(delivery / "manifest.csv"),
        **more,
    )


def test_a_landed_batch_reads_back(lake, delivery):
    batch = land(lake, delivery, snapshot_date=dt.date(2023, 12, 18))
    again = batches.load(lake, "b1")
    assert again == batch
    assert again.records[0].snapshot_date == dt.date(2023, 12, 18)
    assert batches.landed(lake) == ["b1"]


def test_the_fingerprint_is_the_content_wherever_it_lies(lake, delivery, tmp_path):
    first = land(lake, delivery).fingerprint
    moved = tmp_path / "elsewhere"
    shutil.copytree(delivery, moved, copy_function=shutil.copy2)
    assert land(lake, moved).fingerprint == first
    (moved / "BOLD_Public.18-Dec-2023.tsv").write_text("processid\nA-2\n")
    assert land(lake, moved).fingerprint != first


def test_relative_locations_are_relative_to_the_marker(lake, delivery):
    batch = land(lake, delivery)
    assert batch.locate("images") == str(lake.landing / "b1" / "images")
    assert batch.locate("/data/images") == "/data/images"
    assert batch.locate("s3://bucket/images") == "s3://bucket/images"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", ".hidden", "a b", "ä", "x" * 200, "a\n"])
def test_names_that_cannot_be_paths_are_refused(name):
    with pytest.raises(SourceError, match="batch name"):
        batches.check_name(name)


@given(st.text(max_size=40))
def test_any_file_name_gives_a_usable_batch_name_or_one_line(name):
    try:
        found = batches.name_from_file("/data/" + name.replace("/", ""))
    except SourceError as error:
        found, message = "refused", str(error)
    else:
        message = ""
    assert batches.is_name(found)
    assert "\n" not in message


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("/data/BOLD_Public.18-Dec-2023.tsv", "BOLD_Public.18-Dec-2023"),
        ("s3://bucket/BOLD_Public.18-Dec-2023.tar.gz", "BOLD_Public.18-Dec-2023"),
        ("plate 7.tsv.gz", "plate-7"),
    ],
)
def test_batches_are_named_after_their_file(location, name):
    assert batches.name_from_file(location) == name


def test_bad_sources_are_one_line(lake, delivery, tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        batches.register(lake, "b", [str(tmp_path / "absent.tsv")])
    with pytest.raises(SourceError, match="no folder"):
        batches.images_entry(str(delivery / "manifest.csv"))
    (tmp_path / "nothing").mkdir()
    with pytest.raises(SourceError, match="hold no file"):
        batches.images_entry(str(tmp_path / "nothing"))


def test_a_damaged_or_foreign_marker_is_said(lake, delivery):
    land(lake, delivery)
    marker = lake.landing / "b1" / "batch.json"
    good = marker.read_text()
    marker.write_text("{")
    with pytest.raises(SourceError, match="damaged"):
        batches.load(lake, "b1")
    marker.write_text(good.replace('"b1"', '"b2"'))
    with pytest.raises(SourceError, match="must agree"):
        batches.load(lake, "b1")
    with pytest.raises(SourceError, match="has not landed"):
        batches.load(lake, "b3")


def ingest(lake, name, delivery="d", standard="s", text="x"):
    for asset in batches.BATCH_ASSETS:
        with lake.writing(asset, name, "1" * 64, inputs={}, delivery=delivery, standard=standard) as draft:
            (draft.folder / "file").write_text(text + asset)


def test_ingested_means_every_output_of_this_delivery_and_standard(lake, delivery):
    batch = land(lake, delivery)
    assert not batches.is_ingested(lake, batch)
    ingest(lake, "b1", delivery=batch.fingerprint, standard=batches.standard(Settings()))
    assert batches.is_ingested(lake, batch)
    assert batches.is_ingested(lake, batch, Settings())
    assert not batches.is_ingested(lake, batch, Settings.model_validate({"barcodes": {"min_length": 300}}))
    # A setting that batches do not read leaves them as they are.
    assert batches.is_ingested(lake, batch, Settings.model_validate({"gates": {"require_bin": True}}))


def test_a_pin_names_whole_batches_and_notices_when_one_changes(lake):
    ingest(lake, "b1")
    with lake.writing("raw_records", "b2", "1" * 64, inputs={}) as draft:
        (draft.folder / "file").write_text("half a batch")
    pin = batches.pin_current(lake)
    assert list(pin.batches) == ["b1"]
    batches.save_pin(lake, pin)
    assert batches.load_pin(lake, pin.digest) == pin
    ingest(lake, "b1", text="other")
    with pytest.raises(LakeError, match="ingested again"):
        batches.load_pin(lake, pin.digest)
    with pytest.raises(LakeError, match="no digest"):
        batches.load_pin(lake, "../../etc/passwd")


def test_records_on_the_web_are_landed_by_their_content(tmp_path, web_folder):
    (tmp_path / "a.tsv").write_bytes(b"rows")
    address = web_folder(tmp_path) + "/a.tsv?token=x"
    lake = Lake(tmp_path / "lake")
    batch = batches.register(lake, "b1", [address])
    assert batch.records[0].location == address
    assert batch.locate(address) == address
    assert batch.records[0].sha256 == hashlib.sha256(b"rows").hexdigest()
    assert batch.fingerprint == batches.register(lake, "b1", [str(tmp_path / "a.tsv")]).fingerprint
    assert batches.name_from_file(address) == "a"
