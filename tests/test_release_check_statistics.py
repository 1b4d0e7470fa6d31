"""The tables of statistics against the rows; changes of them are in `test_release_check_resealed_texts.py`."""

import drawn_release
import polars as pl
import pytest

from bioscan_etl.release.check.agreement import held
from bioscan_etl.release.check.statistics import counted_again, gap_faults, rows_of
from bioscan_etl.statistics.completeness import completeness
from bioscan_etl.statistics.definitions import SPECIES_AUDIT_TABLE
from bioscan_etl.statistics.tables import number_barcodes, statistics


def test_the_same_is_counted_though_a_barcode_is_its_hash_here():
    rows = drawn_release.rows(40)
    found = counted_again(rows_of(held("data", rows)))
    numbered, _ = number_barcodes(rows)
    expected = statistics(numbered) | completeness(numbered)
    assert list(found) == list(expected)
    for name, table in expected.items():
        floats = pl.col(pl.Float64).round(9)
        assert found[name].with_columns(floats).equals(table.with_columns(floats)), name
    assert found["barcodes"]["unique_barcodes"].max() > 15


NAMED = pl.DataFrame({"family": ["F", "F", "G"], "species": ["A a", "A b", "B b"]})
AUDITED = {
    "species": ["A a", "A b", "B b"], "family": ["F", "F", "G"], "samples": [1, 1, 1], "barcodes": [1, 2, 1],
    "bins": [0, 0, 0], "shared_bins": [0, 0, 0], "largest_within": [None, 0.01, None],
    "nearest_in_family": [0.1, 0.1, None], "nearest_other": [0.1, 0.0, 0.0], "nearest_species": ["A b", "B b", "A b"],
    "nearest_family": ["F", "G", "F"], "gap": [None, -0.01, None],
}  # fmt: skip


def audited(**changed):
    columns = dict.fromkeys(SPECIES_AUDIT_TABLE.names(), [None] * 3) | AUDITED | changed
    return pl.DataFrame(columns, schema=SPECIES_AUDIT_TABLE.schema())


def test_gaps_that_agree():
    assert list(gap_faults(audited(), NAMED)) == []


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"gap": [None, 0.01, None]}, "A b: gap is not nearest_other less largest_within"),
        ({"gap": [0.2, -0.01, None]}, "A a: gap is not nearest_other less largest_within"),
        ({"nearest_other": [0.2, 0.0, 0.0]}, "A a: nearest_other is larger than nearest_in_family"),
        ({"nearest_other": [None, 0.0, 0.0]}, "A a: nearest_other is larger than nearest_in_family"),
        ({"nearest_species": ["A b", "B b", "B b"], "nearest_family": ["F", "G", "G"]},
         "B b: nearest_species is the species itself"),
        ({"nearest_family": ["F", "F", "F"]}, "A b: no specimen has nearest_species and nearest_family"),
        ({"nearest_species": ["A b", None, "A b"]}, "A b: no specimen has nearest_species and nearest_family"),
    ],
)  # fmt: skip
def test_a_gap_that_contradicts_others_is_a_fault(changed, fault):
    assert [one.fault for one in gap_faults(audited(**changed), NAMED)] == [fault]
