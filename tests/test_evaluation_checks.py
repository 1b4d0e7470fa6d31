"""What scores say against themselves."""

import pytest
from evaluated_scores import NOT_APPLICABLE, scores
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.evaluation.beside import NONE_BEFORE, Earlier
from bioscan_etl.evaluation.checks import COPIES, FALLEN, LEAKS, STATEMENTS, copies, fallen, findings, leaks


def test_an_evaluation_without_fault_passes_all_checks():
    found = findings(scores({}, {"subset": "copies", **NOT_APPLICABLE}), Earlier({"v1": scores({})}, ()))
    assert [finding.check for finding in found] == [COPIES, LEAKS, FALLEN] == list(STATEMENTS)
    assert all(finding.passed and not finding.count for finding in found)
    assert [finding.blocking for finding in found] == [False, True, False]


def test_copies_are_counted_once_for_all_models_and_ranks():
    test = {"task": "seen_species", "subset": "copies", "queries": "test", "keys": "train"}
    found = copies(
        scores(
            {**test, "n": 112, "rank": "species"},
            {**test, "n": 115},  # more queries have a genus than a species
            {**test, "n": 115, "model": "5-mers"},
            {**test, "n": 115, "metric": "top1_macro"},
            {**test, "n": 3, "queries": "val"},
            {**test, "n": 900, "subset": "rest"},
        )
    )
    assert not found.passed
    assert not found.blocking
    assert found.count == 118
    assert found.samples == ("test in train: 115", "val in train: 3")
    assert "118 queries" in found.detail


@pytest.mark.parametrize(
    ("row", "passes"),
    [
        # 0.2 + 3 sqrt(0.2 * 0.8 / 1000) = 0.2379
        ({"shuffled": 0.237}, True),
        ({"shuffled": 0.239}, False),
        ({"shuffled": 0.239, "n": 900}, True),
        ({"shuffled": 0.239, "subset": "rest"}, False),
        # No query has the commonest label of the keys: drawn answers are right still. 0.25 + 3 * 0.0137.
        ({"shuffled": 0.28, "majority": 0.0, "chance": 0.25}, True),
        ({"shuffled": 0.30, "majority": 0.0, "chance": 0.25}, False),
        ({"shuffled": 0.9, "metric": "top1_macro"}, True),
        ({"shuffled": 0.9, "metric": "top5_micro"}, True),
        ({"metric": "ami", "majority": 0.0, "shuffled": 0.049}, True),
        ({"metric": "ami", "majority": 0.0, "shuffled": 0.051}, False),
        ({"metric": "ami", "majority": 0.0, "shuffled": -0.2}, True),
        ({"metric": "ami", "majority": 0.0, "shuffled": 0.9, "n": 99}, True),  # few records agree by luck
        ({"shuffled": None}, True),
        (NOT_APPLICABLE, True),
    ],
)
def test_shuffled_labels_above_chance_are_an_error(row, passes):
    found = leaks(scores({"model": "4-mers"}, row))
    assert found.passed is passes
    assert found.count == (not passes)
    assert found.blocking


def test_the_worst_leak_is_named_first():
    found = leaks(scores({"shuffled": 0.4}, {"model": "5-mers", "shuffled": 0.99}, {"model": "4-mers"}))
    assert found.count == 2
    assert found.samples[0] == "left_out_species_5mers_genus (all): 99.0, at most 23.8"
    assert "none of its scores counts" in found.detail


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_what_chance_reaches_is_no_leak(n, chance, majority):
    row = {"n": n, "chance": chance, "majority": majority, "shuffled": max(chance, majority)}
    assert leaks(scores(row)).passed


def test_scores_below_the_interval_of_the_release_before_have_fallen():
    before = Earlier({"v1": scores({"value": 0.9, "low": 0.89}), "v2": scores({}, {"model": "5-mers"})}, ("v3",))
    now = scores(
        {"value": 0.549, "low": 0.5},
        {"model": "5-mers", "value": 0.551},
        {"model": "4-mers", "value": 0.0, "low": 0.0},  # v2 has none of these
        {"subset": "rest", "value": 0.1},
    )
    found = fallen(now, before)
    assert not found.passed
    assert not found.blocking
    assert found.count == 1
    assert found.samples == ("left_out_species_6mers_genus: 54.9, v2 had 60.0, at least 55.0",)
    assert found.detail == "1 of 2 scores have fallen since v2; v3 cannot be read"


def test_the_release_before_is_the_last_one_that_has_scores_of_the_benchmark():
    before = Earlier({"v1": scores({}), "v2": scores({"benchmark": "clustering", "metric": "ami"})}, ())
    assert "since v1" in fallen(scores({"value": 0.1}), before).detail


def test_a_first_release_cannot_have_fallen():
    found = fallen(scores({}), NONE_BEFORE)
    assert found.passed
    assert found.detail == "no release before this one has scores"
    assert fallen(scores(), Earlier({"v1": scores({})}, ())).passed
