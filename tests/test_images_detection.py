"""Statuses of an image by scores and thresholds."""

import pytest

from bioscan_etl.images.detection import Thresholds, status_of
from bioscan_etl.settings import ImageSettings


def test_statuses_follow_the_thresholds() -> None:
    thresholds = Thresholds(empty=0.2, sure=0.6)
    assert [status_of(value, 1, thresholds) for value in (0.1, 0.2, 0.59, 0.6)] == [
        "empty",
        "low_confidence",
        "low_confidence",
        "detected",
    ]
    assert status_of(0.9, 2, thresholds) == "multiple"
    assert status_of(0.3, 2, thresholds) == "low_confidence"
    # Where a detector tells how likely there is a specimen at all, that decides what is empty.
    assert status_of(0.1, 1, thresholds, present=0.9) == "low_confidence"
    assert status_of(0.9, 1, thresholds, present=0.1) == "empty"


def test_settings_overrule_the_thresholds_of_a_detector() -> None:
    own = Thresholds(empty=0.2, sure=0.6)
    assert own.under(ImageSettings()) == own
    assert own.under(ImageSettings(empty_confidence=0.1)) == Thresholds(0.1, 0.6)
    assert own.under(ImageSettings(empty_confidence=0, min_confidence=1)) == Thresholds(0, 1)
    with pytest.raises(ValueError, match="empty_confidence"):
        ImageSettings(empty_confidence="own")
