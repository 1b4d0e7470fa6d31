"""Released barcodes against the nucleotides as delivered."""

import polars as pl
import pytest

from bioscan_etl import schema
from bioscan_etl.release.check.agreement import held
from bioscan_etl.release.check.barcodes import check
from bioscan_etl.settings import BarcodeSettings

BARCODE = "ATGACC" * 40
SETTINGS = BarcodeSettings(min_length=100, max_length=300, max_low_complexity_share=1.0)
TRUE = {
    "processid": "A-1",
    "dna_barcode_verbatim": f"--{BARCODE.lower()}-",
    "dna_barcode": BARCODE,
    "dna_bin": "BOLD:AAA0001",
    "flags": [],
    "batch": "one",
    "phylum": "Arthropoda",
    "class": "Insecta",
}


def faults(*rows):
    frame = pl.DataFrame(rows, schema={name: schema.METADATA_EXTENDED[name].dtype for name in TRUE}, orient="row")
    return list(check(held("data", frame), schema.CHANGES.empty(), SETTINGS))


def other(**values):
    return {**TRUE, "processid": "B-1", **values}


def test_true_barcodes_have_no_fault():
    with_code = other(
        dna_barcode_verbatim=f"{BARCODE}R{BARCODE[:6]}", dna_barcode=f"{BARCODE}N{BARCODE[:6]}", dna_bin=None
    )
    assert faults(TRUE, with_code) == []
    assert faults() == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"dna_barcode": BARCODE[:-1] + "G"}, "is not that of its nucleotides"),
        ({"dna_barcode_verbatim": None}, "no nucleotides as delivered"),
        ({"flags": ["REVERSE_COMPLEMENT"]}, "has the flag REVERSE_COMPLEMENT"),
        ({"flags": ["INVALID_LETTERS"]}, "has the flag INVALID_LETTERS"),
        ({"dna_barcode_verbatim": BARCODE[:60], "dna_barcode": BARCODE[:60]}, "lacks the flag BARCODE_SHORT"),
        ({"dna_bin": "BOLD:AAA0002"}, "lacks the flag BARCODE_SEVERAL_BINS"),
    ],
)
def test_a_contradiction_is_named(values, words):
    assert "B-1" in [fault.processid for fault in faults(TRUE, other(**values)) if words in fault.fault]
