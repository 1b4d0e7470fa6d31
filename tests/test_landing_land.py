"""Landing what a person names: hashes, names, and messages about what cannot be landed."""

import datetime as dt
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from test_landing_folder import MANIFEST, TABLE, fill, zipped

from bioscan_etl import landing
from bioscan_etl.errors import SourceError, UnavailableError
from bioscan_etl.io.locations import hide
from bioscan_etl.io.read import list_files, open_binary
from bioscan_etl.lake import Lake, digest
from bioscan_etl.landing import folder as folder_module
from bioscan_etl.records.snapshots import find_descriptor


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "out")


@pytest.fixture
def delivery(tmp_path):
    return fill(
        tmp_path / "delivery",
        BOLD_Public__18_Dec_2023__tsv=TABLE,
        images___A_1__jpg=b"jpeg",
        manifest__csv=MANIFEST.replace("A-1.jpg", "A_1.jpg"),
    )


def registered(lake, delivery, name="b1", **more):
    return landing.register(
        lake,
        name,
        [str(delivery / "BOLD_Public.18_Dec_2023.tsv")],
        [str(delivery / "images")],
        str(delivery / "manifest.csv"),
        **more,
    )


def test_a_registered_batch_reads_back(lake, delivery):
    batch = registered(lake, delivery, snapshot_date=dt.date(2023, 12, 18))
    again = landing.load(lake, "b1")
    assert again == batch
    assert again.records[0].snapshot_date == dt.date(2023, 12, 18)
    assert again.records[0].location == "../../../delivery/BOLD_Public.18_Dec_2023.tsv"
    assert (again.origin, again.seen) == (None, None)
    assert landing.landed(lake) == ["b1"]


def test_the_fingerprint_is_the_content_wherever_it_lies(lake, delivery, tmp_path):
    first = registered(lake, delivery).fingerprint
    moved = tmp_path / "else" / "where"
    shutil.copytree(delivery, moved, copy_function=shutil.copyfile)
    assert registered(lake, moved).fingerprint == first
    (moved / "images" / "A_1.jpg").write_bytes(b"JPEG")
    other = registered(lake, moved).fingerprint
    assert other != first
    (moved / "BOLD_Public.18_Dec_2023.tsv").write_text("processid\nA-2\n")
    assert registered(lake, moved).fingerprint not in {first, other}


def test_a_descriptor_beside_the_records_is_content(lake, delivery):
    first = registered(lake, delivery).fingerprint
    text = '{"name": "BOLD_Public.18-Dec-2023", "resources": [{"path": "BOLD_Public.18_Dec_2023.tsv"}]}'
    (delivery / "datapackage.json").write_text(text)
    assert registered(lake, delivery).fingerprint != first


