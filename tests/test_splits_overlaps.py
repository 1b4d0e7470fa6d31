"""Groups of barcodes that overlap, of a table and of an earlier one."""

import polars as pl
from framed_barcodes import drawn

from bioscan_etl.barcodes.placement import place
from bioscan_etl.splits.overlaps import barcode_groups
from bioscan_etl.splits.units import barcode_keys

A, B = drawn(2)


def groups(table, earlier=None, placements=None):
    """Group by barcode."""
    frame = pl.DataFrame({"dna_barcode": table}, schema={"dna_barcode": pl.String})
    before = None if earlier is None else pl.LazyFrame({"dna_barcode": earlier}, schema={"dna_barcode": pl.String})
    found = barcode_groups(frame, before, 300, placements)
    texts = sorted({text for text in [*table, *(earlier or [])] if text})
    keys = pl.DataFrame({"dna_barcode": texts, "processid": [""] * len(texts)}).select("dna_barcode", *barcode_keys())
    assert found.height == len(texts)
    return dict(keys.join(found, on=["first", "second"]).select("dna_barcode", "group").iter_rows())


def test_barcodes_of_both_tables_are_joined_and_missing_ones_left_out():
    found = groups([A, B, None, A], [A[100:], B[:200]])
    assert found[A] == found[A[100:]]
    assert len({found[A], found[B], found[B[:200]]}) == 3, "200 columns are too few"


def test_what_is_placed_already_is_not_placed_again():
    elsewhere = place(pl.Series("barcode", [A[100:]])).with_columns(
        first=pl.lit(1, pl.Int16), last=pl.lit(558, pl.Int16)
    )
    assert len(set(groups([A, A[100:]], placements=elsewhere).values())) == 2


def test_no_barcodes_are_no_groups():
    assert groups([None]) == {}
