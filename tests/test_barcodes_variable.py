"""The variable columns: which they are, and the differences that they show."""

import numpy as np
import polars as pl
from framed_barcodes import drawn

from bioscan_etl.barcodes.framed import framed, letters
from bioscan_etl.barcodes.placement import place
from bioscan_etl.barcodes.profile import weights
from bioscan_etl.barcodes.variable import FIRST, WORDS, differing, variable_words

COLUMNS = np.arange(FIRST, FIRST + 3 * 64 * WORDS, 3)


def test_the_columns_are_third_positions_in_the_middle_of_the_frame():
    """In these, the profile tells bases apart least: whatever the base, some codon with it is likely."""
    best = weights().reshape(-1, 5, 5, 5)[:, :4, :4, :4]
    spread = [
        np.ptp(best.max(axis=others), axis=1).mean() for others in ((2, 3), (1, 3), (1, 2))
    ]  # first, second and third position
    assert spread[2] < min(spread[:2])
    assert (COLUMNS % 3 == 0).all()  # the frame's first column is the end of a codon
    assert COLUMNS[-1] < 658 - 30


def test_differences_are_those_of_the_letters(monkeypatch):
    monkeypatch.setattr("bioscan_etl.barcodes.variable._PART", 4)
    texts = drawn(9, seed=3)
    texts = [texts[0], texts[1][:400], texts[2][250:], texts[3][:300] + "NNNN" + texts[3][304:], *texts[4:]]
    placed = place(pl.Series(sorted(texts)))
    found = letters(placed)[:, COLUMNS]
    barcodes, rows, others = framed(placed), np.array([0, 2, 5]), np.arange(9)[::-1].copy()
    differ = differing(variable_words(barcodes, rows), variable_words(barcodes, others))
    known = (found[rows][:, None] < 4) & (found[others][None, :] < 4)
    assert differ.tolist() == ((found[rows][:, None] != found[others][None, :]) & known).sum(axis=2).tolist()
    assert differ.dtype == np.uint8
