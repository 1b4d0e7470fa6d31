"""Folders, zips (also on S3) and S3 prefixes as image sources."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.errors import SourceError
from bioscan_etl.images.sources import DamagedFile, open_source, open_sources, printable, unsafe_reason
from bioscan_etl.io.s3 import client


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../x.jpg", "a/../../x.jpg", "a\\b.jpg", "C:/x.jpg", "a\x00b.jpg", "a\nb.jpg", "a\udcff.jpg"],
)
def test_unsafe_names_have_a_reason(name: str) -> None:
    assert unsafe_reason(name)


@pytest.mark.parametrize("name", ["A-1.jpg", "sub/A-1.jpg", "a..b.jpg", "Ünï.jpg", "a b.jpg"])
def test_ordinary_names_are_safe(name: str) -> None:
    assert unsafe_reason(name) == ""


@given(st.text())
def test_a_safe_name_stays_below_its_folder(name: str) -> None:
    if not unsafe_reason(name):
        assert Path(os.path.normpath(f"/root/{name}")).is_relative_to("/root")


@given(st.text(alphabet=st.characters()))
def test_printable_names_fit_into_a_table(name: str) -> None:
    shown = printable(name)
    assert shown.isprintable()
    shown.encode()


def test_folder_lists_sorted_and_reads_only_inside(tmp_path: Path) -> None:
    root = tmp_path / "images"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (root / "b.jpg").write_bytes(b"bb")
    (root / "sub" / "a.jpg").write_bytes(b"a")
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    source = open_source(str(root))
    assert [(file.name, file.size) for file in source.files()] == [("b.jpg", 2), ("sub/a.jpg", 1)]
    assert source.read("sub/a.jpg") == b"a"
    for name in ("../secret.jpg", str(tmp_path / "secret.jpg"), "link.jpg"):
        assert not source.holds(name)
        with pytest.raises(DamagedFile):
            source.read(name)
    with pytest.raises(SourceError, match="Index the batch again"):
        source.read("gone.jpg")


def test_zip_is_read_in_place_and_flags_traversal(tmp_path: Path) -> None:
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("../../evil.jpg", "/abs.jpg", "back\\slash.jpg", "ok/A-1.jpg"):
            archive.writestr(name, name.encode())
        archive.mkdir("empty")
    before = sorted(tmp_path.rglob("*"))
    source = open_source(str(path))
    files = {file.name: file.problem for file in source.files()}
    assert files["ok/A-1.jpg"] == ""
    assert len(files) == 4
    assert all(problem for name, problem in files.items() if name != "ok/A-1.jpg")
    assert source.read("ok/A-1.jpg") == b"ok/A-1.jpg"
    with pytest.raises(DamagedFile):
        source.read("../../evil.jpg")
    assert sorted(tmp_path.rglob("*")) == before


def test_zip_member_with_wrong_checksum_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("A-1.jpg", b"0123456789" * 50)
        archive.writestr("A-2.jpg", b"whole")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"0123456789", b"0123456780", 1))
    source = open_source(str(path))
    with pytest.raises(DamagedFile, match="CRC"):
        source.read("A-1.jpg")
    assert source.read("A-2.jpg") == b"whole"


def test_zip_bomb_is_refused_by_its_declared_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("A-1.jpg", bytes(100_000))
    monkeypatch.setattr("bioscan_etl.images.sources.MAX_FILE_BYTES", 50_000)
    with pytest.raises(DamagedFile, match="100000 bytes"):
        open_source(str(path)).read("A-1.jpg")


def test_zip_is_read_by_several_threads(tmp_path: Path) -> None:
    path = tmp_path / "images.zip"
    names = [f"A-{number}.jpg" for number in range(200)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, name.encode() * 1000)
    source = open_source(str(path))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(source.read, names)) == [name.encode() * 1000 for name in names]


def test_broken_sources_are_one_line_errors(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"this is text")
    for location in (str(tmp_path / "absent"), str(tmp_path / "no.zip"), str(tmp_path / "absent.zip"), "s3://b/x.zip"):
        with pytest.raises(SourceError) as raised:
            open_source(location)
        assert "\n" not in str(raised.value)


def test_several_sources_have_one_order(tmp_path: Path) -> None:
    for folder, content in (("one", b"1"), ("two", b"2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.jpg").write_bytes(content)
    (tmp_path / "two" / "other.jpg").write_bytes(b"o")
    locations = [str(tmp_path / "two"), str(tmp_path / "one")]
    with open_sources(locations) as sources:
        assert sources.read("same.jpg") == b"1"
        assert sources.read("other.jpg") == b"o"
        with pytest.raises(SourceError):
            sources.read("none.jpg")


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory):
    """An S3-compatible server process and a client for it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("s3") / "log"
    patch = pytest.MonkeyPatch()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        patch.setenv(name, value)
    with log.open("wb") as output:
        server = subprocess.Popen(
            [str(Path(sys.executable).with_name("moto_server")), "-p", str(port)], stdout=output, stderr=output
        )
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=1).close()
                    break
                except (urllib.error.URLError, OSError):
                    time.sleep(0.1)
            else:
                pytest.fail(log.read_text())
            client.cache_clear()
            yield client()
        finally:
            server.terminate()
            server.wait()
            client.cache_clear()
            patch.undo()


