"""Intervals of a detector's figures, and of the difference of two detectors."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_outcomes import drawn_outcomes

from bioscan_etl.training import intervals, outcomes


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(1, 30))
def test_an_interval_holds_its_figure(seed: int, pictures: int) -> None:
    found = drawn_outcomes(seed, pictures)
    for name, one in intervals.intervals(found, draws=50).items():
        assert one.value == outcomes.FIGURES[name](found, outcomes.once(found))[0]
        assert 0 <= one.low <= one.value <= one.high <= 1


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(1, 30))
def test_a_detector_does_not_differ_from_itself(seed: int, pictures: int) -> None:
    found = drawn_outcomes(seed, pictures)
    for one in intervals.paired(found, found, draws=50).values():
        assert (one.value, one.low, one.high) == (0, 0, 0)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 30))
def test_a_difference_turns_its_sign_with_the_order(seed: int, pictures: int) -> None:
    before = drawn_outcomes(seed, pictures)
    rng = np.random.default_rng(seed)
    after = replace(before, iou=before.iou * rng.uniform(0.5, 1, pictures), empty=rng.random(pictures) < 0.3)
    one, other = intervals.paired(before, after, draws=50), intervals.paired(after, before, draws=50)
    assert one.keys() == other.keys()
    for name in one:
        assert (one[name].value, one[name].low, one[name].high) == pytest.approx(
            (-other[name].value, -other[name].high, -other[name].low)
        )


def test_a_mean_has_the_interval_of_the_normal_distribution() -> None:
    found = drawn_outcomes(5, 600)
    one = intervals.intervals(found)["empty_as_empty"]
    empties = int((~found.occupied).sum())
    deviation = (one.value * (1 - one.value) / empties) ** 0.5
    assert one.high - one.low == pytest.approx(2 * 1.96 * deviation, rel=0.08)


def test_views_are_drawn_with_their_image() -> None:
    # Four equal views say no more than one: the interval must be as wide.
    one = drawn_outcomes(5, 100)
    four = replace(
        one.only(np.repeat(np.arange(100), 4)),
        image=np.repeat(np.arange(100), 4),
    )
    single, viewed = intervals.intervals(one), intervals.intervals(four)
    for name in ("AR", "empty_as_empty", "occupied_as_empty", "AP75"):
        assert viewed[name].value == pytest.approx(single[name].value)
        assert (viewed[name].low, viewed[name].high) == pytest.approx((single[name].low, single[name].high))


def test_a_paired_interval_is_narrower_than_two_apart() -> None:
    before = drawn_outcomes(6, 300)
    after = replace(before, iou=np.minimum(before.iou + 0.03 * (before.iou > 0), 1.0))
    gain = intervals.paired(before, after)["AR"]
    assert 0 < gain.low < gain.value < gain.high
    alone = intervals.intervals(before)["AR"]
    assert gain.high - gain.low < (alone.high - alone.low) / 3


def test_none_of_some_has_an_exact_upper_end() -> None:
    found = drawn_outcomes(7, 100)
    never = replace(found, empty=np.zeros(100, bool))
    count = int(found.occupied.sum())
    one = intervals.intervals(never)["occupied_as_empty"]
    assert (one.value, one.low) == (0, 0)
    assert (1 - one.high) ** count == pytest.approx(0.025)
    always = intervals.intervals(replace(found, empty=np.ones(100, bool)))["empty_as_empty"]
    assert (always.value, always.high) == (1, 1)
    assert always.low ** int((~found.occupied).sum()) == pytest.approx(0.025)


def test_other_pictures_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="not measured on the same pictures"):
        intervals.paired(drawn_outcomes(1, 10), drawn_outcomes(2, 10))


def test_what_cannot_be_taken_is_left_out() -> None:
    found = drawn_outcomes(8, 40)
    full, bare = found.only(found.occupied), found.only(~found.occupied)
    assert set(intervals.intervals(full, draws=20)) == {"AP75", "AR", "occupied_as_empty"}
    assert set(intervals.paired(bare, bare, draws=20)) == {"empty_as_empty"}
    assert intervals.interval(bare, outcomes.average_recall) is None
    assert intervals.intervals(found.only(np.zeros(40, bool))) == {}


def test_the_same_seed_gives_the_same_interval_in_little_time() -> None:
    found = drawn_outcomes(9, 200)
    start = time.process_time()
    first = intervals.intervals(found)
    assert time.process_time() - start < 5
    assert first == intervals.intervals(found)
    assert first != intervals.intervals(found, seed=1)
    assert str(intervals.Interval(0.65, 0.6, 0.7)) == "0.650 [0.600, 0.700]"
