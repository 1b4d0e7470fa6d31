import polars as pl
import pytest

from bioscan_etl.processids import NULL_WORDS
from bioscan_etl.records.blocks import canonical, columns, no_rejects, no_rows, only_reject, part_unfit
from bioscan_etl.records.layouts import REQUIRED, recognise
from bioscan_etl.settings import RecordSettings

LAYOUT = recognise([*REQUIRED, "lat", "lon", "mood"])
SETTINGS = RecordSettings()


def values(**given):
    return pl.DataFrame([{name: given.get(name, "x") for name in LAYOUT.header}])


def test_missing_values_keys_coordinates_and_record_id():
    raw = values(processid=" A-1 ", marker_code="COI-5P ", nuc=" ", genus=" None", mood="[NULL]", lat="1.5", lon="")
    found = canonical(raw, LAYOUT, SETTINGS)
    assert found.columns == [*columns(LAYOUT), "flags", "verbatim"]
    row = found.row(0, named=True)
    assert (row["processid"], row["marker_code"], row["record_id"]) == ("A-1", "COI-5P", "A-1.COI-5P")
    assert (row["nuc"], row["genus"], row["extra:mood"], row["coord"]) == (None, None, None, "[1.5, ]")


PAIRS = [("[None, None]", True), ("(,)", True), ("[null,nan]", True), ("[]", True), ("[1, None]", False), ("x", False)]


@pytest.mark.parametrize(("text", "is_missing"), PAIRS)
def test_a_pair_of_nothing_is_a_missing_coordinate(text, is_missing):
    layout = recognise([*REQUIRED, "coord"])
    raw = pl.DataFrame([{**dict.fromkeys(REQUIRED, "x"), "coord": text}])
    assert canonical(raw, layout, SETTINGS)["coord"].to_list() == [None if is_missing else text]


@pytest.mark.parametrize("nothing", ["", "None", "none", "NaN", "null"])
def test_two_columns_of_nothing_are_a_missing_coordinate(nothing):
    assert canonical(values(lat=nothing, lon=nothing), LAYOUT, SETTINGS)["coord"].item() is None


def test_a_reader_may_say_where_blanks_are():
    raw = values(genus=" None", species=" None", processid=" A-1")
    at = LAYOUT.header.index("genus")
    row = canonical(raw, LAYOUT, SETTINGS, {at}).row(0, named=True)
    assert (row["genus"], row["species"], row["processid"]) == (None, " None", "A-1")


@pytest.mark.parametrize("word", ["NA", "na", "null", "NULL", "None", "none", "nan", "NaN", "-nan", "nil"])
def test_words_that_read_as_missing_are_no_process_ids(word):
    frame = pl.DataFrame({"source_line": [1, 2], "processid": [word, "NAN-1"]})
    kept, rejects = part_unfit(frame)
    assert kept["processid"].to_list() == ["NAN-1"]
    assert rejects["reason"].to_list() == ["unsafe_processid"]
    assert word in rejects["detail"].item()


def test_the_words_are_those_that_pandas_reads_as_missing():
    from pandas._libs.parsers import STR_NA_VALUES

    frame = pl.DataFrame({"processid": sorted(word for word in STR_NA_VALUES if word)})
    kept, _ = part_unfit(frame.with_row_index("source_line", 1))
    assert kept.height == 0
    assert all(word == word.lower() for word in NULL_WORDS)


def test_nothing_has_the_same_columns():
    block = only_reject(LAYOUT, 7, "field_count", "why", "text")
    assert block.rows.schema == no_rows(LAYOUT).schema
    assert block.rejects.schema == no_rejects().schema
    assert block.rows_read == 1
    assert block.rejects.row(0) == (7, "field_count", "why", "text")
