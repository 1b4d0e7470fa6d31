import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.errors import SourceError
from bioscan_etl.invisible import cleaned
from bioscan_etl.processids import reason_unfit
from bioscan_etl.records import lines
from bioscan_etl.records.read import read
from bioscan_etl.records.sources import Entry, entries
from bioscan_etl.schema import REJECT_REASONS
from bioscan_etl.settings import RecordSettings

_COLUMNS = """
processid marker_code nuc bin_uri phylum class order family subfamily genus species country_iso
notes
"""
COLUMNS = _COLUMNS.split()
HEADER = "\t".join(COLUMNS).encode()
SETTINGS = RecordSettings()


def row(processid="AAA001-20", notes="fine", country_iso="NO", **values):
    filled = {
        "processid": processid,
        "marker_code": "COI-5P",
        "nuc": "ACGT",
        "bin_uri": "BOLD:AAA0001",
        "phylum": "Arthropoda",
        "class": "Insecta",
        "order": "Diptera",
        "family": "Sciaridae",
        "subfamily": "None",
        "genus": "",
        "species": " ",
        "country_iso": country_iso,
        "notes": notes,
    } | values
    return "\t".join(filled[name] for name in COLUMNS).encode()


def table(data, settings=SETTINGS, piece=None):
    """All good rows, all rejects and the number of rows read of one table."""
    size = piece or max(len(data), 1)
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    blocks = list(read(Entry("t.tsv", pieces), settings))
    rows = pl.concat([block.rows for block in blocks])
    rejects = pl.concat([block.rejects for block in blocks])
    number = sum(block.rows_read for block in blocks)
    assert number == rows.height + rejects.height
    return rows, rejects, number


def body(*rows, end=b"\n"):
    return end.join([HEADER, *rows]) + end


def test_every_column_is_text_and_nulls_are_folded():
    rows, rejects, _ = table(body(row(country_iso="NA", notes=" None "), row("B-2", country_iso="NO", notes="[NULL]")))
    assert rejects.height == 0
    assert rows["country_iso"].to_list() == ["NA", "NO"]
    for name in ("subfamily", "genus", "species", "notes"):
        assert rows[name].to_list() == [None, None]
    assert {kind for name, kind in rows.schema.items() if name not in ("source_line", "flags")} == {pl.String()}


def test_values_that_look_like_nulls_are_kept():
    rows, _, _ = table(
        body(*(row(f"A-{i}", notes=text) for i, text in enumerate(["Nan", "NULL", "none", "NA", "Unrecoverable"])))
    )
    assert rows["notes"].to_list() == ["Nan", "NULL", "none", "NA", "Unrecoverable"]


def test_null_markers_are_a_setting():
    rows, _, _ = table(body(row(notes="?"), row("B-1", notes="")), RecordSettings(null_markers=("?",)))
    assert rows["notes"].to_list() == [None, ""]
    assert rows["subfamily"].to_list() == ["None", "None"]


def test_outer_blanks_of_other_values_and_of_keys():
    rows, _, _ = table(body(row("  AAA-1 ", notes="  two words ", marker_code="COI-5P ")))
    assert rows["notes"].item() == "  two words "
    assert rows["processid"].item() == "AAA-1"
    assert rows["record_id"].item() == "AAA-1.COI-5P"


def test_quotes_are_data():
    rows, rejects, _ = table(body(row(notes='6" pan'), row("B-1", notes='"'), row("C-1", notes='"a"\'')))
    assert rows["notes"].to_list() == ['6" pan', '"', '"a"\'']
    assert rejects.height == 0


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_line_numbers_count_physical_lines(end):
    data = body(row("A-1"), b"", row("A-2"), b"too\tfew", b"", row("A-3"), end=end)
    rows, rejects, number = table(data)
    assert rows["source_line"].to_list() == [2, 4, 7]
    assert rejects.select("source_line", "reason", "detail", "raw_text").rows() == [
        (5, "field_count", "2 fields, the header has 13", "too\tfew")
    ]
    assert number == 4
    assert rows["notes"].to_list() == ["fine"] * 3


def test_byte_order_mark_missing_final_newline_and_nul_bytes():
    rows, rejects, _ = table(
        b"\xef\xbb\xbf" + HEADER + b"\n" + row("A-1", notes="a\0b") + b"\n" + row("A-2", notes="end")
    )
    assert rows["processid"].to_list() == ["A-1", "A-2"]
    assert rows["notes"].to_list() == ["ab", "end"]
    assert rows["flags"].to_list() == [["TEXT_INVISIBLE"], []]
    assert rows["verbatim"].to_list() == ['{"changed":[{"field":"notes","text":"a\\u0000b"}]}', None]
    assert rejects.height == 0


