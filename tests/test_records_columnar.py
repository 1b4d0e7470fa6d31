import datetime as dt
import io
import zipfile

import polars as pl
import pytest

from bioscan_etl.errors import SourceError
from bioscan_etl.records.extract import extract
from bioscan_etl.records.inspect import inspect
from bioscan_etl.records.read import read
from bioscan_etl.records.sources import Entry, RecordsFile
from bioscan_etl.settings import RecordSettings
from bioscan_etl.vocabulary import RANKS

SETTINGS = RecordSettings()


def frame(**columns):
    rows = len(next(iter(columns.values())))
    base = {"processid": [f"A-{row}" for row in range(rows)], "marker_code": ["COI-5P"] * rows, "nuc": ["ACGT"] * rows}
    base |= {name: [None] * rows for name in ("bin_uri", *RANKS)}
    return pl.DataFrame(base | columns)


def parquet(table):
    stream = io.BytesIO()
    table.write_parquet(stream)
    return stream.getvalue()


def rows_of(data):
    blocks = list(read(Entry("t.parquet", iter([data[:7], data[7:]])), SETTINGS))
    return pl.concat([block.rows for block in blocks]), pl.concat([block.rejects for block in blocks])


def test_types_become_the_text_that_tables_have():
    rows, rejects = rows_of(
        parquet(
            frame(
                coord=[[53.59, -106.278]],
                bold_recordset_code_arr=[["AACTA", "DS-CAPP"]],
                elev=[12],
                collection_date_end=[dt.date(2020, 2, 28)],
                country_iso=["NA"],
                region=[" None "],
                habitat=[True],
                mood=[{"a": 1}],
            )
        )
    )
    assert rejects.height == 0
    row = rows.row(0, named=True)
    assert row["coord"] == "[53.59, -106.278]"
    assert row["bold_recordset_code_arr"] == "['AACTA', 'DS-CAPP']"
    assert (row["elev"], row["collection_date_end"], row["habitat"]) == ("12", "2020-02-28", "true")
    assert (row["country_iso"], row["region"], row["source_line"]) == ("NA", None, 1)
    assert row["extra:mood"] == '{"a":1}'
    assert set(rows.drop("source_line").dtypes) == {pl.String()}


def test_rows_without_a_usable_process_id():
    rows, rejects = rows_of(parquet(frame(processid=["A-1", None, "../x", "nan"], elev=[1, 2, 3, 4])))
    assert rows["processid"].to_list() == ["A-1"]
    assert rejects.select("source_line", "reason").rows() == [
        (2, "no_processid"),
        (3, "unsafe_processid"),
        (4, "unsafe_processid"),
    ]
    assert '"processid":"../x"' in rejects["raw_text"][1]
    assert '"elev":"3"' in rejects["raw_text"][1]


def test_many_row_groups_and_an_archive(tmp_path):
    table = frame(elev=list(range(25_000)))
    data = parquet(table)
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("in/t.parquet", data)
    (tmp_path / "t.parquet").write_bytes(data)
    for name in ("t.parquet", "t.zip"):
        file = RecordsFile(str(tmp_path / name))
        assert inspect(file).generation == "BCDM, other columns"
        counts = extract([file], "b", SETTINGS, tmp_path / "out")
        assert (counts.rows_read, counts.records) == (25_000, 25_000)
        found = pl.read_parquet(tmp_path / "out" / "records.parquet")
        assert found["source_line"].to_list() == list(range(1, 25_001))
        assert found["elev"].to_list() == [str(row) for row in range(25_000)]


@pytest.mark.parametrize("share", [0.2, 0.95])
def test_a_cut_file_is_an_error_of_one_line(tmp_path, share):
    data = parquet(frame(elev=list(range(1000))))
    (tmp_path / "t.parquet").write_bytes(data[: int(len(data) * share)])
    for read_it in (inspect, lambda file: extract([file], "b", SETTINGS, tmp_path / "out")):
        with pytest.raises(SourceError, match="damaged Parquet") as error:
            read_it(RecordsFile(str(tmp_path / "t.parquet")))
        assert "\n" not in str(error.value)


def test_an_unknown_layout_and_no_rows(tmp_path):
    with pytest.raises(SourceError, match="missing processid"):
        rows_of(parquet(pl.DataFrame({"a": [1]})))
    (tmp_path / "t.parquet").write_bytes(parquet(frame(elev=[1]).clear()))
    with pytest.raises(SourceError, match="has columns but no rows"):
        inspect(RecordsFile(str(tmp_path / "t.parquet")))
