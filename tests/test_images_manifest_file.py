"""The image manifest: every form in which a spreadsheet saves it gives the same lines."""

import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.errors import SourceError
from bioscan_etl.images.index import index_images
from bioscan_etl.images.manifest_file import is_manifest, read_manifest
from bioscan_etl.settings import ImageSettings

PLAIN = "processid,image_file,note\nA-1,a.jpg,x\nB-2,b c.jpg,\n"
LINES = [(2, "A-1", "a.jpg"), (3, "B-2", "b c.jpg")]


def read(folder, data):
    path = folder / "image_manifest.csv"
    path.write_bytes(data)
    return read_manifest(path).rows()


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace(",", "\t").encode("utf-16"),
        PLAIN.replace("processid", ' "ProcessID " ').encode(),
        b'"processid","image_file","note"\n"A-1","a.jpg","x"\n"B-2","b c.jpg",""\n',
        PLAIN.rstrip("\n").encode(),
        PLAIN.replace("processid,image_file,note", "note,image_file,processid").replace("A-1,a.jpg,x", "x,a.jpg,A-1")
        .replace("B-2,b c.jpg,", ",b c.jpg,B-2").encode(),
    ],
)  # fmt: skip
def test_every_form_gives_the_same_lines(tmp_path, data):
    assert is_manifest(data[:4096])
    assert read(tmp_path, data) == LINES


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"processid,ProcessID,image_file\nA,B,c\n", "has the column processid twice; keep one"),
        (b"processid, processid,image_file\nA,B,c\n", "has the column processid twice; keep one"),
        (b"id,file\nA,B\n", "has the columns id, file; it needs processid and image_file"),
        (b"", r"has the columns \(none\)"),
        (b"\n\n", r"has the columns \(none\)"),
        (b"\x1b[2J,image_file\nA,b\n", r"has the columns \\x1b\[2j, image_file"),
        (b"\xff\xd8\xff\xe0" + bytes(range(256)), "it needs processid and image_file"),
    ],
)
def test_what_is_no_manifest_is_refused_in_one_line(tmp_path, data, message):
    with pytest.raises(SourceError, match=message) as caught:
        read(tmp_path, data)
    assert str(caught.value).isprintable()


def test_lines_without_a_value_and_bytes_of_another_encoding_cost_no_other_line(tmp_path):
    data = b"processid,image_file\nA-1\n\n ,\nB-2,m\xfcller.jpg\nC-3,c.jpg,more,and more\n"
    assert read(tmp_path, data) == [(2, "A-1", ""), (5, "B-2", "m\ufffdller.jpg"), (6, "C-3", "c.jpg")]
    assert read(tmp_path, b"processid,image_file\n") == []
    assert read(tmp_path, b"processid,image_file") == []


def test_a_quote_that_does_not_end_is_said(tmp_path):
    with pytest.raises(SourceError, match="cannot be read as CSV"):
        read(tmp_path, b'processid,image_file\n"A-1,a.jpg\nB-2,b.jpg\n')


def test_a_file_whose_name_cannot_be_seen_is_named_with_the_reason(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "A-1\u200b.jpg").write_bytes(b"x")
    (folder / "gpj\u202e.B-2.jpg").write_bytes(b"x")
    manifest = tmp_path / "m.csv"
    manifest.write_text("processid,image_file\nA-1,A-1\u200b.jpg\n", encoding="utf-8")
    index = index_images([str(folder)], manifest, None, "b", ImageSettings())
    assert set(index["status"]) == {"unsafe_name"}
    assert set(index["detail"]) == {"the name holds characters that cannot be seen"}
    assert all(name.isprintable() for name in index["image_file"])


CELL = st.text(st.characters(codec="utf-8", exclude_characters='"\r\n,;\t\x00'), min_size=1).filter(
    lambda text: text.strip() == text and text.splitlines() == [text] and not text.startswith("\ufeff")
)


@settings(max_examples=examples(100))
@given(
    st.lists(st.tuples(CELL, CELL), max_size=5),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_text_comes_back(tmp_path_factory, rows, separator, end):
    path = tmp_path_factory.mktemp("any", numbered=True) / "m.csv"
    text = end.join(separator.join(row) for row in [("processid", "image_file"), *rows]) + end
    path.write_bytes(text.encode())
    found = read_manifest(path)
    strip = pl.Series([value for row in rows for value in row], dtype=pl.String).str.strip_chars()
    assert [value for row in found.rows() for value in row[1:]] == strip.to_list()
