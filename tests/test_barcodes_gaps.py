"""Gaps by dynamic programming, beside a plain search over all offsets."""

import numpy as np
import polars as pl
from framed_barcodes import drawn
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.codon_weights import (
    GAP_OF_BASES,
    GAP_OF_CODONS,
    PAD,
    PER_BASE,
    PER_CODON,
    REACH,
    table,
    triples,
)
from bioscan_etl.barcodes.columns import codes
from bioscan_etl.barcodes.gaps import aligned

WHOLE = drawn(12)
JUMPS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 18)


def search(*barcodes, offset=0):
    letters = codes(pl.Series(list(barcodes)))
    lengths = np.array([len(one) for one in barcodes])
    return triples(letters), *aligned(triples(letters), np.full(len(barcodes), offset), lengths)


def cost(jump, column):
    if jump % 3:
        return GAP_OF_BASES + PER_BASE * jump
    return GAP_OF_CODONS + PER_CODON * (jump // 3) + (400 if column % 3 != 1 else 0)


def best_weight(numbers, offset):
    """The best weight of one barcode, by trying each gap at each base."""
    states = range(offset - REACH, offset + REACH + 1)
    best = [dict.fromkeys(states, 0)]
    for at in range(1, len(numbers)):
        now = {}
        for state in states:
            column = state + at
            ways = [best[at - 1][state]]
            for jump in JUMPS:
                if state - jump in best[0]:
                    ways.append(best[at - 1][state - jump] - cost(jump, column))
                if state + jump in best[0] and at > jump:
                    ways.append(best[at - 1 - jump][state + jump] - cost(jump, column))
            now[state] = max(ways) + int(table()[column + PAD, numbers[at]])
        best.append(now)
    return max(best[-1].values())


pieces = st.tuples(
    st.sampled_from(WHOLE), st.integers(REACH, 500), st.integers(3, 80), st.integers(0, 20), st.integers(0, 12)
)


@given(pieces)
def test_the_weight_is_the_best_there_is(piece):
    barcode, begin, length, lacking, beside = piece
    middle = begin + length // 2
    text = barcode[begin:middle] + barcode[:beside] + barcode[middle + lacking : begin + length + lacking]
    numbers, columns, weight = search(text, offset=begin)
    assert weight[0] == best_weight(numbers[0], begin)
    # The columns rise; -1 is no column but marks a base that has none, so that no piece begins before the frame.
    assert (np.diff(columns[0][columns[0] >= 0]) > 0).all()


def test_barcodes_beside_each_other_decide_nothing():
    texts = [WHOLE[0], WHOLE[1][:200] + WHOLE[1][203:], WHOLE[2][:300] + "ACG" + WHOLE[2][300:], WHOLE[3][:90]]
    _, columns, weight = search(*texts)
    for text, found, of_all in zip(texts, columns, weight, strict=True):
        _, alone, own = search(text)
        assert own[0] == of_all
        assert alone[0].tolist() == found[: len(text)].tolist()


def test_a_missing_codon_and_inserted_bases_are_where_they_were_put():
    _, columns, _ = search(WHOLE[0][:301] + WHOLE[0][304:], WHOLE[0][:301] + "GGG" + WHOLE[0][301:])
    lacking = sorted(set(range(658)) - set(columns[0].tolist()))
    beside = np.flatnonzero(columns[1] < 0).tolist()
    assert len(lacking) == len(beside) == 3
    assert abs(lacking[0] - 301) <= 6
    assert abs(beside[0] - 301) <= 6
