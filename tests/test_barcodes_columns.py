"""The columns of the frame, and letters as numbers."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.columns import CODONS, COLUMNS, codes


def test_the_frame_is_a_third_base_and_whole_codons():
    assert 1 + 3 * CODONS == COLUMNS


@given(st.lists(st.text("ACGTNRYacgt-", max_size=30), min_size=1, max_size=5))
def test_letters_are_numbers(texts):
    found = codes(pl.Series(texts))
    assert found.shape == (len(texts), max(map(len, texts)))
    for row, text in zip(found.tolist(), texts, strict=True):
        assert row == ["ACGT".index(letter) if letter in "ACGT" else 4 for letter in text.ljust(len(row), "-")]


def test_no_letters_are_no_numbers():
    assert codes(pl.Series(["", ""])).shape == (2, 0)
    assert codes(pl.Series([], dtype=pl.String)).shape == (0, 0)