def test_s3_prefix_is_listed_and_read(s3) -> None:
    s3.create_bucket(Bucket="images")
    for key, body in {"run/b.jpg": b"bb", "run/sub/a.jpg": b"a", "running/c.jpg": b"c", "run/../x.jpg": b"x"}.items():
        s3.put_object(Bucket="images", Key=key, Body=body)
    source = open_source("s3://images/run/")
    files = source.files()
    assert {file.name: file.size for file in files if not file.problem} == {"b.jpg": 2, "sub/a.jpg": 1}
    assert [file.name for file in files if file.problem] == ["../x.jpg"]
    assert source.holds("b.jpg")
    assert not source.holds("../x.jpg")
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(source.read, ["b.jpg", "sub/a.jpg"] * 10)) == [b"bb", b"a"] * 10
    with pytest.raises(SourceError):
        source.read("absent.jpg")
    with pytest.raises(SourceError, match="s3://nowhere"):
        open_source("s3://nowhere/run").files()


def test_a_zip_on_s3_is_read_in_place(s3, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    members = {f"plate/A-{number:03d}.jpg": rng.bytes(30_000 + 500 * number) for number in range(60)}
    with zipfile.ZipFile(tmp_path / "images.zip", "w", zipfile.ZIP_DEFLATED) as written:
        for name, data in members.items():
            written.writestr(name, data)
        written.writestr("../evil.jpg", b"x")
    s3.create_bucket(Bucket="archives")
    s3.upload_file(str(tmp_path / "images.zip"), "archives", "run/images.zip")
    s3.put_object(Bucket="archives", Key="run/broken.zip", Body=b"no archive")
    source = open_source("s3://archives/run/images.zip")
    assert {file.name: file.size for file in source.files() if not file.problem} == {
        name: len(data) for name, data in members.items()
    }
    assert [file.name for file in source.files() if file.problem] == ["../evil.jpg"]
    names = sorted(members)[::3] * 3
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(source.read, names)) == [members[name] for name in names]
    with pytest.raises(DamagedFile):
        source.read("../evil.jpg")
    source.close()
    with pytest.raises(SourceError, match="no whole zip"):
        open_source("s3://archives/run/broken.zip")
    with pytest.raises(SourceError, match=r"s3://archives/run/absent\.zip"):
        open_source("s3://archives/run/absent.zip")


def test_a_zip_on_s3_that_is_replaced_meanwhile_is_an_error(s3, tmp_path: Path) -> None:
    s3.create_bucket(Bucket="changing")
    for size in (400_000, 500_000):
        with zipfile.ZipFile(tmp_path / "images.zip", "w") as written:
            for number in range(3):
                written.writestr(f"A-{number}.jpg", b"x" * size)
        s3.upload_file(str(tmp_path / "images.zip"), "changing", "images.zip")
        if size == 400_000:
            source = open_source("s3://changing/images.zip")
    with pytest.raises(SourceError, match="s3://changing"):
        source.read("A-0.jpg")
