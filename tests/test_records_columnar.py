import datetime as dt
import io
import json
import zipfile

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
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
    assert set(rows.drop("source_line", "flags").dtypes) == {pl.String()}


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


@pytest.mark.parametrize("missing", [[], [None, None], None])
def test_a_missing_coordinate_is_missing_whatever_list_it_is(missing):
    rows, _ = rows_of(parquet(frame(coord=pl.Series([missing], dtype=pl.List(pl.Float64)))))
    assert rows["coord"].item() is None


def test_typed_columns_keep_their_meaning():
    typed = {
        "nuc_basecount": pl.Series([658.0, None]),
        "specimenid": pl.Series([12.0, float("nan")]),
        "elev": pl.Series([150.5, float("nan")]),
        "region": pl.Series(["a", None], dtype=pl.Categorical),
        "sector": pl.Series([b"caf\xe9", None], dtype=pl.Binary),
        "collection_date_end": pl.Series([dt.datetime(2020, 2, 28), None]),
        "collection_time": pl.Series([dt.time(10, 30), None]),
        "site": pl.Series([None, None], dtype=pl.Null),
        "habitat": pl.Series([[["a"], []], None], dtype=pl.List(pl.List(pl.String))),
        "depth": pl.Series([dt.timedelta(days=1), None]),
        "coord": pl.Series([{"lat": 1.5, "lon": -2.0}, {"lat": None, "lon": None}]),
        "notes": pl.Series([{"a": dt.date(2020, 1, 1), "b": 1}, None]),
    }
    base = frame(processid=["A-1", "A-2"])
    rows, rejects = rows_of(parquet(base.with_columns(**typed)))
    assert rejects.height == 0
    first, second = rows.rows(named=True)
    assert {name: first[name] for name in typed} == {
        "nuc_basecount": "658",
        "specimenid": "12",
        "elev": "150.5",
        "region": "a",
        "sector": "caf\ufffd",
        "collection_date_end": "2020-02-28",
        "collection_time": "10:30:00",
        "site": None,
        "habitat": "[['a'], None]",
        "depth": "P1D",
        "coord": "[1.5, -2.0]",
        "notes": '{"a":"2020-01-01","b":1}',
    }
    assert {second[name] for name in typed} == {None}
    assert first["flags"] == ["TEXT_UNDECODABLE"]


def test_types_that_polars_does_not_know_do_not_end_in_a_traceback(tmp_path):
    names = frame(processid=["A-1"]).columns
    table = pa.table({name: pa.array(["x", "y"]) for name in names if name != "processid"})
    table = table.append_column("processid", pa.array(["A-1", "A-2"]))
    table = table.append_column("map", pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())))
    table = table.append_column("half", pa.array([np.float16(1.5), None], pa.float16()))
    table = table.append_column("decimal", pa.array([None, 12], pa.decimal128(10, 2)))
    pq.write_table(table, tmp_path / "t.parquet")
    rows, rejects = rows_of((tmp_path / "t.parquet").read_bytes())
    assert rejects.height == 0
    assert rows["extra:decimal"].to_list() == [None, "12.00"]
    assert rows["extra:map"].to_list() == ['[["a", 1]]', None]
    assert rows["extra:half"].to_list() == ["1.5", None]


def test_a_name_that_polars_would_take_for_several_columns_or_fields_is_one():
    table = pl.DataFrame(
        {
            **frame(processid=["A-1", "A-2"]).to_dict(as_series=False),
            "*": ["a", None],
            "^.*$": ["b", "c"],
            "notes": [{"*": "x", "^.*$": "y", "z": 1}, {"*": None, "^.*$": "v", "z": 2}],
            "coord": [{"latitude": 1.5, "longitude": 2.5, "*": 0.0}, {"latitude": None, "longitude": None, "*": 1.0}],
        }
    )
    target = io.BytesIO()
    table.write_parquet(target)
    rows, rejects = rows_of(target.getvalue())
    assert rejects.height == 0
    assert rows["extra:*"].to_list() == ["a", None]
    assert rows["extra:^.*$"].to_list() == ["b", "c"]
    assert [json.loads(one) for one in rows["notes"]] == [
        {"*": "x", "^.*$": "y", "z": 1},
        {"*": None, "^.*$": "v", "z": 2},
    ]
    assert rows["coord"].to_list() == ["[1.5, 2.5]", None]
