"""Formulas of the benchmarks, against hand-worked cases and slow implementations."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.evaluation.metrics import (
    accuracy,
    accuracy_score,
    ami,
    ami_score,
    expected_information,
    harmonic_mean,
    hits,
)

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=12)


def test_a_hit_counts_from_its_rank_on():
    labels = np.array([3, 5, 7, -1])
    answers = np.array([[3, 1, 1], [1, 5, 5], [1, 1, -1], [-1, -1, -1]])
    assert hits(labels, answers).tolist() == [[True] * 3, [False, True, True], [False] * 3, [False] * 3]


def test_micro_counts_queries_and_macro_labels():
    correct, labels = np.array([True, True, True, False]), np.array([0, 0, 0, 1])
    assert accuracy(correct, labels, "micro") == 0.75
    assert accuracy(correct, labels, "macro") == 0.5
    assert math.isnan(accuracy(np.empty(0, np.bool_), np.empty(0, np.int64), "macro"))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=20))
def test_macro_is_the_mean_over_labels_that_occur(answers):
    correct, labels = np.array([right for right, _ in answers]), np.array([label for _, label in answers])
    by_label = {label: [right for right, each in answers if each == label] for label in set(labels.tolist())}
    expected = sum(sum(each) / len(each) for each in by_label.values()) / len(by_label)
    assert accuracy(correct, labels, "macro") == pytest.approx(expected)


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_the_interval_is_that_of_a_plain_bootstrap(average):
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 6, 300)
    correct = rng.random(300) < 0.3 + 0.1 * labels
    found = accuracy_score(correct, labels, average, seed=1)
    drawn = []
    for _ in range(2000):
        rows = rng.integers(0, 300, 300)
        drawn.append(accuracy(correct[rows], labels[rows], average))
    low, high = np.percentile(drawn, (2.5, 97.5))
    assert found.low == pytest.approx(low, abs=0.012)
    assert found.high == pytest.approx(high, abs=0.012)
    assert found.low <= found.value <= found.high


def test_a_seed_gives_the_same_interval_and_another_a_different_one():
    correct, labels = np.arange(90) % 3 > 0, np.arange(90) % 7
    one, same, other = (accuracy_score(correct, labels, "macro", seed) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_one_query_has_no_width():
    found = accuracy_score(np.array([True]), np.array([4]), "macro", 0)
    assert (found.value, found.low, found.high) == (1, 1, 1)


def test_the_harmonic_mean():
    assert harmonic_mean(0.5, 1.0) == pytest.approx(2 / 3)
    assert harmonic_mean(0, 0) == 0


def expected_slowly(rows, columns):
    """Expected mutual information, cell by cell, with exact factorials (Vinh et al. 2010)."""
    total = sum(rows)
    f = math.factorial
    found = 0.0
    for a in rows:
        for b in columns:
            for n in range(max(1, a + b - total), min(a, b) + 1):
                ways = f(a) * f(b) * f(total - a) * f(total - b)
                below = f(total) * f(n) * f(a - n) * f(b - n) * f(total - a - b + n)
                found += n / total * math.log(total * n / (a * b)) * (ways / below)
    return found


@given(
    LABELS.flatmap(
        lambda one: st.tuples(st.just(one), st.lists(st.integers(0, 4), min_size=len(one), max_size=len(one)))
    )
)
def test_ami_is_that_of_a_slow_implementation(pair):
    one, other = (np.array(each) for each in pair)
    rows, columns = (np.unique(each, return_counts=True)[1] for each in (one, other))
    expected = expected_slowly(rows.tolist(), columns.tolist())
    assert expected_information(rows, columns) == pytest.approx(expected, abs=1e-9)
    if len(rows) == len(columns) and len(rows) in (1, len(one)):
        assert ami(one, other) == 1
        return
    total = len(one)
    information = sum(
        (n := int(((one == a) & (other == b)).sum()))
        and n / total * math.log(total * n / ((one == a).sum() * (other == b).sum()))
        for a in set(one.tolist())
        for b in set(other.tolist())
    )
    entropies = [-sum(c / total * math.log(c / total) for c in each.tolist()) for each in (rows, columns)]
    below = sum(entropies) / 2 - expected
    if abs(below) > 1e-9:
        assert ami(one, other) == pytest.approx((information - expected) / below, abs=1e-7)


def test_ami_of_a_hand_worked_case():
    # Four records in two clusters that split each label in halves: information 0, expected 0.2310, entropies ln 2.
    found = ami(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    assert found == pytest.approx(-0.5, abs=1e-9)
    assert ami(np.array([0, 0, 1, 1]), np.array([7, 7, 3, 3])) == pytest.approx(1)


def test_independent_labels_have_an_ami_about_0_and_its_interval_holds_it():
    rng = np.random.default_rng(0)
    clusters, labels = rng.integers(0, 30, 1000), rng.integers(0, 20, 1000)
    found = ami_score(clusters, labels, 0)
    assert abs(found.value) < 0.02
    assert found.low <= found.value <= found.high
    assert found.high - found.low < 0.05
