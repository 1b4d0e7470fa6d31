"""Which file belongs to which specimen."""

import zipfile
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.errors import SourceError
from bioscan_etl.images.index import index_images
from bioscan_etl.schema import IMAGE_INDEX
from bioscan_etl.settings import ImageSettings

SETTINGS = ImageSettings()


def folder(root: Path, *names: str) -> str:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"bytes of {name}".encode())
    return str(root)


def manifest(root: Path, text: str | bytes) -> Path:
    path = root / "manifest.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def statuses(index: pl.DataFrame) -> dict[str, tuple[str | None, str]]:
    return {row["image_file"]: (row["processid"], row["status"]) for row in index.iter_rows(named=True)}


def index_of(sources, lines=None, processids=None) -> pl.DataFrame:
    series = None if processids is None else pl.Series(processids, dtype=pl.String)
    index = index_images(sources, lines, series, "batch-1", SETTINGS)
    IMAGE_INDEX.check(index)
    return index


def test_files_are_taken_by_their_names(tmp_path: Path) -> None:
    names = ("A-1.jpg", "A-2.1024px.jpg", "A-3.JPEG", "sub/A-4.png", "A-5.tif", "A-6.TIFF")
    noise = ("Thumbs.db", ".DS_Store", "notes.csv", "two words.jpg", "A-7.gif")
    index = index_of([folder(tmp_path, *names, *noise)])
    found = {name: (f"A-{number}", "found") for number, name in enumerate(names, 1)}
    assert statuses(index) == found | {"two words.jpg": (None, "no_record")}
    row = index.row(by_predicate=pl.col("processid") == "A-4", named=True)
    assert row["sha256"] == sha256(b"bytes of sub/A-4.png").hexdigest()
    assert row["size_bytes"] == len(b"bytes of sub/A-4.png")
    assert index.filter(pl.col("status") == "found")["sha256"].null_count() == 0


def test_files_of_other_records_are_not_read(tmp_path: Path) -> None:
    index = index_of([folder(tmp_path, "A-1.jpg", "B-1.jpg")], processids=["A-1", "C-1"])
    assert statuses(index) == {"A-1.jpg": ("A-1", "found"), "B-1.jpg": ("B-1", "no_record")}
    assert index.filter(pl.col("status") == "no_record")["sha256"].to_list() == [None]
    assert index_of([str(tmp_path)], processids=[])["status"].to_list() == ["no_record", "no_record"]


def test_first_file_by_name_wins(tmp_path: Path) -> None:
    index = index_of([folder(tmp_path, "A-1.png", "A-1.jpg", "A-1.1024px.jpg")])
    assert statuses(index) == {
        "A-1.1024px.jpg": ("A-1", "found"),
        "A-1.jpg": ("A-1", "duplicate"),
        "A-1.png": ("A-1", "duplicate"),
    }


def test_manifest_wins_over_names(tmp_path: Path) -> None:
    source = folder(tmp_path / "images", "B-1.jpg", "A-1.jpg", "C-1.jpg", "deep/scan 7.dat")
    lines = manifest(tmp_path, "\ufeffprocessid,image_file,who\nA-1,B-1.jpg,me\nD-1,scan 7.dat,me\nE-1,gone.jpg,me\n")
    assert statuses(index_of([source], lines)) == {
        "B-1.jpg": ("A-1", "found"),
        "A-1.jpg": ("A-1", "duplicate"),
        "C-1.jpg": ("C-1", "found"),
        "deep/scan 7.dat": ("D-1", "found"),
        "gone.jpg": ("E-1", "missing"),
    }


def test_exact_path_goes_before_file_name(tmp_path: Path) -> None:
    source = folder(tmp_path / "images", "x.jpg", "other/x.jpg")
    index = index_of([source], manifest(tmp_path, "processid,image_file\nA-1,x.jpg\nA-2,other/x.jpg\n"))
    assert statuses(index) == {"x.jpg": ("A-1", "found"), "other/x.jpg": ("A-2", "found")}


