"""Folders: which of their files are records, images, the manifest, and what they lack."""

import gzip
import io
import json
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioscan_etl.errors import SourceError
from bioscan_etl.landing import recognise
from bioscan_etl.landing.folder import NO_RECORDS, is_folder, list_delivery

COLUMNS = ("processid", "marker_code", "nuc", "bin_uri", "phylum", "class", "order", "family", "subfamily", "genus")
HEADER = (*COLUMNS, "species")
ROW = ("A-1", "COI-5P", "ACGT", "BOLD:AAA0001", "Arthropoda", "Insecta", "Diptera", "", "", "", "")
TABLE = "\t".join(HEADER) + "\n" + "\t".join(ROW) + "\n"
LINE = json.dumps(dict(zip(HEADER, ROW, strict=True))) + "\n"
MANIFEST = "processid,image_file\nA-1,A-1.jpg\n"


def fill(folder: Path, **files: str | bytes) -> Path:
    """Files by name, `__` for `.` and `___` for `/` so that they can be keywords."""
    for name, data in files.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def zipped(**files: str | bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("___", "/").replace("__", "."), data)
    return stream.getvalue()


def tarred(name: str, data: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data.encode()))
    return stream.getvalue()


def names(folder: Path, locations) -> list[str]:
    return [os.path.relpath(location, folder) for location in locations]


def test_a_whole_delivery_is_told_apart(tmp_path):
    folder = fill(
        tmp_path,
        records__tsv=TABLE,
        image_manifest__csv=MANIFEST,
        images___A_1__jpg=b"jpeg",
        more___deep___B_1__PNG=b"png",
        plates__zip=zipped(C_1__jpg=b"jpeg", __MACOSX___C_1__jpg=b"x"),
        DONE="",
        batch__json="{}",
        README__md="text",
        checksums__md5="x",
        Thumbs__db="x",
        notes__xlsx=b"PK",
    )
    (folder / ".DS_Store").write_bytes(b"x")
    found = recognise(str(folder))
    assert names(folder, found.records) == ["records.tsv"]
    assert names(folder, found.images) == ["images", "more", "plates.zip"]
    assert names(folder, [found.image_manifest]) == ["image_manifest.csv"]
    assert found.unknown == ("notes.xlsx",)
    assert found.lacks == ()
    assert found.done is not None
    assert "README.md" not in {file.name for file in found.files}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.tsv", TABLE),
        ("a.TSV", TABLE),
        ("a.txt", TABLE),
        ("a.csv", TABLE),
        ("a.jsonl", LINE),
        ("a.json", LINE),
        ("a.tsv.gz", gzip.compress(TABLE.encode())),
        ("a.tar.gz", tarred("x/a.tsv", TABLE)),
        ("a.tgz", tarred("x/a.tsv", TABLE)),
        ("a.zip", zipped(a__tsv=TABLE)),
        ("sub/a.tsv", TABLE),
    ],
)
def test_records_come_in_many_forms(tmp_path, name, data):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    found = recognise(str(tmp_path))
    assert names(tmp_path, found.records) == [name]
    assert found.unknown == found.lacks == ()
    assert recognise(str(path)).records == (str(path),)


def test_parquet_is_records(tmp_path):
    import polars as pl

    pl.DataFrame([ROW], schema=list(HEADER), orient="row").write_parquet(tmp_path / "a.parquet")
    assert names(tmp_path, recognise(str(tmp_path)).records) == ["a.parquet"]


