import gzip

import pytest

from bioscan_etl.errors import SourceError
from bioscan_etl.records.inspect import inspect
from bioscan_etl.records.sources import RecordsFile

HEADER = b"processid\tmarker_code\tnuc\tbin_uri\tphylum\tclass\torder\tfamily\tsubfamily\tgenus\tspecies"
TABLE = HEADER + b"\n\n\n" + b"\t".join([b"A-1"] * 11) + b"\n"


def look(tmp_path, data, name="a.tsv"):
    path = tmp_path / name
    path.write_bytes(data)
    return inspect(RecordsFile(str(path)))


def test_layout_of_a_sound_file(tmp_path):
    assert look(tmp_path, TABLE).generation == "BCDM, other columns"
    assert look(tmp_path, gzip.compress(TABLE, mtime=0)).header[0] == "processid"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty: expected a header line"),
        (b"\n\n", "is empty: expected a header line"),
        (HEADER, "has a header but no rows"),
        (HEADER + b"\r\n\r\n", "has a header but no rows"),
        (b"a\tb\n1\t2\n", "unknown layout"),
        (b"\x1f\x8b" + bytes(50), "unreadable or empty gzip"),
        (gzip.compress(TABLE, mtime=0)[:12], "expected a header line|ends within"),
        (b"PK\x03\x04" + bytes(50), "unreadable"),
    ],
)
def test_what_is_no_records_file_is_told_in_one_line(tmp_path, data, message):
    with pytest.raises(SourceError, match=message) as error:
        look(tmp_path, data)
    assert "a.tsv" in str(error.value)
    assert "\n" not in str(error.value)


def test_absent_file_and_folder(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        inspect(RecordsFile(str(tmp_path / "none.tsv")))
    with pytest.raises(SourceError, match="cannot be read"):
        inspect(RecordsFile(str(tmp_path)))


def test_a_file_cut_behind_its_header_can_be_used(tmp_path):
    noise = b"".join(b"%d\t" % (number * 7919) for number in range(50_000))
    data = gzip.compress(TABLE + noise, mtime=0)
    assert look(tmp_path, data[: len(data) // 2]).header[0] == "processid"


def test_real_files(shared_data):
    found = {path.name: inspect(RecordsFile(str(path))).generation for path in (shared_data / "bold").glob("*.tsv")}
    assert found == {
        "BOLD_Public.18-Dec-2023.head.tsv": "BCDM 2023",
        "BOLD_Public.21-Jun-2024.NL.tsv": "BCDM Jun-2024",
        "chironominae_norway_2025.tsv": "BCDM 2025",
    }
