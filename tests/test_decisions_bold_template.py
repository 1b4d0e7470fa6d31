"""Corrections as the worksheets of BOLD's template."""

import io
import zipfile

import polars as pl
from test_decisions_for_bold import specimens
from test_doubts_state import line

from bioscan_etl.api import write_corrections
from bioscan_etl.decisions.bold_template import TEMPLATE, as_zip, template
from bioscan_etl.decisions.for_bold import corrections
from bioscan_etl.lake import Lake
from bioscan_etl.schema import DECISIONS

TABLE = specimens(
    {"country": "Kenia", "province": "Kiambu", "coord": "[1.5, 2.5]", "genus": "Aedes", "order": "Diptera"},
    {"country": "Peru", "coord": "[-11.123456789012, -75.5]", "genus": "Culex", "species": "Culex pipiens"},
    {"country": "Peru"},
)


def sheets(*lines, table=TABLE):
    frame = pl.DataFrame([one | {"line": at} for at, one in enumerate(lines, 2)], schema=DECISIONS.schema())
    found = template(corrections(frame, table), table)
    assert {name: sheet.schema for name, sheet in found.items()} == dict(TEMPLATE)
    return found["Taxonomy"], found["Collection Data"]


def test_a_row_has_what_was_corrected_beside_what_bold_has():
    taxonomy, collection = sheets(
        line("set", processid="A-1", field="country", value="Kenya"),
        line("set", processid="A-2", field="province_state", value="Junín"),
        line("relabel", processid="A-2", field="genus", value="Aedes"),
        line("relabel", processid="A-2", field="species"),
    )
    assert collection.rows() == [
        ("S-1", "Kenya", "Kiambu", 1.5, 2.5),
        ("S-2", "Peru", "Junín", -11.123456789012, -75.5),
    ]
    (row,) = taxonomy.to_dicts()
    assert (row["Sample ID"], row["Genus"], row["Species"]) == ("S-2", "Aedes", None)


def test_coordinates_are_two_numbers():
    _, collection = sheets(line("set", processid="A-1", field="coord", value="-1.5, 36.8"))
    assert collection.rows() == [("S-1", "Kenia", "Kiambu", -1.5, 36.8)]
    _, collection = sheets(line("set", processid="A-1", field="coord"))
    assert collection.rows() == [("S-1", "Kenia", "Kiambu", None, None)]


def test_a_record_without_a_sample_id_is_left_out():
    table = TABLE.with_columns(sampleid=pl.lit(None, pl.String))
    taxonomy, collection = sheets(line("set", processid="A-1", field="country", value="Kenya"), table=table)
    assert (taxonomy.height, collection.height) == (0, 0)


def test_the_zip_has_the_same_bytes_each_time_and_no_spreadsheet_runs_it():
    lines = [line("set", processid="A-1", field="province_state", value="=1+1")]
    lines += [line("set", processid="A-1", field="coord", value="-1.5, 36.8")]
    taxonomy, collection = sheets(*lines)
    made = as_zip({"Taxonomy": taxonomy, "Collection Data": collection})
    assert made == as_zip({"Taxonomy": taxonomy, "Collection Data": collection})
    archive = zipfile.ZipFile(io.BytesIO(made))
    assert archive.namelist() == ["Taxonomy.csv", "Collection Data.csv"]
    assert archive.read("Collection Data.csv").decode().splitlines() == [
        "Sample ID,Country/Ocean,State/Province,Latitude,Longitude",
        "S-1,Kenia,'=1+1,-1.5,36.8",
    ]


def test_the_ending_of_the_file_chooses_the_form(tmp_path):
    Lake(tmp_path)
    for name in ("a.zip", "a.csv"):
        assert write_corrections(tmp_path, tmp_path / name) == 0
    assert zipfile.is_zipfile(tmp_path / "a.zip")
    assert (tmp_path / "a.csv").read_text().startswith("processid,sampleid,worksheet,")
