"""Pairs of many groups counted together, against each pair by itself."""

from collections import Counter
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from framed_barcodes import drawn
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes import counted as module
from bioscan_etl.barcodes.counted import differing_columns, extents, kinds_of_groups, pair_numbers
from bioscan_etl.barcodes.framed import UNKNOWN, framed, letters
from bioscan_etl.barcodes.placement import place

WHOLE = drawn(3, seed=4)


def changed(text, at, begin, end):
    """A barcode with one base changed, N in another column, and only a part of its columns."""
    other = text[:at] + "ACGT"["CATG".index(text[at])] + text[at + 1 :]
    return (other[: at // 2] + "N" + other[at // 2 + 1 :])[begin:end]


TEXTS = sorted(
    {*WHOLE, *(changed(text, 40 * at, 9 * (at % 3), 658 - 30 * (at % 4)) for text in WHOLE for at in range(16))}
)
PLACED = place(pl.Series("barcode", TEXTS, pl.String))
BARCODES, LETTERS = framed(PLACED), letters(PLACED)


def numbers(one, other):
    """The three numbers of a pair, letter by letter."""
    both = (LETTERS[one] < UNKNOWN) & (LETTERS[other] < UNKNOWN)
    differ = both & (LETTERS[one] != LETTERS[other])
    crossing = differ & (LETTERS[one] % 2 != LETTERS[other] % 2)
    return int(both.sum()), int((differ & ~crossing).sum()), int(crossing.sum())


def of_pairs(members):
    return Counter(numbers(one, other) for one, other in combinations(members, 2))


@pytest.mark.parametrize(
    "changes", [{}, {"_SMALL": 1}, {"_SMALL": 1, "_CELLS": 7, "_BUFFER": 5}, {"_SMALL": 3, "_TABLE": 0, "_LISTED": 4}]
)
@given(st.lists(st.sets(st.integers(0, len(TEXTS) - 1), max_size=20), max_size=5))
def test_the_kinds_of_each_group_are_those_of_its_pairs(changes, groups):
    members = np.array([one for group in groups for one in sorted(group)], np.int64)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changes.items():
            patch.setattr(module, name, value)
        found = kinds_of_groups(BARCODES, extents(BARCODES), members, np.array([len(one) for one in groups], np.int64))
    counts = [Counter() for _ in groups]
    for group, *kind, count in zip(
        found.group, found.shared, found.transitions, found.transversions, found.count, strict=True
    ):
        counts[group][tuple(map(int, kind))] += int(count)
    assert counts == [of_pairs(sorted(group)) for group in groups]
    assert (np.diff(found.group) >= 0).all()


def test_extents_are_the_same_for_the_same_known_columns():
    every = extents(BARCODES)
    for one, other in combinations(range(len(TEXTS)), 2):
        assert (every[one] == every[other]) == (BARCODES.known[one] == BARCODES.known[other]).all()
    some = np.array([5, 1, 7])
    _, number = np.unique(every[some], return_inverse=True)
    assert (extents(BARCODES, some)[some][:, None] == extents(BARCODES, some)[some]).tolist() == (
        number[:, None] == number
    ).tolist()


def test_columns_with_one_base_are_left_out_of_the_comparison():
    low, high, known = differing_columns(BARCODES, np.array([0, 0]))
    assert low.shape == high.shape == known.shape == (0, 2)


def test_numbers_of_pairs():
    one, other = np.divmod(np.arange(len(TEXTS) ** 2), len(TEXTS))
    shared, differ, transversions = pair_numbers(BARCODES, one, other)
    found = list(zip(shared.tolist(), (differ - transversions).tolist(), transversions.tolist(), strict=True))
    assert found == [numbers(*pair) for pair in zip(one.tolist(), other.tolist(), strict=True)]
