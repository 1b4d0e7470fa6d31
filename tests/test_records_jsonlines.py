import gzip
import json

import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.errors import SourceError
from bioscan_etl.records import jsonlines
from bioscan_etl.records.extract import extract
from bioscan_etl.records.inspect import inspect
from bioscan_etl.records.read import read
from bioscan_etl.records.sources import Entry, RecordsFile
from bioscan_etl.settings import RecordSettings

SETTINGS = RecordSettings()


def record(processid="AAA001-20", **values):
    return {
        "processid": processid,
        "marker_code": "COI-5P",
        "nuc": "ACGT",
        "bin_uri": "BOLD:AAA0001",
        "genus": "Apis",
        **values,
    }


def text(*rows, end="\n"):
    return end.join(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows).encode()


def table(data, size=1 << 23):
    """All rows and rejects, the number of rows read, and the layout of the last block."""
    settings = SETTINGS.model_copy(update={"chunk_bytes": size})
    blocks = list(read(Entry("t.jsonl", iter([data[at : at + 997] for at in range(0, len(data), 997)])), settings))
    rows = pl.concat([block.rows for block in blocks], how="diagonal")
    rejects = pl.concat([block.rejects for block in blocks])
    number = sum(block.rows_read for block in blocks)
    assert number == rows.height + rejects.height
    return rows, rejects, number, blocks[-1].layout


def test_values_become_the_text_that_tables_have():
    rows, rejects, _, layout = table(
        text(
            record(
                coord=[53.59, -106.278],
                bold_recordset_code_arr=["AACTA", "DS-CAPP"],
                elev=12,
                taxid=12345678901234567890123,
                notes='a "b"\tc é',
                habitat=True,
                sex=None,
                region="None",
                site=" ",
            )
        )
    )
    assert rejects.height == 0
    row = rows.row(0, named=True)
    assert row["coord"] == "[53.59, -106.278]"
    assert row["bold_recordset_code_arr"] == "['AACTA', 'DS-CAPP']"
    assert (row["elev"], row["taxid"], row["habitat"]) == ("12", "12345678901234567890123", "true")
    assert row["notes"] == 'a "b" c é'
    assert row["flags"] == ["TEXT_INVISIBLE"]
    assert (row["sex"], row["region"], row["site"]) == (None, None, None)
    assert row["record_id"] == "AAA001-20.COI-5P"
    assert "species" in layout.absent
    assert layout.generation == "BCDM, other columns"


def test_names_of_the_api_and_unknown_keys():
    rows, _, _, layout = table(text(record(**{"country.ocean": "Norway", "province.state": "Troms", "mood": "happy"})))
    assert rows.select("country/ocean", "province/state", "extra:mood").row(0) == ("Norway", "Troms", "happy")
    assert layout.generation == "BCDM API 2026"
    assert layout.extra == ("mood",)


def test_lines_that_are_no_record_are_rejected_with_their_number():
    data = text(
        record("A-1"),
        '{"processid": "A-2", "nuc": ',
        "",
        "[1, 2]",
        "null",
        '"text"',
        record(None),
        record("../../x"),
        record("NA"),
        '{"processid": "A-3"}{"processid": "A-4"}',
        '{"processid": "A-5", "elev": NaN}',
        '{"processid": "A-5", "notes": "\\ud800"}',
        record("A-6"),
    )
    rows, rejects, number, _ = table(data + b"\n")
    assert rows.select("source_line", "processid").rows() == [(1, "A-1"), (13, "A-6")]
    assert number == 12
    reasons = dict(rejects.select("source_line", "reason").rows())
    assert reasons == dict.fromkeys((2, 4, 5, 6, 10, 11, 12), "not_json") | {
        7: "no_processid",
        8: "unsafe_processid",
        9: "unsafe_processid",
    }
    lines = data.decode().split("\n")
    assert rejects["raw_text"].to_list() == [lines[line - 1] for line in rejects["source_line"]]


def test_bytes_that_are_no_text_are_their_own_reason():
    rows, rejects, _, _ = table(text(record("A-1")) + b'\n{"processid": "Qu\xe9bec"}\n' + text(record("A-2")) + b"\n")
    assert rows["processid"].to_list() == ["A-1", "A-2"]
    assert rejects.select("source_line", "reason").row(0) == (2, "undecodable")


def test_line_ends_and_a_byte_order_mark():
    rows, rejects, _, _ = table(b"\xef\xbb\xbf" + text(record("A-1"), record("A-2"), end="\r\n"))
    assert rows.select("source_line", "processid").rows() == [(1, "A-1"), (2, "A-2")]
    assert rejects.height == 0


@pytest.mark.parametrize("size", [200, 3000, 1 << 23])
def test_keys_that_come_late(monkeypatch, size):
    monkeypatch.setattr(jsonlines, "LOOK_LINES", 3)
    late = [record(f"B-{number}", tribe="Apini", mood="happy", country="Norway") for number in range(20)]
    rows, rejects, _, _ = table(text(*(record(f"A-{number}") for number in range(20)), *late), size)
    assert rejects.height == 0
    for name in ("tribe", "extra:mood", "country/ocean"):
        assert rows[name].null_count() == 20


