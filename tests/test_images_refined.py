"""A candidate and its features, and the network that describes it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from refined_looks import a_look

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.detection import SHIPPED
from bioscan_etl.images.refined import FEATURES, OUTLINE, RefinerNetwork


def test_features_have_their_names_and_are_finite() -> None:
    for chance in (0.0, 0.5, 1.0):
        features = a_look(coarse=chance, present=chance, iou=chance, spread=99.0).features()
        assert tuple(features) == FEATURES
        assert all(np.isfinite(value) for value in features.values())
    assert a_look().features()["solid"] == pytest.approx(0.9)
    assert a_look().features()["fill"] == pytest.approx(1)  # 20 x 40 px of the box, all of them shown
    assert a_look(mask=np.zeros((48, 48), np.float32)).features()["solid"] == 0
    assert tuple(a_look().outline()) == OUTLINE


def test_a_network_of_another_input_is_refused(tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "coarse.onnx", tmp_path / "refiner.onnx")
    with pytest.raises(SettingsError, match="no window of 96 px"):
        RefinerNetwork(tmp_path / "refiner.onnx")


def test_a_box_lies_within_its_image() -> None:
    image = np.random.default_rng(3).integers(0, 255, (120, 160, 3)).astype(np.uint8)
    look = RefinerNetwork(SHIPPED / "refiner.onnx").refine(image, (0.0, 0.0, 150.0, 110.0), 0.5)
    x0, y0, x1, y1 = look.box
    assert 0 <= x0 <= x1 <= 160
    assert 0 <= y0 <= y1 <= 120
    assert look.mask.shape == (48, 48)