def test_parquet_with_damaged_names_of_columns_is_said(tmp_path):
    import polars as pl

    pl.DataFrame({"processid": ["A-1"], "x": ["y"]}).write_parquet(tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes().replace(b"processid", b"\xf4rocessid")
    (tmp_path / "a.parquet").write_bytes(data)
    found = recognise(str(tmp_path))
    assert found.records == ()
    assert "a.parquet" in found.lacks[0]


def test_a_descriptor_is_no_records_file_but_part_of_the_delivery(tmp_path):
    fill(tmp_path, a__tsv=TABLE, a__datapackage__json='{"name": "BOLD_Public.18-Dec-2023"}')
    found = recognise(str(tmp_path))
    assert names(tmp_path, found.records) == ["a.tsv"]
    assert found.unknown == ()
    assert "a.datapackage.json" in {file.name for file in found.files}


def test_a_zip_of_records_and_images_is_both(tmp_path):
    fill(tmp_path, all__zip=zipped(a__tsv=TABLE, images___A_1__jpg=b"jpeg"))
    found = recognise(str(tmp_path))
    assert names(tmp_path, found.records) == names(tmp_path, found.images) == ["all.zip"]


def test_images_beside_the_records_make_the_folder_their_source(tmp_path):
    fill(tmp_path, a__tsv=TABLE, A_1__jpg=b"jpeg", more___B_1__jpg=b"jpeg")
    assert recognise(str(tmp_path)).images == (str(tmp_path),)


def test_paths_of_the_manifest_from_the_folder_on_make_the_folder_their_source(tmp_path):
    fill(tmp_path, a__tsv=TABLE, images___A_1__jpg=b"jpeg", m__csv="processid,image_file\nA-1,images/A_1.jpg\n")
    assert recognise(str(tmp_path)).images == (str(tmp_path),)
    fill(tmp_path, m__csv="processid,image_file\nA-1,A_1.jpg\n")
    assert names(tmp_path, recognise(str(tmp_path)).images) == ["images"]


def test_a_manifest_is_told_by_its_header(tmp_path):
    fill(
        tmp_path, a__tsv=TABLE, which__csv='\ufeff"processid", Image_File ,x\nA-1,A-1.jpg,1\n', other__csv="a,b\n1,2\n"
    )
    found = recognise(str(tmp_path))
    assert names(tmp_path, [found.image_manifest]) == ["which.csv"]
    assert found.unknown == ("other.csv",)


def test_two_manifests_are_one_too_many(tmp_path):
    fill(tmp_path, a__tsv=TABLE, m__csv=MANIFEST, n__csv=MANIFEST)
    found = recognise(str(tmp_path))
    assert found.image_manifest is None
    assert "m.csv and n.csv" in found.lacks[0]


def test_a_manifest_without_its_columns_is_said(tmp_path):
    fill(tmp_path, a__tsv=TABLE, image_manifest__csv="id,file\n")
    assert "lacks the columns processid" in recognise(str(tmp_path)).lacks[0]


def test_what_a_folder_lacks_is_said(tmp_path):
    fill(tmp_path, images___A_1__jpg=b"jpeg")
    assert recognise(str(tmp_path)).lacks == (NO_RECORDS,)
    fill(tmp_path, m__csv=MANIFEST)
    assert recognise(str(tmp_path)).lacks == ()
    shutil.rmtree(tmp_path / "images")
    assert recognise(str(tmp_path)).lacks == (NO_RECORDS,)


def test_the_reason_why_a_file_is_no_records_file_is_said(tmp_path):
    fill(tmp_path, a__csv="name,where\nA,B\n")
    found = recognise(str(tmp_path))
    assert found.lacks[0].startswith(NO_RECORDS)
    assert "a.csv" in found.lacks[0]
    assert found.unknown == ("a.csv",)


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("b.tsv", b"", "is empty"),
        ("b.tsv", "a\tb\n1\t2\n", "unknown layout"),
        ("b.tsv", "\t".join(HEADER) + "\n", "no rows"),
        ("b.parquet", b"PAR1 cut", "damaged"),
        ("b.zip", zipped(A_1__jpg=b"jpeg" * 100)[:-40], "not a complete zip"),
        ("b.tar.gz", tarred("A-1.jpg", "jpeg"), "without a .tsv"),
    ],
)
def test_a_damaged_file_of_a_delivery_is_never_left_out_unsaid(tmp_path, name, data, why):
    fill(tmp_path, a__tsv=TABLE)
    (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    found = recognise(str(tmp_path))
    assert any(why in sentence for sentence in found.lacks)
    assert all(len(sentence.splitlines()) == 1 for sentence in found.lacks)


def test_links_that_lead_out_are_not_followed(tmp_path):
    outside = fill(tmp_path / "outside", a__tsv=TABLE, images___A_1__jpg=b"jpeg")
    inside = fill(tmp_path / "inside", b__tsv=TABLE)
    (inside / "a.tsv").symlink_to(outside / "a.tsv")
    (inside / "images").symlink_to(outside / "images")
    (inside / "loop").symlink_to(inside)
    (inside / "c.tsv").symlink_to(inside / "b.tsv")
    found = recognise(str(inside))
    assert names(inside, found.records) == ["b.tsv", "c.tsv"]
    assert found.images == ()


def test_the_seen_digest_knows_times_and_the_listing_does_not(tmp_path):
    fill(tmp_path, a__tsv=TABLE)
    before = list_delivery(str(tmp_path))
    os.utime(tmp_path / "a.tsv", (1, 1))
    after = list_delivery(str(tmp_path))
    assert before.listing == after.listing
    assert before.seen != after.seen
    (tmp_path / ".a.tsv.Xy12").write_bytes(b"what rsync writes into")
    assert list_delivery(str(tmp_path)).listing != after.listing
    assert list_delivery(str(tmp_path)).seen == after.seen


def test_absent_places_are_one_line(tmp_path):
    for location in (str(tmp_path / "no"), str(tmp_path / "no.tsv"), str(tmp_path / "a\0b")):
        with pytest.raises(SourceError, match="check the path") as caught:
            recognise(location)
        assert len(str(caught.value).splitlines()) == 1


def test_a_single_file_of_another_kind_is_said(tmp_path):
    fill(tmp_path, notes__txt="hello\n", A_1__jpg=b"jpeg")
    assert "unknown layout" in recognise(str(tmp_path / "notes.txt")).lacks[0]
    assert "images as a folder or a zip" in recognise(str(tmp_path / "A_1.jpg")).lacks[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(100))
@given(
    st.sampled_from(
        ["a.tsv", "a.csv", "a.json", "a.txt", "a.zip", "a.tar.gz", "a.gz", "a.parquet", "image_manifest.csv"]
    ),
    st.sampled_from(
        [b"", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"PAR1", b"{", b"[", b"processid,image_file\n"]
    ),
    st.binary(max_size=200),
)
def test_arbitrary_files_never_raise(tmp_path, name, magic, data):
    folder = tmp_path / "d"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / name).write_bytes(magic + data)
    for sentence in recognise(str(folder)).lacks:
        assert len(sentence.splitlines()) == 1


