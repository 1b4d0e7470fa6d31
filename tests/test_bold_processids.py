"""Process IDs from lists and records files."""

import gzip

import pytest

from bioscan_etl.bold.processids import from_list, from_records
from bioscan_etl.errors import SourceError
from bioscan_etl.schema import BCDM
from bioscan_etl.settings import RecordSettings


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("A-2\nA-1\nA-2\n", ["A-1", "A-2"]),
        ("processid\r\n A-1 \r\n\r\n# a note\r\nA-2", ["A-1", "A-2"]),
        ("\ufeffA-1\n", ["A-1"]),
        ("../x\n", ["../x"]),
    ],
)
def test_a_list_has_one_process_id_per_line(tmp_path, text, ids):
    path = tmp_path / "ids.txt"
    path.write_text(text, encoding="utf-8")
    assert from_list(path).to_list() == ids


@pytest.mark.parametrize("text", ["", "processid\n", "# nothing\n\n"])
def test_a_list_without_process_ids_is_said(tmp_path, text):
    path = tmp_path / "ids.txt"
    path.write_text(text)
    with pytest.raises(SourceError, match="names no process ID"):
        from_list(path)


def test_a_list_that_is_absent_is_said(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        from_list(tmp_path / "none.txt")


def table(*processids):
    columns = ["processid", *(column.name for column in BCDM)]
    rows = [[processid, *(["None"] * len(BCDM))] for processid in processids]
    return "".join("\t".join(row) + "\n" for row in [columns, *rows]).encode()


def test_records_name_each_process_id_once(tmp_path):
    path = tmp_path / "records.tsv.gz"
    path.write_bytes(gzip.compress(table("B-1", "A-1", "B-1", "../up")))
    assert from_records(str(path), RecordSettings()).to_list() == ["A-1", "B-1"]


def test_a_damaged_records_file_is_said(tmp_path):
    path = tmp_path / "records.tsv.gz"
    path.write_bytes(gzip.compress(table(*(f"A-{n}" for n in range(2000))))[:-20])
    with pytest.raises(SourceError, match="is damaged"):
        from_records(str(path), RecordSettings())


def test_records_without_rows_are_said(tmp_path):
    path = tmp_path / "records.tsv"
    path.write_bytes(table())
    with pytest.raises(SourceError, match="holds no record"):
        from_records(str(path), RecordSettings())
