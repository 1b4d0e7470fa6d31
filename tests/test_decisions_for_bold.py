"""Corrections for BOLD, out of lines and a few specimens."""

import polars as pl
import pytest
from test_doubts_state import line

from bioscan_etl.decisions.for_bold import CORRECTIONS, as_csv, corrections
from bioscan_etl.schema import DECISIONS, SPECIMENS


def specimens(*rows):
    delivered = ("genus", "species", "order", "country", "province", "coord")
    given = []
    for place, row in enumerate(rows, 1):
        verbatim = {f"{name}_verbatim": value for name, value in row.items() if name in delivered}
        given.append({"processid": f"A-{place}", "sampleid": f"S-{place}", **verbatim, **row})
    names = [name for name in SPECIMENS.names() if SPECIMENS.schema()[name] == pl.String]
    return pl.DataFrame(given, schema=dict.fromkeys(names, pl.String)).lazy()


def listed(table, *lines):
    frame = pl.DataFrame([one | {"line": at} for at, one in enumerate(lines, 2)], schema=DECISIONS.schema())
    found = corrections(frame, table)
    assert found.schema == CORRECTIONS
    return found.select("processid", "worksheet", "field", "delivered", "corrected").rows()


def test_places_and_labels_stand_beside_what_bold_delivered():
    table = specimens({"country": "Kenia", "coord": "[1.5, 2.5]", "genus": "Aedes"})
    assert listed(
        table,
        line("set", processid="A-1", field="country", value="Kenya"),
        line("set", processid="A-1", field="coord", value="-1.5, 36.8"),
        line("set", processid="A-1", field="province_state"),
        line("relabel", processid="A-1", field="genus"),
    ) == [
        ("A-1", "Taxonomy", "genus", "Aedes", None),
        ("A-1", "Collection Data", "country/ocean", "Kenia", "Kenya"),
        ("A-1", "Collection Data", "coord", "[1.5, 2.5]", "[-1.5, 36.8]"),
    ]  # a province that BOLD does not have is not cleared there


def test_who_decided_and_why_is_stated():
    table = specimens({"country": "Kenia"})
    answer = line("set", processid="A-1", field="country", value="Kenya", reason="wrong_metadata", note="asked")
    (row,) = corrections(pl.DataFrame([answer], schema=DECISIONS.schema()), table).to_dicts()
    assert {name: row[name] for name in ("sampleid", "reason", "note", "curator", "date")} == {
        "sampleid": "S-1",
        "reason": "wrong_metadata",
        "note": "asked",
        "curator": "Ada",
        "date": "2026-05-01",
    }


def test_the_most_specific_of_several_lines_counts():
    own = {"dna_bin": "BOLD:AAA0001", "dna_barcode": "ACGT", "genus": "Aedes"}
    table = specimens(
        own, own | {"dna_barcode": "NACGTN", "dna_bin": None}, own | {"dna_barcode": "TTTT"}, {"genus": "Aedes"}
    )
    lines = (
        line("relabel", rank="genus", name="Aedes", field="genus", value="Of name"),
        line("relabel", group="BOLD:AAA0001", field="genus", value="Of BIN"),
        line("relabel", group="barcode:A-1", field="genus", value="Of barcode"),
        line("relabel", processid="A-1", field="genus", value="Own"),
    )
    assert [row[4] for row in listed(table, *lines)] == ["Own", "Of barcode", "Of BIN", "Of name"]


def test_a_merged_genus_takes_its_species_along_and_a_chain_is_followed():
    table = specimens({"genus": "Aedess", "species": "Aedess vexans"}, {"genus": "Culex", "species": "Culex pipiens"})
    lines = (
        line("merge", rank="genus", name="Aedess", value="Aedees"),
        line("merge", rank="genus", name="Aedees", value="Aedes"),
        line("merge", rank="species", name="Culex pipiens", value="Aedes pipiens"),
    )
    assert [row[2:] for row in listed(table, *lines)] == [
        ("genus", "Aedess", "Aedes"),
        ("species", "Aedess vexans", "Aedes vexans"),
        ("genus", "Culex", "Aedes"),
        ("species", "Culex pipiens", "Aedes pipiens"),
    ]


def test_names_that_are_merged_in_a_circle_end():
    table = specimens({"genus": "Aedes"})
    lines = (
        line("merge", rank="genus", name="Aedes", value="Culex"),
        line("merge", rank="genus", name="Culex", value="Aedes"),
    )
    assert len(listed(table, *lines)) <= 1


@pytest.mark.parametrize("action", ["accept", "reject", "keep", "box"])
def test_other_decisions_are_no_corrections(action):
    assert listed(specimens({"genus": "Aedes"}), line(action, processid="A-1")) == []


def test_a_value_that_bold_has_already_is_left_out():
    table = specimens({"country": "Kenya"})
    assert listed(table, line("set", processid="A-1", field="country", value="Kenya")) == []


def test_a_spreadsheet_runs_nothing():
    frame = pl.DataFrame([{**dict.fromkeys(CORRECTIONS), "processid": "A-1", "delivered": "=1+1", "corrected": "@x"}],
                         schema=CORRECTIONS)  # fmt: skip
    text = as_csv(frame).decode()
    assert "'=1+1" in text
    assert "'@x" in text
