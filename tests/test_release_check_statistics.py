"""The tables of statistics against the rows; changes of them are in `test_release_check_resealed_texts.py`."""

import drawn_release
import polars as pl

from bioscan_etl.release.check.agreement import held
from bioscan_etl.release.check.statistics import counted_again, rows_of
from bioscan_etl.statistics.completeness import completeness
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
