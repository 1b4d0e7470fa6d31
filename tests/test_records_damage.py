import polars as pl
import pytest

from bioscan_etl.records.damage import Damage
from bioscan_etl.records.extract import extract
from bioscan_etl.records.rules import RULES
from bioscan_etl.records.sources import RecordsFile
from bioscan_etl.settings import RecordSettings


def found(**columns):
    length = len(next(iter(columns.values())))
    rows = pl.DataFrame({"nuc": ["ACGT"] * length} | columns, schema_overrides=dict.fromkeys(columns, pl.String))
    damage = Damage()
    for at in range(length):
        damage.add(rows.slice(at, 1))
    return damage.found()


def test_sound_columns():
    assert (
        found(
            nuc=["A" * 658, "A" * 255, "A" * 255, None],
            collection_date_end=["2020-02-28", "28-Feb-2020", "0202-10-08", None],
            sampleid=["BIOUG00001-A01", "12E05", "3E-2", "E+E"],
            museumid=["41062", "1-May-B2", "May-2020-x", "MAR1"],
            taxid=["41062", "7", "1234567", None],
        )
        == {}
    )


@pytest.mark.parametrize("text", ["41062", "43889.0", "10001"])
def test_serial_numbers_of_days(text):
    assert found(collection_date_start=[text, None, "2020-01-01"]) == {"excel_dates": 1}


@pytest.mark.parametrize("text", ["2/28/2020", "28/02/20", "28/02/2020", "28-Feb-20", "Feb-20"])
def test_dates_as_cells_show_them(text):
    assert found(sequence_upload_date=[text, "2020-01-01"]) == {"shown_dates": 1}


@pytest.mark.parametrize("text", ["1.2E+05", "-1E+10", "1.23457E+11", "5E-07"])
def test_identifiers_in_scientific_notation(text):
    assert found(fieldid=[text, "12"]) == {"scientific_ids": 1}


@pytest.mark.parametrize("text", ["1-Mar", "Mar-01", "01-Mar-21", "1-Mar-2021"])
def test_identifiers_that_became_dates(text):
    assert found(sampleid=[text, "12"]) == {"ids_as_dates": 1}


@pytest.mark.parametrize(
    ("lengths", "counts", "cut"),
    [
        ([255, 255, 100], None, 2),
        ([255, 255, 256], None, 0),
        ([255, 100], None, 0),
        ([255, 658], ["658", "658"], 1),
        ([255, 658], ["255", "658"], 0),
        ([255, 658], ["None", "658"], 0),
    ],
)
def test_sequences_that_end_where_a_cell_does(lengths, counts, cut):
    columns = {"nuc": ["A" * length for length in lengths]} | ({"nuc_basecount": counts} if counts else {})
    assert found(**columns) == ({"cut_at_255": cut} if cut else {})


def test_every_kind_is_a_rule():
    kinds = found(
        nuc=["A" * 255] * 2,
        collection_date_end=["41062", "2/2/2020"],
        sampleid=["1E+05", "1-Mar"],
    )
    assert {kind.upper() for kind in kinds} == {
        "EXCEL_DATES",
        "SHOWN_DATES",
        "CUT_AT_255",
        "SCIENTIFIC_IDS",
        "IDS_AS_DATES",
    }
    assert {kind.upper() for kind in kinds} <= {rule.id for rule in RULES}


def test_it_is_reported_per_file_and_the_real_files_have_none(shared_data, tmp_path):
    real = shared_data / "bold" / "chironominae_norway_2025.tsv"
    header, *lines = real.read_text(encoding="utf-8").splitlines()
    at = {name: position for position, name in enumerate(header.split("\t"))}
    damaged = []
    for line in lines:
        values = line.split("\t")
        values[at["nuc"]] = values[at["nuc"]][:255]
        values[at["collection_date_end"]] = "41062"
        damaged.append("\t".join(values))
    (tmp_path / "damaged.tsv").write_text("\n".join([header, *damaged]) + "\n", encoding="utf-8")
    names = ["BOLD_Public.18-Dec-2023.head.tsv", "BOLD_Public.21-Jun-2024.NL.tsv", real.name]
    locations = [str(tmp_path / "damaged.tsv"), *(str(shared_data / "bold" / name) for name in names)]
    counts = extract([RecordsFile(location) for location in locations], "b", RecordSettings(), tmp_path / "out")
    by_name = {source.name: source.damage for source in counts.sources}
    assert by_name["damaged.tsv"]["excel_dates"] == 2006
    assert by_name["damaged.tsv"]["cut_at_255"] > 1900
    # One note of the last has doubled quotes: its query was written by a data frame.
    assert [by_name[name] for name in names] == [{}, {}, {"quoted_fields": 1}]
