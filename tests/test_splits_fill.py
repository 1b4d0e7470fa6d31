import numpy as np
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.splits.fill import fill_barcodes, keyed_hash
from bioscan_etl.splits.select import TEST, VAL, VAL_UNSEEN, select_barcodes

HASH = 2984141754472225710


def fill(sizes, quota=TEST, got=0, taken=0, trained=0, trained_barcodes=0, keys=None):
    return fill_barcodes(
        np.array(sizes, dtype=np.int64),
        np.array(keys if keys is not None else range(len(sizes)), dtype=np.int64),
        quota,
        records=sum(sizes) + got + trained,
        barcodes=len(sizes) + taken + trained_barcodes,
        got=got,
        taken=taken,
    )


def test_the_hash_is_the_same_everywhere():
    assert keyed_hash(0, "Atta cephalotes", "ACGT") == HASH
    others = {keyed_hash(1, "Atta cephalotes", "ACGT"), keyed_hash(0, "Atta", "ACGT"), keyed_hash(0, "Atta c", "A")}
    assert len(others) == 3
    assert HASH not in others
    assert keyed_hash(2**63 - 1, "é", "") < 2**63


def test_the_hash_decides_among_the_larger_half_and_the_target_is_met():
    sizes = [1] * 10 + [2] * 10  # n = 30: T = 9, B = 7
    assert fill(sizes, keys=[*range(10), 15, 13, *range(21, 29)])[:3] == [11, 10, 12]
    chosen = fill(sizes)
    assert sum(sizes[i] for i in chosen) == 9
    assert len(chosen) <= 7


def test_what_is_there_counts():
    assert fill([1] * 20, got=7, taken=4) == [0]  # n = 27, T = 8: one more
    assert fill([1] * 20, got=8, taken=4) == [0]  # n = 28, T = 9
    assert fill([1] * 20, got=9, taken=4) == []
    assert fill([1] * 4, got=8, taken=7, trained=30, trained_barcodes=10) == []  # T(42) = 12, but B(21) = 7
    assert fill([3], got=4, taken=1, trained=20, trained_barcodes=9) == [0]  # T(27) = 8
    assert fill([6], got=4, taken=1, trained=20, trained_barcodes=9) == []


def test_a_little_is_taken_where_a_batch_brings_little_but_not_below_the_lower_bound():
    assert fill([2], trained=30, trained_barcodes=15) == []
    assert fill([1, 2], trained=30, trained_barcodes=15) in ([0, 1], [1, 0])
    assert fill([30], trained=40, trained_barcodes=20) == []  # past the upper bound, and others can be taken later


def test_species_that_cannot_be_divided_give_nothing():
    assert fill([30]) == []
    assert fill([3, 4]) == []  # n = 7: T = 0


SIZES = st.lists(st.integers(1, 30), max_size=25)
QUOTA = st.sampled_from([TEST, VAL, VAL_UNSEEN])


@settings(max_examples=examples(300), deadline=None)
@given(SIZES, QUOTA, st.randoms(use_true_random=False))
def test_the_order_of_barcodes_changes_nothing(sizes, quota, random):
    keys = random.sample(range(10_000), len(sizes))
    order = random.sample(range(len(sizes)), len(sizes))
    shuffled = fill([sizes[i] for i in order], quota, keys=[keys[i] for i in order])
    assert [order[i] for i in shuffled] == fill(sizes, quota, keys=keys)


@settings(max_examples=examples(300), deadline=None)
@given(SIZES, QUOTA)
def test_a_first_release_takes_as_many_records_as_the_published_protocol_may(sizes, quota):
    """Where a generator has no choice, both take the same sizes; else both keep target and bounds."""
    ours = [sizes[i] for i in fill(sizes, quota)]
    published = [
        sorted(sizes[i] for i in select_barcodes(np.array(sizes), sum(sizes), quota, np.random.default_rng(seed)))
        for seed in range(40)
    ]
    assert (not ours) in {not sizes for sizes in published}
    if all(sizes == published[0] for sizes in published) and len(sizes) < 4:
        assert sorted(ours) == published[0]


@settings(max_examples=examples(300), deadline=None)
@given(SIZES, QUOTA, st.integers(0, 20), st.integers(0, 60))
def test_bounds_hold_where_there_is_something_already(sizes, quota, got, trained):
    taken = min(got, 3)
    chosen = fill(sizes, quota, got=got, taken=taken, trained=trained, trained_barcodes=trained // 2 + 1)
    records, barcodes = sum(sizes) + got + trained, len(sizes) + taken + trained // 2 + 1
    assert len(set(chosen)) == len(chosen)
    if chosen:
        assert got < quota.target(records)
        assert got + sum(sizes[i] for i in chosen) <= quota.upper(records)
        assert len(chosen) + taken <= max(np.ceil(quota.bound(barcodes)), 1)
        assert got + sum(sizes[i] for i in chosen) >= quota.lower
