"""In what two detectors differ on the same images, and when the second one is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_outcomes import drawn_outcomes

from bioscan_etl.training.comparison import FEW, NAMES, WORDS, compare, figures, reasons, remarks, table
from bioscan_etl.training.outcomes import FIGURES, Outcomes

TOLERANCE = 0.01


def outcomes(occupied, empty, *, wrong=(), lost=(), invented=()):
    """Perfect outcomes of so many images in four views, but for the images (by number) that are named."""
    number = occupied + empty
    image = np.repeat(np.arange(number), 4)
    full = image < occupied
    reported = np.where(full, np.isin(image, lost), ~np.isin(image, invented))
    boxed = ~reported
    iou = np.where(full & boxed, np.where(np.isin(image, wrong), 0.6, 0.9), 0.0)
    share = np.where(full, 0.03, 0.0)
    confidence = np.linspace(0.9, 0.5, len(image))
    unsure = np.zeros(len(image), np.bool_)
    return Outcomes(image, full, share, boxed, boxed * 0.03, confidence, iou, reported, unsure, 1.0 - reported)


PERFECT = outcomes(80, 20)


def by_name(current, tuned, tolerance=TOLERANCE):
    return {one.name: one for one in compare(current, tuned, tolerance)}


@given(st.integers(0, 2**31), st.integers(1, 40), st.sampled_from([0.0, 0.01]))
def test_a_detector_compared_with_itself_has_no_difference_and_is_not_refused(seed, pictures, tolerance):
    one = drawn_outcomes(seed, pictures)
    found = compare(one, one, tolerance)
    for each in found:
        assert (each.current, each.difference.value, each.word) == (each.tuned, 0, WORDS[0])
        assert not each.fell
        assert not each.refused
    assert reasons(found) == []


@pytest.mark.parametrize("change", [{"wrong": [3]}, {"lost": [3]}, {"invented": [90]}, {"lost": [0], "invented": [99]}])
def test_one_image_of_a_hundred_refuses_nothing_and_is_named(change):
    found = compare(PERFECT, outcomes(80, 20, **change), TOLERANCE)
    assert any(one.fell for one in found)
    assert not any(one.refused for one in found)
    assert reasons(found) == []
    said = remarks(found, [f"image-{number}" for number in range(100)], {"occupied": 80, "empty": 60})
    named = {number for numbers in change.values() for number in numbers}
    assert {number for number in range(100) if f"image-{number}: look at that image" in " ".join(said)} == named


@pytest.mark.parametrize("change", [{"wrong": range(0, 30, 3)}, {"lost": range(8)}, {"invented": range(80, 88)}])
def test_a_worse_detector_is_refused_and_surely_so(change):
    tuned = outcomes(80, 20, **{name: list(numbers) for name, numbers in change.items()})
    found = by_name(PERFECT, tuned)
    refused = {name for name, one in found.items() if one.refused}
    assert refused
    for name in refused:
        one = found[name]
        assert one.word == "worse"
        assert one.difference.low <= one.difference.value <= one.difference.high
    (first, *_) = told = reasons(list(found.values()))
    assert len(told) == len(refused)
    lost = first.startswith("occupied images reported empty")
    assert f"allowed is {0.005 if lost else 0.01}" in first
    assert "chance" not in first
    # The other way round it is better, and nothing is refused.
    back = by_name(tuned, PERFECT)
    assert {name for name, one in back.items() if one.word == "better"} >= refused
    assert not any(one.refused for one in back.values())


def test_what_may_be_chance_is_refused_and_says_so():
    # Twelve images became worse and nine better: a net fall by three of eighty.
    current = outcomes(80, 20, wrong=range(40, 49))
    found = by_name(current, outcomes(80, 20, wrong=range(12)))
    assert found["AR"].fell
    assert found["AR"].refused
    assert found["AR"].word == WORDS[0]
    assert any("it may be chance, more images would tell" in one for one in reasons(list(found.values())))
    assert "refused: it fell, though that may be chance" in table(list(found.values()))


def test_the_difference_without_the_image_that_counts_most():
    found = by_name(PERFECT, outcomes(80, 20, lost=[5, 6]))["occupied_as_empty"]
    assert found.difference.value == pytest.approx(2 / 80)
    assert found.without == pytest.approx(1 / 79)
    assert found.image in (5, 6)
    assert found.refused
    assert not by_name(PERFECT, outcomes(80, 20, lost=[5, 6]), 0.04)["occupied_as_empty"].refused


def test_a_fall_within_the_tolerance_that_is_sure_is_told():
    found = compare(outcomes(540, 60), outcomes(540, 60, lost=range(5)), 2 * TOLERANCE)
    assert not any(one.refused for one in found)
    said = remarks(found, [], {"occupied": 540, "empty": 60})
    assert any(text.startswith("occupied images reported empty 0.009 after 0.000 (+0.009") for text in said)
    assert all(text.endswith("within what is allowed") for text in said)


def test_few_images_say_so():
    found = compare(outcomes(7, 4), outcomes(7, 4), TOLERANCE)
    assert remarks(found, [], {"occupied": 7, "empty": 4}) == [
        "the images are few (7 occupied and 4 empty), so that only large differences can be seen: one of 7 is 14%, "
        "one of 4 is 25%"
    ]
    assert remarks(found, [], {"occupied": FEW, "empty": 4})[0].startswith("the images are few (4 empty), so")
    assert remarks(found, [], {"occupied": FEW, "empty": FEW}) == []


def test_figures_that_cannot_be_taken_are_left_out():
    found = by_name(outcomes(30, 0), outcomes(30, 0, lost=[1]))
    assert set(found) == set(NAMES) - {"empty_as_empty"}
    assert "empty_as_empty" not in figures(outcomes(30, 0))
    assert set(NAMES) == set(FIGURES)
    # With one image there is no other one to judge by: nothing is refused for it.
    single = compare(outcomes(1, 0), outcomes(1, 0, wrong=[0]), TOLERANCE)
    assert not any(one.word == "better" for one in single)


def test_the_table_shows_both_and_the_difference():
    text = table(compare(PERFECT, outcomes(80, 20, lost=range(8)), TOLERANCE))
    assert "| occupied images reported empty | 0.000 | 0.100 | +0.100 [" in text
    assert "| **refused: worse** |" in text
    assert "| empty images reported empty | 1.000 | 1.000 | +0.000 [+0.000, +0.000] | no difference that" in text
