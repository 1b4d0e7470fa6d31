"""The nearest group by clusters, against all pairs."""

import numpy as np
import polars as pl
import pytest
from framed_barcodes import drawn
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes import apart as module
from bioscan_etl.barcodes.apart import Stretch, blocks, nearest_groups, some_distance
from bioscan_etl.barcodes.clusters import clusters
from bioscan_etl.barcodes.framed import compared, framed
from bioscan_etl.barcodes.placement import place

RNG = np.random.default_rng(3)


def changed(text):
    letters = list(text)
    for at in RNG.integers(0, 658, RNG.integers(0, 12)):
        letters[at] = "ACGT"[RNG.integers(0, 4)]
    begin, end = RNG.choice([0, 0, 0, 30, 300]), RNG.choice([658, 658, 658, 600, 350])
    return "".join(letters)[begin : max(end, begin + 200)]


TEXTS = sorted({changed(text) for text in drawn(4, seed=6) for _ in range(15)})
BARCODES = framed(place(pl.Series("barcode", TEXTS, pl.String)))


@pytest.mark.parametrize("changes", [{}, {"_ROWS": 2, "_TILE": 3, "_PAIRS": 5}])
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, len(TEXTS) - 1)), min_size=1, max_size=30, unique=True),
    st.lists(st.sampled_from([0.0, 0.005, 0.01, 0.05, 0.3, np.inf]), min_size=6, max_size=6),
    st.permutations(range(6)),
)
def test_the_nearest_up_to_the_limit_is_that_of_all_pairs(changes, chosen, limit, rank):
    chosen.sort()
    groups, members = np.array(chosen, np.int64).T
    held = clusters(BARCODES, members, groups)
    limit, rank = np.array(limit), np.array(rank)

    def is_other(one, other):
        return held.group[one] != held.group[other]

    count = len(held.group)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changes.items():
            patch.setattr(module, name, value)
        stretches = [Stretch(first, last, first, count) for first, last in blocks(0, count)]
        p, which = nearest_groups(BARCODES, held, stretches, is_other, limit, rank, 300)
        some = some_distance(BARCODES, held, np.arange(count), 0, count, is_other, 300, 6)
    for group in range(6):
        every = []
        for member in members[groups == group]:
            shared, differ = compared(BARCODES, int(member), members)
            near = (groups != group) & (shared >= 300)
            every += [(d / s, rank[g], g) for d, s, g in zip(differ[near], shared[near], groups[near], strict=True)]
        inside = [one for one in every if one[0] <= limit[group]]
        smallest, _, first = min(inside, default=(np.inf, 0, -1))
        assert (p[group], which[group]) == (smallest, first)
        assert np.isinf(some[group]) or some[group] in {one for one, _, _ in every}
