"""Barcodes side by side: letters in columns, and the same as bits, against a plain way to write them."""

import numpy as np
import polars as pl
from framed_barcodes import drawn
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.columns import COLUMNS, UNKNOWN
from bioscan_etl.barcodes.framed import BLOCKS, MISSING, framed, letters
from bioscan_etl.barcodes.placement import place

WHOLE = drawn(4)


def test_letters_lie_in_their_columns():
    codon = WHOLE[0][:301] + WHOLE[0][304:]
    found = letters(place(pl.Series("barcode", [WHOLE[0], WHOLE[1][100:500], codon, "ACGT"])))
    assert "".join("ACGT"[letter] for letter in found[0]) == WHOLE[0]
    assert (found[1][:100] == UNKNOWN).all()
    assert "".join("ACGT"[letter] for letter in found[1][100:500]) == WHOLE[1][100:500]
    assert (found[2] == MISSING).sum() == 3
    assert "".join("ACGT"[letter] for letter in found[2] if letter < UNKNOWN) == codon
    assert (found[3] == UNKNOWN).all()


def plain_letters(row):
    """The letter in each column of one placement, base by base."""
    found = [UNKNOWN] * COLUMNS
    if row["first"] is None:
        return found
    column, at = row["first"], row["start"]
    while column <= row["last"]:
        if column in row["missing_columns"]:
            found[column - 1] = MISSING
            column += 1
            continue
        if at not in row["inserted_bases"]:
            found[column - 1] = "ACGT".find(row["barcode"][at]) % (UNKNOWN + 1)
            column += 1
        at += 1
    return found


@st.composite
def cut(draw):
    """A barcode cut at both ends, without a codon or with one more, with bases before it, and some not read."""
    text = draw(st.sampled_from(WHOLE))
    at = 1 + 3 * draw(st.integers(60, 160))
    text = draw(st.sampled_from([text, text[:at] + text[at + 3 :], text[:at] + "GGA" + text[at:]]))
    for unread in draw(st.sets(st.integers(0, 650), max_size=4)):
        text = text[:unread] + "N" + text[unread + 1 :]
    text = draw(st.sampled_from(["", "ACGTTGCA"])) + text[draw(st.integers(0, 250)) : draw(st.integers(400, 661))]
    return text.strip("N")


@given(st.lists(cut(), min_size=1, max_size=8))
def test_letters_and_bits_are_those_that_are_written_base_by_base(texts):
    placed = place(pl.Series("barcode", [*texts, "ACGT"], pl.String).unique(maintain_order=True))
    found = letters(placed)
    assert found.tolist() == [plain_letters(row) for row in placed.iter_rows(named=True)]
    bits = framed(placed)
    for words, marks in (
        (bits.low, np.isin(found, [1, 3])),
        (bits.high, np.isin(found, [2, 3])),
        (bits.known, found < UNKNOWN),
        (bits.lacking, found == MISSING),
    ):
        assert (np.unpackbits(words.view(np.uint8), axis=1)[:, :COLUMNS] == marks).all()
    clean = (found != UNKNOWN).reshape(len(found), BLOCKS, -1).all(axis=2)
    assert (bits.clean == clean @ (1 << np.arange(BLOCKS))).all()
    # Equal letters in a stretch of blocks have equal sums, others do not.
    for begin, end in ((0, BLOCKS), (3, 7), (13, BLOCKS)):
        inside = found[:, begin * 47 : end * 47]
        sums = bits.hashes[:, end] - bits.hashes[:, begin]
        assert ((sums[:, None] == sums[None]) == (inside[:, None] == inside[None]).all(axis=2)).all()
