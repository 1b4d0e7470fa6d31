"""What the centres of two clusters say of all pairs of their barcodes."""

import numpy as np
import polars as pl
from framed_barcodes import drawn
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.clusters import RADIUS, clusters
from bioscan_etl.barcodes.framed import compared, framed
from bioscan_etl.barcodes.placement import place

WHOLE = drawn(3, seed=2)
CHOSEN = st.tuples(
    st.sampled_from(WHOLE), st.lists(st.integers(0, 657), max_size=9), st.integers(0, 40), st.integers(400, 658)
)


def changed(text, columns, begin, end):
    letters = list(text)
    for at in columns:
        letters[at] = "ACGT"["TACG".index(letters[at])]
    return "".join(letters)[begin:end]


@given(st.lists(st.tuples(st.integers(0, 3), CHOSEN), min_size=1, max_size=25))
def test_two_barcodes_differ_at_least_as_their_centres_less_both_radii(drawn_):
    drawn_.sort(key=lambda one: one[0])
    texts = [changed(*one) for _, one in drawn_]
    distinct = sorted(set(texts))
    barcodes = framed(place(pl.Series("barcode", distinct, pl.String)))
    members = np.array([distinct.index(text) for text in texts])
    groups = np.unique([group for group, _ in drawn_], return_inverse=True)[1]
    held = clusters(barcodes, members, groups)
    of = np.repeat(np.arange(len(held.group)), np.diff(held.starts))
    assert sorted(zip(held.group[of], held.members, strict=True)) == sorted(zip(groups, members, strict=True))
    assert (np.diff(held.group) >= 0).all()
    assert (held.radii <= RADIUS).all()
    assert held.radius.tolist() == [held.radii[of == one].max() for one in range(len(held.group))]
    known = np.bitwise_count(barcodes.known[held.members]).sum(axis=1)
    assert held.columns.tolist() == [max(known[of == one].max(), 1) for one in range(len(held.group))]
    assert all(held.nearest[one] in held.members[of == one] for one in range(len(held.group)))
    for one in range(len(of)):
        both = held.known[:, of] & held.known[:, [of[one]]]
        bits = (held.low[:, of] ^ held.low[:, [of[one]]]) | (held.high[:, of] ^ held.high[:, [of[one]]])
        centres = np.bitwise_count(bits & both).sum(axis=0).astype(int)
        _, differ = compared(barcodes, int(held.members[one]), held.members)
        assert (differ >= centres - held.radii - held.radii[one]).all()


def test_barcodes_that_lie_together_are_one_cluster():
    texts = sorted(changed(WHOLE[0], [at], 0, 658) for at in range(0, 600, 50))
    barcodes = framed(place(pl.Series("barcode", [*texts, WHOLE[1]], pl.String)))
    held = clusters(barcodes, np.arange(len(texts) + 1), np.zeros(len(texts) + 1, np.int64))
    assert sorted(np.diff(held.starts).tolist()) == [1, len(texts)]
