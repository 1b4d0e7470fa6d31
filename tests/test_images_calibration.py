"""What was fitted to the scores of the networks, as it is read."""

import json

import pytest

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.calibration import EXPERT_FEATURES, Calibration, Regression
from bioscan_etl.images.detection import SHIPPED
from bioscan_etl.images.refined import FEATURES


def values() -> dict:
    zeros = {"weights": dict.fromkeys(FEATURES, 0.0), "offset": 0.0}
    return {
        "confidence": zeros,
        "presence": zeros,
        "empty_confidence": 0.3,
        "min_confidence": 0.2,
        "worth_a_look": 0.1,
        "against_best": 0.3,
        "most": 2,
        "again": 0.8,
    }


def test_what_ships_can_be_read() -> None:
    found = Calibration.parse((SHIPPED / "calibration.json").read_text(), "x")
    for regression in (found.scores.confidence, found.scores.presence):
        assert set(regression.weights) == set(FEATURES)
        assert regression.weights["coarse"] > 0


@pytest.mark.parametrize("text", ["[]", "{", "1", '{"expert": 3}', "null"])
def test_what_is_no_calibration_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"bioscan_etl\.training\.calibrate"):
        Calibration.parse(text, "x")


def test_a_detector_without_an_expert_has_none() -> None:
    found = Calibration.parse(json.dumps(values()), "x")
    assert found.expert is None
    assert found.thresholds.doubtful == found.thresholds.empty == 0.3


def test_an_expert_needs_a_weight_of_each_of_its_features() -> None:
    scores = {"weights": dict.fromkeys(EXPERT_FEATURES, 1.0), "offset": 0.0}
    given = values() | {"expert": {"below": 0.8, "confidence": scores, "presence": scores}, "doubtful_presence": 0.6}
    found = Calibration.parse(json.dumps(given), "x")
    assert found.expert is not None
    assert found.expert.below == 0.8
    assert found.thresholds.doubtful == 0.6
    del given["expert"]["presence"]["weights"]["tint"]
    with pytest.raises(SettingsError, match="tint"):
        Calibration.parse(json.dumps(given), "x")


def test_a_regression_gives_a_probability() -> None:
    one = Regression({"size": 2.0}, -1.0)
    assert one.chance({"size": 0.5}) == 0.5
    assert one.chance({"size": 1e9}) == pytest.approx(1)
    assert 0 < one.chance({"size": -1e9}) < 1e-6
