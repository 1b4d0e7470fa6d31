"""Distances between barcodes, against a comparison of all letters, and against numbers worked out by hand."""

import math
from collections import Counter
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from framed_barcodes import drawn
from hypothesis import given
from hypothesis import strategies as st
from test_barcodes_check import real_barcodes

from bioscan_etl.barcodes.counted import extents, kinds_of_groups
from bioscan_etl.barcodes.distances import Distribution, farthest, k2p, nearest_of_another, p_distance, witnesses
from bioscan_etl.barcodes.framed import framed, letters
from bioscan_etl.barcodes.placement import place

WHOLE = drawn(6)
TRANSITION = {"A": "G", "G": "A", "C": "T", "T": "C"}
TRANSVERSION = {"A": "C", "C": "A", "G": "T", "T": "G"}


def on_frame(texts):
    return place(pl.Series("barcode", texts, pl.String))


def compared(placed, one, other):
    """shared, transitions and transversions of two barcodes, letter by letter."""
    a, b = letters(placed)[[one, other]].astype(int)
    both = (a < 4) & (b < 4)
    differ = both & (a != b)
    # A, C, G, T are 0 to 3: A and G, and C and T, are 2 apart.
    transitions = differ & (abs(a - b) == 2)
    return int(both.sum()), int(transitions.sum()), int((differ & ~transitions).sum())


def pairs_of(barcodes, members):
    return kinds_of_groups(barcodes, extents(barcodes, members), members, np.array([len(members)]))


def counted(pairs):
    found = Counter()
    for *kind, count in zip(pairs.shared, pairs.transitions, pairs.transversions, pairs.count, strict=True):
        found[tuple(map(int, kind))] += int(count)
    return found


def test_a_pair_worked_out_by_hand():
    changed = list(WHOLE[0])
    for at in (3, 9, 15):
        changed[at] = TRANSITION[changed[at]]
    changed[21] = TRANSVERSION[changed[21]]
    placed = on_frame([WHOLE[0], "".join(changed)[:600]])
    pairs = pairs_of(framed(placed), np.arange(2))
    assert counted(pairs) == {(600, 3, 1): 1}
    kind = (pairs.shared, pairs.transitions, pairs.transversions)
    assert p_distance(*kind).tolist() == [4 / 600]
    p, q = 3 / 600, 1 / 600
    assert k2p(*kind)[0] == pytest.approx(-0.5 * math.log((1 - 2 * p - q) * math.sqrt(1 - 2 * q)), rel=1e-12)


def test_pairs_too_far_apart_have_no_k2p():
    found = k2p(*(np.array(values) for values in ([100, 100], [50, 0], [0, 0])))
    assert np.isnan(found[0])
    assert found[1] == 0
    assert not math.copysign(1, found[1]) < 0
    assert Distribution.of(found, np.array([1, 2])).size == 2


@given(
    st.lists(
        st.tuples(st.sampled_from(WHOLE), st.integers(0, 200), st.integers(400, 658), st.integers(0, 657)),
        max_size=9,
    )
)
def test_pairs_are_those_of_a_comparison_of_all_letters(chosen):
    texts = []
    for text, begin, end, unread in chosen:
        texts.append((text[:unread] + "N" + text[unread + 1 :])[begin:end].strip("N"))
    texts = sorted(set(texts))
    placed = on_frame(texts)
    expected = {}
    for one, other in combinations(range(len(texts)), 2):
        kind = compared(placed, one, other)
        expected[kind] = expected.get(kind, 0) + 1
    assert counted(pairs_of(framed(placed), np.arange(len(texts)))) == expected


def test_members_are_taken_by_position():
    placed = on_frame(WHOLE)
    pairs = pairs_of(framed(placed), np.array([4, 1]))
    assert counted(pairs) == {compared(placed, 1, 4): 1}


@pytest.mark.parametrize("members", [[], [2]])
def test_fewer_than_two_barcodes_have_no_pair(members):
    assert len(pairs_of(framed(on_frame(WHOLE)), np.array(members, np.int64)).count) == 0


def test_many_barcodes_in_blocks(monkeypatch):
    """The same counts however many pairs are compared at a time."""
    placed = on_frame([text[: 400 + 20 * number] for number, text in enumerate(drawn(13, seed=3))])
    whole = counted(pairs_of(framed(placed), np.arange(13)))
    monkeypatch.setattr("bioscan_etl.barcodes.distances._CELLS", 7)
    assert counted(pairs_of(framed(placed), np.arange(13))) == whole
    assert sum(whole.values()) == 78


VALUES = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.7]), st.integers(1, 5)), min_size=1)


