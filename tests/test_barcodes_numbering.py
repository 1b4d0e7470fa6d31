"""Numbers of equal barcodes."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.numbering import same_barcode


@given(st.lists(st.sampled_from([None, "", "A", "AC", "ACG"]), max_size=12))
def test_equal_barcodes_have_the_number_of_the_first(barcodes):
    numbers = same_barcode(pl.Series("barcode", barcodes, dtype=pl.String))
    assert numbers.to_list() == [None if one is None else barcodes.index(one) for one in barcodes]


def test_barcodes_of_one_hash_are_told_apart(monkeypatch):
    barcodes = pl.Series(["A", "C", "A", None, "C"])
    monkeypatch.setattr(pl.Series, "hash", lambda self: pl.Series([7] * len(self), dtype=pl.UInt64))
    assert same_barcode(barcodes).to_list() == [0, 1, 0, None, 1]
