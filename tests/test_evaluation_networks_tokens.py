"""Barcodes as tokens, against an implementation that goes letter by letter."""

from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.tokens import LENGTH, vocabulary_size
from bioscan_etl.evaluation.networks.tokens import tokenised


def slow(barcode: str, k: int, offset: int) -> tuple[list[int], list[bool]]:
    names = ["<MASK>", "<UNK>", *map("".join, product("ACGT", repeat=k))]
    rest = barcode[offset:]
    padded = (rest + "N" * LENGTH)[:LENGTH]
    words = [padded[start : start + k] for start in range(0, LENGTH - k + 1, k)]
    numbers = [names.index(word) if word in names else names.index("<UNK>") for word in words]
    whole = len(rest[: LENGTH // k * k].rstrip("N")) // k
    return numbers, [place < whole or place == 0 for place in range(len(words))]


barcodes = st.text("ACGTN-RY", max_size=40) | st.integers(0, 700).map(lambda length: ("ACGTTGCAN" * 80)[:length])


@given(st.lists(barcodes, min_size=1, max_size=5), st.sampled_from([1, 2, 4, 5]), st.integers(0, 4))
def test_tokens_are_those_of_a_slow_implementation(texts, k, offset):
    found = tokenised(pl.Series(texts, dtype=pl.String), k, offset)
    for row, text in enumerate(texts):
        numbers, attended = slow(text, k, offset)
        assert found.numbers[row].tolist() == numbers
        assert found.attended[row].tolist() == attended


def test_offsets_may_differ():
    texts = pl.Series(["ACGTACGTACGT"] * 3)
    mixed = tokenised(texts, 4, np.array([0, 3, 1]))
    for row, offset in enumerate((0, 3, 1)):
        numbers, attended = slow(texts[row], 4, offset)
        assert mixed.numbers[row].tolist() == numbers
        assert mixed.attended[row].tolist() == attended


@pytest.mark.parametrize(("k", "tokens"), [(4, 165), (5, 132)])
def test_sizes_are_the_published_ones(k, tokens):
    found = tokenised(pl.Series(["ACGT" * 170, "A" * 658]), k)
    assert found.numbers.shape == (2, tokens)
    assert found.attended[0].all()
    assert found.attended[1].sum() == 658 // k
    assert vocabulary_size(k) == 2 + 4**k


def test_a_barcode_in_a_set_has_the_tokens_that_it_has_alone():
    texts = pl.Series(["ACGTTTGA" * 60, "ACG", "NNNNACGT"])
    together = tokenised(texts, 4)
    assert together.at(np.array([2])).numbers.tolist() == tokenised(texts[2:], 4).numbers.tolist()
    assert len(together) == 3


def test_no_barcodes_have_no_tokens():
    assert tokenised(pl.Series([], dtype=pl.String), 4).numbers.shape == (0, 165)