def test_a_byte_order_mark_amid_the_file_stays_where_it_is():
    marked = b"\xef\xbb\xbf" + row("A-1")
    _, rejects, _ = table(body(marked, marked))
    assert rejects["reason"].to_list() == ["unsafe_processid"] * 2
    assert rejects["raw_text"].to_list() == [marked.decode()] * 2


def test_rows_without_a_usable_process_id():
    texts = ["None", "", "../../x", "=cmd", "a.b", "a b", "ä1", "--help", "CON", "A" * 260, "A\u200b1", "A-1"]
    rows, rejects, _ = table(body(*(row(text) for text in texts)))
    assert rows["processid"].to_list() == ["A-1"]
    assert rejects["reason"].to_list() == ["no_processid"] * 2 + ["unsafe_processid"] * 9
    assert "../../x" in rejects["detail"][2]
    assert rejects["raw_text"].to_list() == [row(text).decode() for text in texts[:-1]]


def test_a_stray_byte_costs_a_letter_not_the_row():
    bad = row("A-2").replace(b"fine", b"Qu\xe9bec")
    key = row("A\0-3").replace(b"\0", b"\xe9")
    rows, rejects, _ = table(body(row("A-1", notes="Québec"), bad, key, row("A-4")))
    assert rows["processid"].to_list() == ["A-1", "A-2", "A-4"]
    assert rows["notes"].to_list() == ["Québec", "Qu\ufffdbec", "fine"]
    assert rows["flags"].to_list() == [[], ["TEXT_UNDECODABLE"], []]
    assert rejects["reason"].item() == "undecodable"
    assert "records.encoding" in rejects["detail"].item()
    assert rejects["source_line"].item() == 4
    assert rejects["raw_text"].item() == key.decode("utf-8", "backslashreplace")


def test_record_id_is_derived_where_the_source_has_none():
    header = HEADER + b"\trecord_id"
    rows, _, _ = table(
        b"\n".join(
            [header, row("A-1") + b"\tA-1.other", row("A-2") + b"\tNone", row("A-3", marker_code="None") + b"\t"]
        )
    )
    assert rows["record_id"].to_list() == ["A-1.other", "A-2.COI-5P", "A-3"]


def test_working_table_gets_marker_and_coordinate():
    columns_text = """
    processid nucraw uri country coord-lat coord-lon phylum class order family subfamily genus
    species
    """
    columns = columns_text.split()
    values = ["A-1\tACGT\tBOLD:AAA0001\tNorway\t60.5\t10.25", "A-2\tACGT\tNone\tNone\t\t", "A-3\tA\tNone\tNone\t1.5\t"]
    data = "\n".join(["\t".join(columns), *(value + "\tA" * 7 for value in values)])
    rows, _, _ = table(data.encode())
    assert rows["marker_code"].to_list() == ["COI-5P"] * 3
    assert rows["coord"].to_list() == ["[60.5, 10.25]", None, "[1.5, ]"]
    assert rows["country/ocean"].to_list() == ["Norway", None, None]
    assert rows["record_id"][0] == "A-1.COI-5P"


def test_lines_that_are_too_long(monkeypatch):
    monkeypatch.setattr(lines, "LONGEST_LINE", 300)
    long = row("A-2", notes="x" * 1000)
    for piece in (None, 7, 64, 333):
        rows, rejects, _ = table(body(row("A-1"), long, row("A-3")), piece=piece)
        assert rows["processid"].to_list() == ["A-1", "A-3"]
        assert rows["source_line"].to_list() == [2, 4]
        assert rejects["reason"].item() == "field_count"
        assert f"{len(long)} bytes" in rejects["detail"].item()
        assert rejects["raw_text"].item().startswith("A-2\t")


def test_a_row_longer_than_a_block_is_read():
    rows, rejects, _ = table(
        body(row("A-1", notes="x" * 200_000), row("A-2")), RecordSettings(chunk_bytes=1 << 16), 5000
    )
    assert rows["notes"].str.len_bytes().to_list() == [200_000, 4]
    assert rejects.height == 0


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n\n", b"\xef\xbb\xbf"])
def test_a_table_without_a_header_is_an_error(data):
    with pytest.raises(SourceError, match="expected a header line"):
        table(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a,b\n1,2\n", "missing processid"),
        ("processid\t".encode("utf-16"), "missing marker_code"),
        (bytes(range(256)), "unknown layout"),
    ],
)
def test_other_files_are_an_error_of_one_line(data, message):
    with pytest.raises(SourceError, match=message) as error:
        table(data)
    assert "\n" not in str(error.value)