@pytest.mark.parametrize("size", [200, 8 << 20])
def test_late_keys_of_several_layouts_fill_one_column(monkeypatch, size):
    monkeypatch.setattr(jsonlines, "LOOK_LINES", 2)
    first = [record(f"A-{number}") for number in range(4)]
    late = [
        record("B-1", country="Norway"),
        record("B-2", **{"country/ocean": "Chad"}),
        record("B-3", lat="1", lon="2"),
    ]
    both = record("B-4", **{"country/ocean": "Chad", "country": "Mali"})
    rows, rejects, _, _ = table(text(*first, *late, both), size)
    assert rejects.height == 0
    kept = rows.filter(pl.col("processid").str.starts_with("B")).select("country/ocean", "coord", "extra:country/ocean")
    assert kept.rows() == [
        ("Norway", None, None),
        ("Chad", None, None),
        (None, "[1, 2]", None),
        ("Mali", None, "Chad"),
    ]


def test_what_is_no_record_of_bold():
    with pytest.raises(SourceError, match=r"unknown layout.*missing processid"):
        table(text({"id": 1, "name": "x"}))
    with pytest.raises(SourceError, match="one JSON array"):
        table(b'[{"processid": "A-1"}]')
    with pytest.raises(SourceError, match="no JSON object in its first"):
        table(b"{not json\n")


def test_a_gzip_that_breaks_off(tmp_path):
    data = gzip.compress(text(*(record(f"A-{number * 7919}", notes=str(number**5)) for number in range(5000))))
    (tmp_path / "t.jsonl.gz").write_bytes(data[: len(data) // 2])
    file = RecordsFile(str(tmp_path / "t.jsonl.gz"))
    assert inspect(file).generation == "BCDM, other columns"
    counts = extract([file], "b", SETTINGS, tmp_path / "out")
    assert counts.rejected["truncated_file"] == 1
    assert counts.rows_read == counts.records + 1
    assert 1000 < counts.records < 4000


def test_the_same_bytes_whatever_the_size_of_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonlines, "LOOK_LINES", 10)
    rows = [record(f"A-{n % 97}", notes="x" * (n % 7), **({f"key{n % 5}": n} if n > 50 else {})) for n in range(900)]
    (tmp_path / "t.jsonl").write_bytes(text(*rows, "{", record("A-x")))
    found = []
    for size in (1 << 16, 1 << 20):
        settings = SETTINGS.model_copy(update={"chunk_bytes": size})
        counts = extract([RecordsFile(str(tmp_path / "t.jsonl"))], "b", settings, tmp_path / str(size))
        found.append([counts, (tmp_path / str(size) / "records.parquet").read_bytes()])
        assert counts.sources[0].extra == ("key0", "key1", "key2", "key3", "key4")
        assert (counts.rows_read, counts.records, counts.rejected["not_json"]) == (902, 98, 1)
    assert found[0] == found[1]


def test_a_table_and_its_json_give_the_same_records(shared_data, tmp_path):
    source = shared_data / "bold" / "chironominae_norway_2025.tsv"
    frame = pl.read_csv(source, separator="\t", infer_schema=False)
    frame.write_ndjson(tmp_path / "chironominae.jsonl")
    for name, location in (("tsv", source), ("json", tmp_path / "chironominae.jsonl")):
        extract([RecordsFile(str(location))], "b", SETTINGS, tmp_path / name)
    one, two = (pl.read_parquet(tmp_path / name / "records.parquet").drop("source_file") for name in ("tsv", "json"))
    assert one.drop("source_line").equals(two.drop("source_line"))
    assert (one["source_line"] - 1).equals(two["source_line"])


values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text(max_size=3)))
objects = st.dictionaries(st.sampled_from(["processid", "nuc", "notes", "x", "", "a b"]), values).map(json.dumps)
noise = st.one_of(st.binary(max_size=20), st.sampled_from([b"{", b"}", b"{}", b'{"processid":"A-1"}', b"\r"]))


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(st.one_of(objects.map(str.encode), noise), max_size=15), st.integers(1, 300))
def test_random_lines_never_raise_and_never_lose_a_row(parts, size):
    data = text(record()) + b"\n" + b"\n".join(parts)
    _, rejects, number, _ = table(data, size)
    filled = [line for line in data.split(b"\n") if line.removesuffix(b"\r")]
    assert number == len(filled)
    assert rejects["source_line"].is_sorted()


def test_a_key_that_polars_would_take_for_several_columns_is_one():
    rows, rejects, number, layout = table(
        text(record("AAA001-20", **{"*": "a", "^.*$": "b"}), record("AAA002-20", **{"*": "c"}))
    )
    assert (number, rejects.height) == (2, 0)
    assert set(layout.extra) == {"*", "^.*$"}
    assert rows["extra:*"].to_list() == ["a", "c"]
    assert rows["extra:^.*$"].to_list() == ["b", None]
    assert rows["genus"].to_list() == ["Apis", "Apis"]


def test_half_a_coordinate_in_the_first_lines_and_its_other_half_later(monkeypatch):
    monkeypatch.setattr(jsonlines, "LOOK_LINES", 1)
    first = record("AAA001-20", lat=1.5)
    rows, rejects, _, _ = table(text(first, record("AAA002-20", lat=2.5, lon=3.5), record("AAA003-20", lon=4.5)), 400)
    assert rejects.height == 0
    assert rows["processid"].to_list() == ["AAA001-20", "AAA002-20", "AAA003-20"]
    assert "[2.5, 3.5]" in rows["coord"].to_list()


@pytest.mark.parametrize("line", ["9" * 400, '"ab"', "[1]", "null", "true", "1.5"])
def test_a_line_that_is_json_but_no_object_is_rejected(line):
    # The keys are collected without polars, which has no common type of a boolean and a list.
    rows, rejects, number, _ = table(text(record(notes=True), line, record("AAA002-20", notes=[1])))
    assert number == 3
    assert rows["processid"].to_list() == ["AAA001-20", "AAA002-20"]
    assert rejects["reason"].to_list() == ["not_json"]