def test_bad_manifest_lines_are_rows(tmp_path: Path) -> None:
    source = folder(tmp_path / "images", "x.jpg")
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    text = "processid,image_file\nA-1\n,x.jpg\n../../x,x.jpg\nA-2,../secret.jpg\nA-3,/etc/passwd\nA-3,/etc/passwd\n\n"
    index = index_of([source], manifest(tmp_path, text))
    assert statuses(index) == {
        "x.jpg": ("x", "found"),
        "(manifest line 2)": (None, "missing"),
        "(manifest line 3)": (None, "missing"),
        "(manifest line 4)": (None, "unsafe_name"),
        "../secret.jpg": ("A-2", "unsafe_name"),
        "/etc/passwd": ("A-3", "unsafe_name"),
    }
    assert index.filter(pl.col("status") != "found")["sha256"].null_count() == 5


def test_one_file_for_two_specimens(tmp_path: Path) -> None:
    source = folder(tmp_path / "images", "x.jpg")
    index = index_of([source], manifest(tmp_path, "processid,image_file\nA-1,x.jpg\nA-2,x.jpg\n"))
    assert index.select("processid", "status").rows() == [("A-1", "found"), ("A-2", "found")]


def test_repeated_names_in_sources_count_once_each(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one", "A-1.jpg"), folder(tmp_path / "two", "A-1.jpg", "A-2.jpg")
    index = index_of([two, one])
    assert statuses(index) == {
        "A-1.jpg": ("A-1", "found"),
        "A-1.jpg#2": (None, "duplicate"),
        "A-2.jpg": ("A-2", "found"),
    }
    assert index.equals(index_of([one, two]))


def test_unsafe_and_damaged_zip_members(tmp_path: Path) -> None:
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../A-1.jpg", b"evil")
        archive.writestr("A-2.jpg", b"0123456789" * 9)
        archive.writestr("A-3.jpg", b"fine")
    path.write_bytes(path.read_bytes().replace(b"0123456789", b"0123456780", 1))
    index = index_of([str(path)])
    assert statuses(index) == {
        "../A-1.jpg": (None, "unsafe_name"),
        "A-2.jpg": ("A-2", "found"),
        "A-3.jpg": ("A-3", "found"),
    }
    damaged = index.row(by_predicate=pl.col("processid") == "A-2", named=True)
    assert damaged["sha256"] is None
    assert "CRC" in damaged["detail"]


@pytest.mark.parametrize("text", [b"", b"id,file\nA-1,x.jpg\n"])
def test_a_file_that_is_no_manifest_is_an_error(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(SourceError) as raised:
        index_of([folder(tmp_path / "images", "x.jpg")], manifest(tmp_path, text))
    assert "\n" not in str(raised.value)
    with pytest.raises(SourceError):
        index_of([str(tmp_path / "images")], tmp_path / "absent.csv")


def test_threads_and_progress(tmp_path: Path) -> None:
    source = folder(tmp_path, *(f"A-{number}.jpg" for number in range(60)))
    reports = []
    indexes = [
        index_images([source], None, None, "b", ImageSettings(workers=workers), lambda *report: reports.append(report))
        for workers in (1, 4)
    ]
    assert indexes[0].equals(indexes[1])
    assert reports[-1] == ("image_index", 60, 60)


@given(st.binary(max_size=200))
def test_any_manifest_is_rows_or_one_line(tmp_path_factory: pytest.TempPathFactory, tail: bytes) -> None:
    root = tmp_path_factory.mktemp("manifest")
    source = folder(root / "images", "A-1.jpg")
    try:
        index = index_of([source], manifest(root, b"processid,image_file\nA-1,A-1.jpg\n" + tail))
    except SourceError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert ("A-1", "found") in index.select("processid", "status").rows()


def test_real_images_by_manifest(shared_data: Path) -> None:
    lines = shared_data / "image_manifest.csv"
    index = index_of([str(shared_data / "images")], lines, pl.read_csv(lines)["processid"].to_list())
    assert index["status"].value_counts().rows() == [("found", 1032)]
    assert index["sha256"].null_count() == 0
