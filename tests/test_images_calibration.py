"""What was fitted to the scores of the networks, as it is read."""

import json

import pytest

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.calibration import Calibration, Regression, appeal_features
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


@pytest.mark.parametrize("text", ["[]", "{", "1", '{"appeal": 3}', "null"])
def test_what_is_no_calibration_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"bioscan_etl\.training\.calibrate"):
        Calibration.parse(text, "x")


def test_a_calibration_from_before_there_was_an_appeal_has_none() -> None:
    found = Calibration.parse(json.dumps(values()), "x")
    assert found.appeal is None
    assert found.thresholds.doubtful == found.thresholds.empty == 0.3


@pytest.mark.parametrize("expert", [False, True])
def test_an_appeal_needs_a_weight_of_each_of_its_features(expert: bool) -> None:
    scores = {"weights": dict.fromkeys(appeal_features(expert=expert), 1.0), "offset": 0.0}
    given = values() | {"appeal": {"below": 0.8, "confidence": scores, "presence": scores}, "doubtful_presence": 0.6}
    found = Calibration.parse(json.dumps(given), "x")
    assert found.appeal is not None
    assert (found.appeal.below, found.appeal.expert) == (0.8, expert)
    assert found.thresholds.doubtful == 0.6
    for missing in ("tint", "expert_iou") if expert else ("tint",):
        fewer = {name: weight for name, weight in scores["weights"].items() if name != missing}
        given["appeal"]["presence"] = scores | {"weights": fewer}
        with pytest.raises(SettingsError, match=missing):
            Calibration.parse(json.dumps(given), "x")


def test_a_regression_gives_a_probability() -> None:
    one = Regression({"size": 2.0}, -1.0)
    assert one.chance({"size": 0.5}) == 0.5
    assert one.chance({"size": 1e9}) == pytest.approx(1)
    assert 0 < one.chance({"size": -1e9}) < 1e-6