def test_bad_sources_are_one_line(lake, delivery, tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        landing.register(lake, "b", [str(tmp_path / "absent.tsv")])
    with pytest.raises(SourceError, match="batch name"):
        landing.register(lake, "a b", [str(delivery / "BOLD_Public.18_Dec_2023.tsv")])
    with pytest.raises(SourceError, match="no folder"):
        landing.images_entry(str(delivery / "manifest.csv"))
    with pytest.raises(SourceError, match="cannot be read"):
        landing.images_entry(str(delivery / "absent.zip"))
    fill(tmp_path / "nothing", README__md="x", notes__txt="x", DONE="")
    with pytest.raises(SourceError, match="hold no image file"):
        landing.images_entry(str(tmp_path / "nothing"))
    assert landing.landed(lake) == []


def test_changed_images_are_noticed_before_the_ingest(lake, delivery):
    (delivery / "plates.zip").write_bytes(zipped(B_1__jpg=b"jpeg"))
    batch = landing.land(lake, [str(delivery)])
    assert not any(landing.images_changed(batch, entry) for entry in batch.images)
    (delivery / "images" / ".DS_Store").write_bytes(b"x")
    (delivery / "images" / "README.txt").write_bytes(b"x")
    assert not landing.images_changed(batch, batch.images[0])
    (delivery / "images" / "A_2.jpg").write_bytes(b"x")
    (delivery / "plates.zip").write_bytes(zipped(B_2__jpg=b"other"))
    assert all(landing.images_changed(batch, entry) for entry in batch.images)


def test_images_of_a_marker_of_version_1_are_held_against_its_listing(lake, delivery):
    images = delivery / "images"
    listing = digest([[f.name, f.size, Path(f.location).stat().st_mtime_ns] for f in list_files(str(images))])
    entry = landing.ImagesEntry(location=str(images), files=1, listing=listing)
    batch = landing.Batch(name="b1", images=(entry,), folder=lake.landing / "b1")
    assert not landing.images_changed(batch, entry)
    os.utime(images / "A_1.jpg", (1, 1))
    assert landing.images_changed(batch, entry)


def test_records_on_the_web_are_landed_by_their_content(lake, tmp_path, web_folder):
    (tmp_path / "a.tsv").write_text(TABLE)
    address = web_folder(tmp_path) + "/a.tsv?token=x"
    batch = landing.register(lake, "a", [address])
    assert batch.records[0].location == address
    assert batch.locate(address) == address
    assert batch.records[0].sha256 == hashlib.sha256(TABLE.encode()).hexdigest()
    assert batch.fingerprint == landing.register(lake, "a", [str(tmp_path / "a.tsv")]).fingerprint
    assert landing.land(lake, [address]).fingerprint == batch.fingerprint


def test_a_folder_is_landed_as_a_whole(lake, delivery):
    told = []
    batch = landing.land(lake, [str(delivery)], progress=lambda *report: told.append(report))
    assert batch.name == "delivery"
    assert batch.origin == "../../../delivery"
    assert batch.seen
    assert [entry.location for entry in batch.images] == ["../../../delivery/images"]
    assert batch.image_manifest.location == "../../../delivery/manifest.csv"
    assert landing.load(lake, "delivery") == batch
    assert ("hash images", 1, 1) in told
    assert ("hash delivery", 1, 1) in told
    assert batch.fingerprint == registered(lake, delivery, "delivery").fingerprint


def test_a_folder_below_landing_keeps_its_name_and_locations(lake, delivery, tmp_path):
    home = lake.landing / "plates.zip"
    shutil.copytree(delivery, home)
    shutil.move(home / "images" / "A_1.jpg", home / "A_1.jpg")
    batch = landing.land(lake, [str(home)])
    assert (batch.name, batch.origin, batch.images[0].location) == ("plates.zip", ".", ".")
    # The marker that lies in the folder now is no part of it.
    assert not landing.images_changed(batch, batch.images[0])
    assert landing.land(lake, [str(home)]) == batch
    # The same delivery elsewhere is the same content.
    shutil.copytree(home, tmp_path / "inbox" / "plates.zip")
    assert landing.land(lake, [str(tmp_path / "inbox" / "plates.zip")], "plates.zip").fingerprint == batch.fingerprint


def test_names_come_from_the_folder_or_the_only_records_file(lake, delivery, tmp_path, monkeypatch):
    table = delivery / "BOLD_Public.18_Dec_2023.tsv"
    shutil.copytree(delivery, tmp_path / "plate 7")
    assert landing.land(lake, [str(tmp_path / "plate 7")]).name == "plate-7"
    assert landing.land(lake, [str(table), str(delivery / "images")]).name == "BOLD_Public.18_Dec_2023"
    assert landing.land(lake, [str(table)], "mine").name == "mine"
    monkeypatch.chdir(delivery)
    assert landing.land(lake, ["."]).name == "delivery"
    (tmp_path / "b.tsv").write_text(TABLE)
    with pytest.raises(SourceError, match="--batch"):
        landing.land(lake, [str(table), str(tmp_path / "b.tsv")])
    with pytest.raises(SourceError, match="batch name"):
        landing.land(lake, [str(table)], "a/b")


def test_a_mixture_is_landed_and_remembers_no_origin(lake, delivery, tmp_path):
    (tmp_path / "plates.zip").write_bytes(zipped(B_1__jpg=b"jpeg"))
    table = delivery / "BOLD_Public.18_Dec_2023.tsv"
    sources = [str(table), str(delivery / "images"), str(tmp_path / "plates.zip"), str(delivery / "manifest.csv")]
    batch = landing.land(lake, sources, "b1", snapshot_date=dt.date(2023, 12, 18))
    assert len(batch.images) == 2
    assert batch.image_manifest is not None
    assert batch.origin is None
    assert batch.seen is not None
    assert batch.records[0].snapshot_date == dt.date(2023, 12, 18)


def test_images_alone_need_a_manifest(lake, delivery):
    with pytest.raises(SourceError, match=r"no records file .* add one, or an image manifest"):
        landing.land(lake, [str(delivery / "images")], "b1")
    batch = landing.land(lake, [str(delivery / "images"), str(delivery / "manifest.csv")], "b1")
    assert batch.records == ()


def test_what_is_lacking_is_said_in_one_line(lake, delivery, tmp_path):
    (tmp_path / "empty").mkdir()
    for sources, why in [
        ([], "nothing to land"),
        ([str(tmp_path / "empty")], "no records file"),
        ([str(tmp_path / "absent")], "cannot be read"),
        ([str(delivery), str(delivery / "manifest.csv")], "keep one image manifest"),
        ([str(delivery / "images" / "A_1.jpg")], "as a folder or a zip"),
    ]:
        with pytest.raises(SourceError, match=why) as caught:
            landing.land(lake, sources, "b1")
        assert len(str(caught.value).splitlines()) == 1
    (delivery / "b.tsv").write_bytes(b"")
    with pytest.raises(SourceError, match="correct or remove"):
        landing.land(lake, [str(delivery)])
    assert landing.landed(lake) == []


def test_a_folder_that_changes_while_it_is_hashed_is_not_landed(lake, delivery):
    def arrive(stage, done, total=None):
        (delivery / "images" / f"late-{stage}-{done}.jpg").write_bytes(b"x")

    with pytest.raises(UnavailableError, match="changed while it was hashed"):
        landing.land(lake, [str(delivery)], progress=arrive)
    assert landing.landed(lake) == []


def test_a_file_that_may_not_be_read_is_said_before_the_hashing(lake, delivery, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("A_1.jpg"))
    with pytest.raises(SourceError, match=r"A_1\.jpg cannot be read"):
        landing.land(lake, [str(delivery)])


def test_s3_is_landed_by_etags(lake, s3):
    for key, data in {"d8/a.tsv": TABLE, "d8/images/A-1.jpg": "jpeg", "d8/p.zip": zipped(B_1__jpg=b"jpeg")}.items():
        s3.put_object(Bucket="deliveries", Key=key, Body=data)
    batch = landing.land(lake, ["s3://deliveries/d8/"])
    assert batch.name == "d8"
    assert batch.origin == "s3://deliveries/d8"
    assert [entry.location for entry in batch.images] == ["s3://deliveries/d8/images", "s3://deliveries/d8/p.zip"]
    assert not any(landing.images_changed(batch, entry) for entry in batch.images)
    s3.put_object(Bucket="deliveries", Key="d8/images/A-1.jpg", Body="JPEG")
    assert landing.images_changed(batch, batch.images[0])
    again = landing.land(lake, ["s3://deliveries/d8"])
    assert again.fingerprint != batch.fingerprint
    s3.put_object(Bucket="deliveries", Key="d8/images/A-1.jpg", Body="jpeg")
    assert landing.land(lake, ["s3://deliveries/d8"]).fingerprint == batch.fingerprint
    mixed = landing.land(lake, ["s3://deliveries/d8/a.tsv", "s3://deliveries/d8/images/"])
    assert (mixed.name, mixed.origin) == ("a", None)


def test_real_deliveries_land(lake, shared_data):
    bold = landing.land(lake, [str(shared_data / "bold")])
    assert len(bold.records) == 3
    assert any(entry.descriptor for entry in bold.records)
    files = [str(shared_data / "bold" / "chironominae_norway_2025.tsv")]
    files += [str(shared_data / "images"), str(shared_data / "image_manifest.csv")]
    batch = landing.land(lake, files)
    assert batch.name == "chironominae_norway_2025"
    assert batch.images[0].files == 1032
    assert landing.load(lake, batch.name) == batch


def test_a_web_address_is_no_folder():
    assert not folder_module.is_folder("https://host/a")


@pytest.fixture
def web(tmp_path):
    """A web server for one records file; it asks for nothing, and so gets any address."""
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "r.tsv").write_text(TABLE)
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_no_password_or_signature_stands_in_a_marker(lake, web):
    address = hide(f"http://me:hunter2@{web}/r.tsv?X-Amz-Signature=0badc0de&format=tsv")
    batch = landing.register(lake, "b1", [address])
    path = lake.landing / "b1" / "batch.json"
    assert "hunter2" not in path.read_text()
    assert "0badc0de" not in path.read_text()
    assert "format=tsv" in path.read_text()
    location = batch.locate(landing.load(lake, "b1").records[0].location)
    with open_binary(location) as stream:  # this process was given the whole address
        assert stream.read() == TABLE.encode()
    code = f"from bioscan_etl.io.read import open_binary; open_binary({location!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "its password or signature is not stored; give the whole address again" in done.stderr


def test_the_descriptor_beside_a_file_behind_a_password_is_found(web, tmp_path):
    package = {"resources": [{"path": "r.tsv"}]}
    (tmp_path / "web" / "datapackage.json").write_text(json.dumps(package))
    assert json.loads(find_descriptor(hide(f"http://me:hunter2@{web}/r.tsv?token=abc"))) == package
