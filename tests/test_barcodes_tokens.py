"""k-mers as tokens: against a slow reading of the same rule, one k-mer at a time."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.tokens import MASK, SPECIAL, UNKNOWN, kmer_tokens, vocabulary_size


def slowly(barcode, k, length):
    """The tokens of the specification: strip, pad, cut into k-mers, look each up in the list of all k-mers."""
    known = {"".join(letters): SPECIAL + number for number, letters in enumerate(product("ACGT", repeat=k))}
    stripped = barcode[: length // k * k].rstrip("N")
    padded = stripped.ljust(length, "N")
    starts = range(0, length - k + 1, k)
    return [known.get(padded[at : at + k], UNKNOWN) for at in starts], [
        at == 0 or at + k <= len(stripped) for at in starts
    ]


@given(st.lists(st.text("ACGTN-RYé", max_size=40), max_size=4), st.integers(1, 4), st.integers(4, 30))
def test_tokens_are_those_of_the_rule(barcodes, k, length):
    tokens, attended = kmer_tokens(barcodes, k, length)
    assert tokens.shape == attended.shape == (len(barcodes), length // k)
    assert (tokens.dtype, attended.dtype) == (np.int64, np.bool_)
    for number, barcode in enumerate(barcodes):
        assert (tokens[number].tolist(), attended[number].tolist()) == slowly(barcode, k, length)


def test_published_sizes_and_a_case_by_hand():
    tokens, attended = kmer_tokens(["AAAACCCCACGTTTTTAANA" + "AC" + "N" * 10])
    assert tokens.shape == (1, 165)
    assert tokens[0, :7].tolist() == [2, 2 + 85, 2 + 27, 2 + 255, UNKNOWN, UNKNOWN, UNKNOWN]
    assert attended[0].sum() == 5  # the sixth is filled in half
    assert vocabulary_size(4) == 258
    assert tokens.max() < vocabulary_size(4)
    assert MASK not in tokens


@pytest.mark.parametrize(("k", "length"), [(0, 660), (13, 660), (5, 4)])
def test_a_k_that_is_none_is_refused(k, length):
    with pytest.raises(ValueError, match="k-mer"):
        kmer_tokens(["ACGT"], k, length)