@given(VALUES)
def test_a_distribution_is_that_of_the_values_written_out(counts):
    values, times = (np.array(column) for column in zip(*counts, strict=True))
    found = Distribution.of(values.astype(float), times.astype(np.int64))
    plain = np.repeat(values, times)
    assert found.size == len(plain)
    assert found.mean() == pytest.approx(plain.mean())
    assert found.standard_deviation() == pytest.approx(plain.std(), abs=1e-12)
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    assert found.quantiles(*shares) == np.quantile(plain, shares, method="inverted_cdf").tolist()


def test_a_distribution_of_nothing():
    empty = Distribution.of(np.array([np.nan]), np.array([3]))
    assert (empty.size, empty.mean(), empty.standard_deviation(), empty.quantiles(0.5)) == (0, None, None, [None])


GROUPS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(range(len(WHOLE))), st.integers(0, 2)), max_size=10)


@given(GROUPS)
def test_nearest_and_farthest_are_those_of_all_pairs(drawn_):
    chosen = sorted(set(drawn_))
    # 0: whole; 1: the first 350 letters; 2: the last 350: these two share too few columns.
    texts = [(WHOLE[text], WHOLE[text][:350], WHOLE[text][308:])[part] for _, text, part in chosen]
    groups = np.array([group for group, _, _ in chosen], np.int64)
    distinct = sorted(set(texts))  # one barcode can be of several groups
    placed = on_frame(distinct)
    members = np.array([distinct.index(text) for text in texts], np.int64)
    within, other = {}, {}
    for one, two in combinations(range(len(texts)), 2):
        shared, transitions, transversions = compared(placed, members[one], members[two])
        if shared < 300:
            continue
        p = (transitions + transversions) / shared
        a, b = int(groups[one]), int(groups[two])
        if a == b:
            within[a] = max(within.get(a, 0), p)
        else:
            other[a] = min(other.get(a, (9, 9)), (p, b))
            other[b] = min(other.get(b, (9, 9)), (p, a))
    assert farthest(framed(placed), members, groups, 300) == within
    found = nearest_of_another(framed(placed), members, groups, 300)
    assert found == {group: other.get(group, (None, None)) for group in sorted(set(groups.tolist()))}


def test_the_nearest_group_is_found_in_more_tiles_than_one(monkeypatch):
    for name, value in (("_ROWS", 2), ("_TILE", 3), ("_PAIRS", 5)):
        monkeypatch.setattr(f"bioscan_etl.barcodes.apart.{name}", value)
    near = ["".join((*text[:9], "ACGT"["TACG".index(text[9])], *text[10:])) for text in drawn(12, seed=3)]
    texts = sorted({*drawn(12, seed=3), *near[::2], *(text[:500] for text in near[::3])})
    placed = on_frame(texts)
    rng = np.random.default_rng(1)
    members = rng.permutation(len(texts))
    groups = np.sort(rng.integers(0, 9, len(texts)))
    found = nearest_of_another(framed(placed), members, groups, 300)
    for group in set(groups.tolist()):
        every = [
            (sum(kind[1:]) / kind[0], int(other))
            for mine in members[groups == group]
            for at, other in zip(members, groups, strict=True)
            if other != group and (kind := compared(placed, mine, at))[0] >= 300
        ]
        assert found[group] == min(every)


def test_real_barcodes(shared_data):
    placed = on_frame(real_barcodes(shared_data).head(60))
    expected = {}
    for one, other in combinations(range(placed.height), 2):
        kind = compared(placed, one, other)
        expected[kind] = expected.get(kind, 0) + 1
    assert counted(pairs_of(framed(placed), np.arange(placed.height))) == expected


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 40), st.booleans()),
        min_size=2,
        max_size=12,
        unique_by=lambda one: one[:2],
    )
)
def test_witnesses_show_the_largest_distance_within_and_the_smallest_between(chosen):
    """Of all barcodes, those that are returned have the same two distances, and there are two to four of them."""
    texts = [WHOLE[kind][begin * 5 :] for kind, begin, _ in chosen]
    members = np.arange(len(texts))
    groups = np.array([int(is_other) for *_, is_other in chosen])
    placed = framed(on_frame(texts))
    shown = np.array(witnesses(placed, members[groups == 0], members[groups == 1], 500), np.int64)

    def distances(at):
        at = at[np.argsort(groups[at], kind="stable")]
        within = farthest(placed, at[groups[at] == 0], groups[at][groups[at] == 0], 500)
        return within.get(0), nearest_of_another(placed, at, groups[at], 500).get(0, (None, None))[0]

    assert distances(shown) == distances(members)
    assert len(shown) <= 4
