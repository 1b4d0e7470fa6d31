"""Places without gaps: the guesses find what the search at all offsets finds, and no gap is hidden."""

import numpy as np
import polars as pl
from framed_barcodes import drawn, noise
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes import straight as module
from bioscan_etl.barcodes.codon_weights import NO_CODON, triples
from bioscan_etl.barcodes.columns import codes
from bioscan_etl.barcodes.gaps import aligned
from bioscan_etl.barcodes.straight import straight

WHOLE = drawn(20)


def given_as(*barcodes):
    letters = codes(pl.Series(list(barcodes)))
    return letters, triples(letters), np.array([len(one) for one in barcodes])


def searched(letters, numbers, lengths):
    """The same without guesses: every barcode is compared at all offsets."""
    padded = np.full((numbers.shape[1] + 3, len(numbers)), NO_CODON, np.uint8)
    padded[:-3] = numbers.T
    return module._near(padded, module._searched(letters, lengths))


def test_whole_barcodes_and_ends_are_found_by_a_guess(monkeypatch):
    monkeypatch.setattr(module, "_searched", lambda *_: 1 / 0)
    offsets, weights, bends = straight(*given_as(*WHOLE, *(one[:400] for one in WHOLE), *(one[201:] for one in WHOLE)))
    assert offsets.tolist() == [0] * 40 + [201] * 20
    assert (weights > 0).all()
    assert not bends.any()


@given(st.sampled_from(WHOLE), st.integers(0, 500), st.integers(120, 658), st.integers(0, 12), st.integers(0, 3))
def test_a_guess_finds_what_the_search_finds(barcode, begin, length, at, letters):
    text = barcode[begin : begin + length]
    text = text[: 9 * at] + "ACGT"[:letters] + text[9 * at :]
    one = given_as(text)
    assert [found.tolist() for found in straight(*one)] == [found.tolist() for found in searched(*one)]


@given(st.sampled_from(WHOLE), st.integers(10, 640), st.integers(0, 18), st.integers(0, 18), st.integers(0, 60))
def test_a_barcode_that_gaps_fit_better_is_searched_for_them(barcode, at, lacking, beside, apart):
    text = (
        barcode[:at] + barcode[at + lacking : at + lacking + apart] + barcode[:beside] + barcode[at + lacking + apart :]
    )
    letters, numbers, lengths = given_as(text)
    offsets, weights, bends = straight(letters, numbers, lengths)
    _, with_gaps = aligned(numbers, offsets, lengths)
    # Gaps of up to 18 columns are searched for; what lies further than 12 away is found where a nearer one is, too.
    if with_gaps[0] > weights[0] and max(lacking, beside) <= 12:
        assert bends[0]


@given(
    st.sampled_from(WHOLE), st.integers(0, 300), st.integers(0, 640), st.integers(0, 12), st.text("ACGTN", max_size=12)
)
def test_where_even_the_bound_is_no_more_no_gap_and_no_other_offset_fits_better(barcode, begin, at, lacking, more):
    text = barcode[begin:at] + more + barcode[max(at, begin) + lacking :]
    _, numbers, lengths = given_as(text)
    padded = np.full((numbers.shape[1] + 3, 1), NO_CODON, np.uint8)
    padded[:-3] = numbers.T
    for offset in (np.array([begin]), 658 - lengths):
        total, most = module._bounds(padded, offset)
        best, weight, bends = module._near(padded, offset)
        assert most[0] >= weight[0]
        if most[0] <= total[0]:
            assert (best[0], weight[0], bends[0]) == (offset[0], total[0], False)


def test_most_whole_barcodes_need_nothing_but_the_bound():
    _, numbers, lengths = given_as(*WHOLE)
    padded = np.full((numbers.shape[1] + 3, len(WHOLE)), NO_CODON, np.uint8)
    padded[:-3] = numbers.T
    total, most = module._bounds(padded, np.zeros_like(lengths))
    assert (most <= total).mean() > 0.5


def test_noise_is_not_searched_for_gaps():
    _, weights, bends = straight(*given_as(*noise(10)))
    assert not bends.any()
    assert (weights < 60 * 219).all()