def test_an_s3_prefix_is_a_folder(s3):
    for key, data in {
        "d7/a.tsv": TABLE.encode(),
        "d7/images/A-1.jpg": b"jpeg",
        "d7/images/#2?.jpg": b"jpeg",
        "d7/plates.zip": zipped(B_1__jpg=b"jpeg"),
        "d7/m.csv": MANIFEST.encode(),
        "d7/DONE": b"",
        "d7/notes.doc": b"x",
    }.items():
        s3.put_object(Bucket="deliveries", Key=key, Body=data)
    for location in ("s3://deliveries/d7", "s3://deliveries/d7/"):
        assert is_folder(location)
        found = recognise(location)
        assert found.records == ("s3://deliveries/d7/a.tsv",)
        assert found.images == ("s3://deliveries/d7/images", "s3://deliveries/d7/plates.zip")
        assert found.image_manifest == "s3://deliveries/d7/m.csv"
        assert found.unknown == ("notes.doc",)
        assert found.done
        assert found.lacks == ()
    before = list_delivery("s3://deliveries/d7").seen
    s3.put_object(Bucket="deliveries", Key="d7/a.tsv", Body=TABLE.encode())
    assert list_delivery("s3://deliveries/d7").seen == before
    s3.put_object(Bucket="deliveries", Key="d7/a.tsv", Body=TABLE.replace("ACGT", "ACGA").encode())
    assert list_delivery("s3://deliveries/d7").seen != before
    with pytest.raises(SourceError):
        list_delivery("s3://no-such-bucket/x")


def test_real_deliveries_are_told_apart(shared_data):
    found = recognise(str(shared_data / "bold"))
    assert len(found.records) == 3
    assert found.unknown == found.lacks == ()
    case = recognise(str(shared_data.parent / "cases" / "10-jpeg-warnings-of-whole-pictures"))
    assert [Path(each).name for each in case.records] == ["records.tsv"]
    assert [Path(each).name for each in case.images] == ["images"]
    triage = recognise(str(shared_data / "second_triage.csv"))
    assert triage.records == ()
    assert triage.lacks
    assert recognise(str(shared_data / "image_manifest.csv")).image_manifest


@pytest.mark.parametrize("text", ["processid;image_file\nA-1;b/a.jpg\n", "processid\timage_file\rA-1\tb/a.jpg\r"])
def test_a_manifest_of_another_separator_is_one_too(tmp_path, text):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.jpg").write_bytes(b"x")
    (tmp_path / "names.csv").write_text(text)
    found = recognise(str(tmp_path))
    assert found.image_manifest == str(tmp_path / "names.csv")
    assert found.images == (str(tmp_path),)  # the manifest's paths are those of the whole folder
