"""Thresholds that no single image decides, and how sure they are."""

from dataclasses import replace

import numpy as np
import pytest

from bioscan_etl.training.intervals import DRAWS
from bioscan_etl.training.thresholds import (
    FEWEST,
    OCCUPIED_MISSED,
    SENT,
    SETTLED,
    STEPS,
    Pictures,
    choose,
    described,
    recorded,
)


def pictures(occupied, empty, *, right=None, confidence=None):
    """Four pictures of each image; presence of the occupied and of the empty images, (n,) each."""
    presence = np.repeat(np.concatenate([occupied, empty]).astype(float), 4)
    full = np.repeat([True] * len(occupied) + [False] * len(empty), 4)
    right = full if right is None else np.repeat(np.concatenate([right, np.zeros(len(empty), np.bool_)]), 4)
    confidence = np.where(right, 0.6, 0.3) if confidence is None else confidence
    number = len(presence)
    image, blur = np.repeat(np.arange(number // 4), 4), np.zeros(number, np.bool_)
    return Pictures(image, full, confidence, presence, right, blur)


def certain(number):
    """Presence of occupied images as of a detector: mostly high, the least certain ones spread over low values."""
    return 1 / (1 + np.exp(-(np.linspace(0.003, 0.997, number) ** 0.25 * 9 - 4)))


def test_what_can_be_parted_is_parted():
    found = choose(pictures(np.repeat([0.5, 0.9], [20, 60]), np.repeat([0.05, 0.15], [30, 10])))
    assert found.images == {"occupied": 80, "empty": 40}
    assert not found.few
    assert 0.15 < found.empty.value <= found.empty.high <= 0.5
    assert (found.found.value, found.lost.value) == (1, 0)
    # None of eighty lost is compatible with some.
    assert 0.02 < found.lost.high < 0.06
    assert found.sure.value == STEPS[0]


def test_nine_of_ten_boxes_above_min_confidence_are_right():
    # Of 400 boxes 52 are wrong; the 14 least confident ones are, so that few images are sent.
    place = np.arange(400)
    right = (place >= 14) & ((place < 100) | (place >= 138))
    confidence = np.repeat(np.concatenate([np.where(place < 14, 0.3, 0.6), np.zeros(40)]), 4)
    found = choose(pictures(np.full(400, 0.9), np.full(40, 0.1), right=right, confidence=confidence))
    assert 0.3 < found.sure.value <= 0.6
    assert found.right.value == pytest.approx(348 / 386)
    assert found.sent.value == pytest.approx(14 / 440)
    none = choose(pictures(np.full(3, 0.9), np.full(4, 0.95), right=np.zeros(3, np.bool_), confidence=np.zeros(28)))
    assert none.right is None
    assert "right above min_confidence none to measure" in described(none)


@pytest.mark.parametrize("wrong", [2, 30])
def test_no_more_images_are_sent_than_allowed(wrong):
    right = np.arange(80) >= wrong
    found = choose(pictures(np.full(80, 0.9), np.full(40, 0.1), right=right))
    assert found.sent.value <= SENT
    # A few wrong boxes can be sent, thirty cannot.
    assert (found.sure.value > 0.3) == (wrong == 2) or found.right.value >= 0.9


def test_doubtful_presence_settles_the_empty_images_that_overlap_with_occupied_ones():
    empty = np.concatenate([np.linspace(0.02, 0.4, 97), [0.6, 0.7, 0.98]])
    found = choose(pictures(np.concatenate([np.full(390, 0.95), np.full(10, 0.5)]), empty))
    assert found.found.value < found.settled.value
    assert found.settled.value >= SETTLED
    assert found.sent.value <= SENT
    assert 0.7 < found.doubtful <= 0.72


def test_a_blur_is_sent_and_neither_lost_nor_found():
    given = pictures(certain(100), np.linspace(0.02, 0.5, 40))
    blur = given.blur.copy()
    blur[given.presence < 0.05] = True
    found = choose(replace(given, blur=blur))
    assert found.lost.value <= choose(given).lost.value
    assert found.found.value < 1
    assert found.sent.value > 0


def rule_itself(given):
    full = given.presence[given.occupied]
    return max(step for step in STEPS if (full < step).mean() <= OCCUPIED_MISSED)


def test_one_more_lost_picture_moves_the_threshold_little():
    """The rule applied once loses most of its threshold by a single picture; the mean over draws does not."""
    before = pictures(np.linspace(0.6, 0.99, 96), np.linspace(0.02, 0.5, 33))
    before.presence[:2] = 0.05  # two of the four pictures of the least certain image are lost
    before.presence[4:6] = 0.3, 0.45
    one = replace(before, presence=before.presence.copy())
    one.presence[3 * 4] = 0.03
    fall = rule_itself(before) - rule_itself(one)
    assert fall >= 0.15
    assert 0 <= choose(before).empty.value - choose(one).empty.value < fall / 2


def test_the_loss_stays_near_what_is_allowed():
    for number in (60, 96, 300, 800):
        found = choose(pictures(certain(number), np.linspace(0.02, 0.5, 40)))
        assert found.lost.value <= 0.02 + 1 / number
        assert found.empty.low <= found.empty.value <= found.empty.high
        assert found.lost.low <= found.lost.value <= found.lost.high


def test_more_images_are_surer():
    widths = [
        choice.empty.high - choice.empty.low
        for choice in (choose(pictures(certain(number), np.linspace(0.02, 0.5, 40))) for number in (60, 800))
    ]
    assert widths[1] < widths[0] / 2


@pytest.mark.parametrize(("occupied", "empty"), [(FEWEST["occupied"] - 1, 40), (200, FEWEST["empty"] - 1), (3, 0)])
def test_few_images_choose_nothing_and_say_so(occupied, empty):
    given = pictures(certain(occupied), np.linspace(0.02, 0.5, empty))
    found = choose(given, (0.37, 0.25, 0.6))
    assert (found.empty.value, found.sure.value, found.doubtful) == (0.37, 0.25, 0.6)
    assert (found.few, found.kept) == (True, True)
    first, second, *_ = described(found)
    assert first == (
        f"{occupied} occupied and {empty} empty images are too few to choose thresholds by, 50 occupied and 10 empty "
        "are needed: the thresholds of the detector that it started from are kept"
    )
    assert second.startswith("empty_confidence 0.37 [")
    assert second.endswith(f", these images alone would choose {found.empty.drawn:.2f}")
    # The shares are those at the thresholds that are kept.
    assert found.lost.value == pytest.approx((given.presence[given.occupied] < 0.37).mean())
    alone = choose(given)
    assert (alone.few, alone.kept, alone.empty.value) == (True, False, found.empty.drawn)
    assert "are chosen by these images all the same" in described(alone)[0]


def test_enough_images_choose_for_themselves():
    found = choose(pictures(certain(50), np.linspace(0.02, 0.5, 10)), (0.37, 0.25, 0.6))
    assert (found.few, found.kept) == (False, False)
    assert found.empty.value == found.empty.drawn
    assert described(found)[0] == "thresholds from 50 occupied and 10 empty images, intervals of 95 % over images"


def test_what_is_recorded_is_what_was_chosen():
    given = pictures(certain(96), np.linspace(0.02, 0.5, 33))
    found = choose(given)
    assert choose(given) == found
    told = recorded(found)
    assert told["images"] == {"occupied": 96, "empty": 33}
    assert told["intervals"]["empty_confidence"] == [found.empty.low, found.empty.high]
    assert told["shares"]["occupied_as_empty"] == pytest.approx(found.lost.value, abs=1e-4)
    assert DRAWS >= 1000
