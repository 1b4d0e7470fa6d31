"""The identities of a column: the same as those of each barcode, however many letters are looked at at a time."""

import polars as pl
import pytest
from examples import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bioscan_etl.barcodes import identities
from bioscan_etl.barcodes.identities import barcode_identities
from bioscan_etl.barcodes.identity import barcode_identity

LETTERS = st.text(alphabet="ACGTNacgtnRYKMSWBDHVry-. \n\tß\u0131İſµ'\\", max_size=12)


@pytest.mark.parametrize(("piece", "letters"), [(20_000, 1 << 18), (3, 5), (1, 1)])
@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.one_of(st.none(), LETTERS, st.text("ACGT", max_size=9)), max_size=20))
@example([None, "", "N", "nn", "-", "--ACGT--", "acgt", "ACGRACGT", "ACGNACGT", "NNacRT-GN", "\n", "İA", "ßC", None])
@example(["ACGT", None, "", "ACGT", "N", "ACGTN", ""])
def test_the_identities_of_a_column_are_those_of_its_barcodes(piece, letters, texts):
    column = pl.Series("nuc", texts, pl.String)
    expected = column.to_frame().select(barcode_identity(pl.col("nuc"))).to_series()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identities, "_PIECE", piece)
        patch.setattr(identities, "_LETTERS", letters)
        assert barcode_identities(column).to_list() == expected.to_list()
        # A slice, whose letters begin within those of the column.
        assert barcode_identities(column[1:]).to_list() == expected[1:].to_list()
