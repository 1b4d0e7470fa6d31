import numpy as np
import pandas as pd
import pytest
import splits_oracle
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.splits.select import (
    TEST,
    VAL,
    VAL_UNSEEN,
    by_size,
    most_barcodes,
    most_records,
    select_barcodes,
    target_records,
)


def choose(sizes, quota, seed=1, records=None):
    generator = np.random.default_rng(seed)
    total = sum(sizes) if records is None else records
    return select_barcodes(np.array(sizes, dtype=np.int64), total, quota, generator)


@pytest.mark.parametrize(
    ("records", "target", "upper"),
    [(0, 0, 0), (7, 0, 0), (8, 4, 4), (11, 4, 5), (12, 5, 5), (14, 5, 6), (20, 7, 8), (91, 24, 31), (92, 25, 32),
     (10_000, 25, 3334)],
)  # fmt: skip
def test_target_and_upper_bound_by_records(records, target, upper):
    assert target_records(records) == target
    assert most_records(records) == upper


@pytest.mark.parametrize(("barcodes", "bound"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (8, 3), (100, 33)])
def test_bound_by_barcodes(barcodes, bound):
    assert most_barcodes(barcodes) == bound


def test_targets_of_val_stay_fractions():
    assert [VAL.target(19), VAL.target(20), VAL.target(50)] == [0, 1.0, 2.5]
    assert [VAL.upper(50), VAL.bound(50)] == [5.0, 2.5]
    assert [VAL_UNSEEN.target(4), VAL_UNSEEN.upper(4), VAL_UNSEEN.bound(4)] == [0.8, 1.6, 0.8]


# Sizes in lexical order of barcodes, the chosen positions, and how the spec gets there.
WORKED = [
    (TEST, [3, 4], [], "n = 7: no target"),
    (TEST, [30], [], "one barcode stays where it is"),
    (TEST, [3, 5], [], "t = 4: no option; k = 1 of size 5 is over U = 4"),
    (TEST, [1, 3, 4], [2], "t = 4, B = 1: the last that fits"),
    (TEST, [4, 1, 3], [0], "the same, in another lexical order"),
    (TEST, [1, 1, 4, 6], [2], "t = 5: 6 is as near as 4, not nearer"),
    (TEST, [3, 6, 9, 6], [2], "t = 8, U = 9: 9 lies nearer than 6"),
    (TEST, [5, 5], [], "t = 4: none fits, and the first is not below n / 2"),
    (TEST, [9, 6], [1], "t = 5: none fits, the first is at least 3 and below n / 2"),
    (VAL, [3, 1, 36], [0], "t = 2: k = 1 of size 3; size 1 is as near, not nearer"),
    (VAL, [4, 1, 35], [1], "t = 2: size 1 is nearer than 4, which U = 4 allows"),
    (VAL, [5, 1, 34], [], "t = 2: k = 1 is over U = 4, although k - 1 would have been taken"),
    (VAL, [9, 10], [], "n = 19: no target"),
    (VAL, [3, 18], [0], "t = 1.05: none fits, the first is below n / 2"),
    (VAL, [10, 10], [], "t = 1: none fits, the first is half of the records"),
    (VAL_UNSEEN, [3, 1], [1], "t = 0.8: none fits, the first is below n / 2"),
    (VAL_UNSEEN, [2, 2], [], "t = 0.8: the first is half of the records"),
]


@pytest.mark.parametrize(("quota", "sizes", "chosen", "reason"), WORKED, ids=[case[3] for case in WORKED])
def test_worked_cases(quota, sizes, chosen, reason):
    assert choose(sizes, quota) == chosen


def test_a_free_choice_is_drawn_from_the_larger_half():
    # t = 5, U = 6, B = 2. Sorted 2 3 3 3 3, sums 2 5 8 11 14: options are positions 2 to 4, drawn is one of 3 and 4.
    # Then 2 is left to take: 2 does not reach 1.1 t, so k = 1, but k - 1 hits the target.
    sizes = [3, 3, 2, 3, 3]
    drawn = np.random.default_rng(1).integers(1, 3, size=1)[0]
    order = by_size(np.array(sizes, dtype=np.int64))
    assert choose(sizes, TEST) == [order[2 + drawn], 2]


def test_the_smallest_is_left_where_it_overshoots_by_more_than_it_lacks():
    # t = 5: after one of size 3 two records lack, and another 3 would be one too many: 3 > 2 / 2.
    assert len(choose([3, 3, 3, 3, 3], TEST)) == 1


def test_a_choice_below_the_lower_bound_is_dropped():
    # t = 4: 1 is nearer than nothing, but a species gives at least 3 records to test.
    assert choose([2, 2, 16], TEST) == []
    assert choose([1, 1, 18], VAL) != []


def test_the_generator_is_drawn_once_per_free_choice():
    used = np.random.default_rng(1)
    select_barcodes(np.array([3, 3, 2, 3, 3], dtype=np.int64), 14, TEST, used)
    once = np.random.default_rng(1)
    once.integers(1, 3, size=1)
    assert used.integers(1 << 40) == once.integers(1 << 40)


def test_records_without_a_barcode_count_and_leave_targets_out_of_reach():
    assert choose([1, 1], TEST, records=100) == []
    assert choose([], TEST, records=100) == []


QUOTAS = {
    "test": (TEST, (splits_oracle.t_of, 3, splits_oracle.u_of, splits_oracle.b_of, 1.1, 1.0)),
    "val": (
        VAL,
        (lambda n: 0 if n < 20 else 0.05 * n, 0, lambda n: 0.1 * n, lambda k: 0.05 * k, 1.1, 1.1),
    ),
    "val_unseen": (VAL_UNSEEN, (lambda n: 0.2 * n, 0, lambda n: 0.4 * n, lambda k: 0.2 * k, 1.1, 1.1)),
}


@pytest.mark.parametrize("name", QUOTAS)
@settings(max_examples=examples(300), deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), max_size=40)
    | st.lists(st.sampled_from([1, 1, 1, 2, 3, 5, 8, 20, 50, 200]), max_size=60),
    nameless=st.integers(0, 3),
    seed=st.integers(0, 3),
)
def test_agrees_with_the_spec_by_the_book(name, sizes, nameless, seed):
    quota, by_the_book = QUOTAS[name]
    barcodes = [f"{position:03}" for position, size in enumerate(sizes) for _ in range(size)]
    group = pd.DataFrame({"barcode": pd.Series(barcodes + [None] * nameless, dtype=object)})
    generator = np.random.default_rng(seed)
    expected = splits_oracle.choose(group, *by_the_book, generator)
    ours = np.random.default_rng(seed)
    chosen = select_barcodes(np.array(sizes, dtype=np.int64), len(group), quota, ours)
    assert [f"{position:03}" for position in chosen] == expected
    assert ours.integers(1 << 40) == generator.integers(1 << 40)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=30))
def test_no_quota_takes_a_whole_species(sizes):
    for quota, _ in QUOTAS.values():
        chosen = choose(sizes, quota)
        assert len(set(chosen)) == len(chosen) < len(sizes)
