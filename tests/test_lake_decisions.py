"""The curators' files of a corpus, and the copy that a run reads."""

import pytest

from bioscan_etl.errors import LakeError
from bioscan_etl.lake import Lake
from bioscan_etl.lake.decisions import Files, drop_copies, find, folder, load_copy, save_copy


@pytest.fixture
def lake(tmp_path):
    found = Lake(tmp_path / "out")
    folder(found).mkdir(parents=True)
    return found


def test_a_file_that_cannot_be_read_hides_no_other(lake):
    (folder(lake) / "anna.csv").write_bytes(b"\xef\xbb\xbfa,b\n")
    (folder(lake) / "Bert.CSV").write_text("c\n")
    (folder(lake) / "bad\x1b.csv").write_bytes(b"ab\xff")
    (folder(lake) / "folder.csv").mkdir()
    (folder(lake) / "notes.txt").write_text("x")
    (folder(lake) / ".lock").write_text("")
    found = find(lake)
    assert found.texts == {"anna.csv": "a,b\n", "Bert.CSV": "c\n"}
    assert found.unreadable[r"bad\x1b.csv"] == "is not UTF-8 (byte 3); save it as UTF-8 text"
    assert "it is no file" in found.unreadable["folder.csv"]


def test_the_digest_is_of_names_and_contents(lake):
    assert find(lake).digest == "" == Files().digest
    (folder(lake) / "anna.csv").write_text("a\n")
    first = find(lake).digest
    (folder(lake) / "anna.csv").write_text("b\n")
    second = find(lake).digest
    (folder(lake) / "anna.csv").rename(folder(lake) / "bert.csv")
    assert len({first, second, find(lake).digest}) == 3


def test_a_run_reads_the_copy_although_a_curator_goes_on(lake):
    (folder(lake) / "anna.csv").write_text("a\n")
    (folder(lake) / "bad.csv").write_bytes(b"\xff")
    files = find(lake)
    digest = save_copy(lake, files)
    (folder(lake) / "anna.csv").unlink()
    assert load_copy(lake, digest) == files
    assert load_copy(lake, "") == Files()
    other = save_copy(lake, Files({"x.csv": "y"}))
    drop_copies(lake, {other})
    assert load_copy(lake, other).texts == {"x.csv": "y"}
    with pytest.raises(LakeError, match="does not exist"):
        load_copy(lake, digest)


def test_a_damaged_copy_is_noticed(lake):
    digest = save_copy(lake, Files({"x.csv": "y"}))
    (path,) = (lake.home / "decisions").glob("*.json")
    path.write_text(path.read_text().replace('"y"', '"z"'))
    with pytest.raises(LakeError, match="is damaged"):
        load_copy(lake, digest)