def _expected(data):
    """What the rows of a table are that is written as BOLD does, told line by line."""
    good, bad = [], []
    for number, line in enumerate(data.decode().split("\n"), 1):
        text = line.removesuffix("\r")
        fields = text.split("\t")
        while len(fields) > len(COLUMNS) and not any(fields[len(COLUMNS) :]):
            fields.pop()
        fields[-1] = fields[-1].removesuffix("\r") if len(fields) < text.count("\t") + 1 else fields[-1]
        if number == 1 or not any(fields):
            continue
        processid = fields[0].strip()
        if len(fields) != len(COLUMNS):
            bad.append((number, "field_count"))
        elif processid in ("", "None", "[NULL]"):
            bad.append((number, "no_processid"))
        elif reason_unfit(processid):
            bad.append((number, "unsafe_processid"))
        else:
            good.append((number, processid, pl.select(cleaned(pl.lit(fields[-1]))).item()))
    return good, bad


pieces_of_rows = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [row(), row("A-1"), row("../../x"), row(""), row(notes="ü\u2028\x85"), b"", b"\r", b"\t" * 12, b"\xff\t\n"]
    ),
    st.sampled_from([b"\n", b"\r\n", b"\t", b'"', b"\0", b"\xef\xbb\xbf"]),
)


@settings(deadline=None)
@given(st.lists(pieces_of_rows, max_size=30), st.integers(1, 500), st.integers(1, 2000))
def test_random_bytes_never_raise_and_never_lose_a_row(parts, size, piece):
    data = HEADER + b"\n" + b"".join(parts)
    settings = SETTINGS.model_copy(update={"chunk_bytes": size})
    rows, rejects, number = table(data, settings, piece)
    assert set(rejects["reason"]) <= set(REJECT_REASONS)
    again, _, _ = table(data)
    assert rows.equals(again)
    if b'"' in data or not lines.is_utf8(data):
        return
    good, bad = _expected(data)
    assert number == len(good) + len(bad)
    assert rejects.select("source_line", "reason").rows() == bad
    assert rows.select("source_line", "processid").rows() == [entry[:2] for entry in good]
    kept = [(line, text if text.strip() not in ("", "None", "[NULL]") else None) for line, _, text in good]
    assert rows.select("source_line", "notes").rows() == kept


def test_mutated_real_rows_never_raise_and_never_lose_a_row(shared_data):
    source = (shared_data / "bold" / "chironominae_norway_2025.tsv").read_bytes()
    header, *real = source.splitlines()
    chance = random.Random(11)
    junk = [b"\t", b"\n", b"\r\n", b'"', b"\0", b"\xff", b"\xe9", b"", b"None", b"\xef\xbb\xbf", bytes(range(256))]
    mutated = []
    for _ in range(10_000):
        line = bytearray(chance.choice(real))
        start = chance.randrange(len(line) + 1)
        line[start : start + chance.choice([0, 1, 1, 5, 500])] = chance.choice(junk)
        mutated.append(bytes(line))
    data = b"\n".join([header, *mutated])
    expected = sum(1 for line in data.split(b"\n")[1:] if line.removesuffix(b"\r"))
    results = []
    for size in (1 << 16, 1 << 25):
        rows, rejects, number = table(data, RecordSettings(chunk_bytes=size), 1 << 15)
        assert number == expected
        results.append((rows, rejects))
    assert results[0][0].equals(results[1][0])
    assert results[0][1].equals(results[1][1])
    assert {"field_count", "unsafe_processid", "undecodable"} <= set(results[0][1]["reason"]) <= set(REJECT_REASONS)


@pytest.mark.parametrize(
    ("name", "rows", "processids", "barcodes"),
    [
        ("BOLD_Public.18-Dec-2023.head.tsv", 999, 999, 999),
        ("BOLD_Public.21-Jun-2024.NL.tsv", 515, 515, 515),
        ("chironominae_norway_2025.tsv", 2006, 1648, 1648),
    ],
)
def test_real_files_meet_the_counts_of_the_spec(shared_data, name, rows, processids, barcodes):
    location = str(shared_data / "bold" / name)
    blocks = [block for entry in entries(location) for block in read(entry, SETTINGS, location)]
    frame = pl.concat([block.rows for block in blocks])
    assert (frame.height, frame["processid"].n_unique()) == (rows, processids)
    assert frame.filter(pl.col("marker_code") == "COI-5P").height == barcodes
    assert sum(block.rejects.height for block in blocks) == 0
    if name.startswith("chironominae"):
        assert frame["country_iso"].value_counts().rows() == [("NO", 2006)]
