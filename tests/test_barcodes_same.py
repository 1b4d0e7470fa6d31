"""Pairs of barcodes that are the same over their shared columns, against a comparison of all letters."""

import numpy as np
import polars as pl
import pytest
from framed_barcodes import drawn
from hypothesis import given
from hypothesis import strategies as st
from test_barcodes_check import real_barcodes

from bioscan_etl.barcodes.columns import UNKNOWN
from bioscan_etl.barcodes.framed import framed, letters
from bioscan_etl.barcodes.placement import place
from bioscan_etl.barcodes.same import same_pairs

WHOLE = drawn(4)
MORE = WHOLE[0][:151] + "GGA" + WHOLE[0][151:]
OTHER = WHOLE[0][:151] + "TTC" + WHOLE[0][151:]


def pairs(barcodes, least=300):
    """Pairs of texts that are the same."""
    texts = sorted(set(barcodes))
    one, other = same_pairs(framed(place(pl.Series("barcode", texts, pl.String))), least)
    return {(texts[a], texts[b]) for a, b in zip(one.tolist(), other.tolist(), strict=True)}


def compared(placed, least):
    """The same by comparing all letters of all pairs."""
    found = letters(placed).astype(int)
    beside = [bool(len(row)) for row in placed["inserted_bases"].fill_null([])]
    wanted = set()
    for number, row in enumerate(found):
        both = (row != UNKNOWN) & (found != UNKNOWN)
        same = ((row != found) & both).sum(axis=1) == 0
        same &= ((row < UNKNOWN) & (found < UNKNOWN)).sum(axis=1) >= least
        wanted |= {(number, other) for other in np.flatnonzero(same).tolist() if other > number}
    return {pair for pair in wanted if not (beside[pair[0]] or beside[pair[1]])}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (WHOLE[0], WHOLE[1], False),
        (WHOLE[0], WHOLE[0][50:], True),
        (WHOLE[0], WHOLE[0][:400], True),
        (WHOLE[0][:450], WHOLE[0][100:], True),
        (WHOLE[0][:350], WHOLE[0][100:], False),
        (WHOLE[0], "N".join((WHOLE[0][:200], WHOLE[0][201:])), True),
        (WHOLE[0], WHOLE[0][:300] + ("C" if WHOLE[0][300] != "C" else "T") + WHOLE[0][301:], False),
        (WHOLE[0], WHOLE[0][:301] + WHOLE[0][304:], False),
        (WHOLE[0], WHOLE[0][:301] + "GGA" + WHOLE[0][301:], False),
        (WHOLE[0][:301] + WHOLE[0][304:], (WHOLE[0][:301] + WHOLE[0][304:])[90:], True),
        (MORE, MORE[90:], True),
        (MORE, MORE[150:], False),
        (MORE, WHOLE[0][180:], True),
        (MORE, WHOLE[0][100:], False),
        (MORE, OTHER, False),
    ],
    ids=[
        "another barcode",
        "a part of it",
        "its beginning",
        "350 columns overlap",
        "250 columns overlap",
        "one base not read",
        "one base differs",
        "a codon less",
        "a codon more",
        "both lack the codon",
        "both have the codon more",
        "both have it, one begins in it",
        "one begins behind the codon more",
        "one of two has the codon more",
        "both have another codon more",
    ],
)
def test_what_is_the_same_barcode(one, other, same):
    assert bool(pairs([one, other])) is same


@given(
    st.lists(
        st.tuples(
            st.sampled_from(WHOLE), st.integers(0, 250), st.integers(320, 658), st.sets(st.integers(0, 657), max_size=4)
        ),
        min_size=2,
        max_size=12,
    )
)
def test_pairs_are_those_of_a_comparison_of_all_letters(drawn_):
    texts = set()
    for barcode, begin, end, unread in drawn_:
        text = "".join("N" if at in unread else base for at, base in enumerate(barcode))
        texts.add(text[begin:end].strip("N"))
    placed = place(pl.Series("barcode", sorted(texts), pl.String))
    one, other = same_pairs(framed(placed), 300)
    assert set(zip(one.tolist(), other.tolist(), strict=True)) == compared(placed, 300)


def test_pairs_of_many_barcodes_are_those_of_a_comparison_of_all_letters():
    """Enough barcodes with the same extent that they are compared by themselves."""
    rng = np.random.default_rng(0)
    base = list(WHOLE[0])
    texts = set()
    for _ in range(1_500):
        changed = base.copy()
        changed[rng.integers(0, 658)] = "ACGT"[rng.integers(0, 4)]
        begin = int(rng.choice([0, 0, 0, 30, 120]))
        texts.add("".join(changed[begin:]))
    placed = place(pl.Series("barcode", sorted(texts), pl.String))
    one, other = same_pairs(framed(placed), 300)
    assert set(zip(one.tolist(), other.tolist(), strict=True)) == compared(placed, 300)


def test_real_barcodes(shared_data):
    texts = real_barcodes(shared_data)
    found = place(texts)
    one, other = same_pairs(framed(found), 300)
    beside = found["inserted_bases"].list.len().fill_null(0) > 0
    got = {(a, b) for a, b in zip(one.tolist(), other.tolist(), strict=True) if not (beside[a] or beside[b])}
    assert got == compared(found, 300)
    assert len(one) == 3885
