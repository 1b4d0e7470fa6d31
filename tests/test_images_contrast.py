"""How a specimen stands out from the well."""

import cv2
import numpy as np
import pytest

from bioscan_etl.images.contrast import CONTRAST, contrast

BOX = (40.0, 30.0, 60.0, 50.0)


def drawn(level: int, blur: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A window with a disc of a grey level on a well of 200, and its mask."""
    window = np.full((128, 128, 3), 200, np.uint8)
    cv2.circle(window, (64, 64), 24, (level,) * 3, -1)
    mask = np.zeros((64, 64), np.float32)
    cv2.circle(mask, (32, 32), 12, 1.0, -1)
    return (cv2.GaussianBlur(window, (0, 0), blur) if blur else window), mask


def of(level: int, blur: float = 0.0) -> dict[str, float]:
    return contrast(*drawn(level, blur), BOX, 100, 80)


def test_features_have_their_names_and_are_finite() -> None:
    empty = np.zeros((64, 64), np.float32)
    black = np.zeros((128, 128, 3), np.uint8)
    for window, mask in (
        drawn(60),
        (drawn(60)[0], empty),
        (black, empty),
        (black, empty + 1),
        (drawn(60)[0], empty + 1),
    ):
        found = contrast(window, mask, BOX, 100, 80)
        assert tuple(found) == CONTRAST
        assert all(np.isfinite(value) for value in found.values())


def test_a_darker_specimen_has_more_contrast() -> None:
    assert of(40)["contrast"] > of(120)["contrast"] > of(190)["contrast"] > 0
    assert of(250)["contrast"] < 0
    assert of(40)["darkest"] >= of(40)["contrast"] - 1e-6


def test_a_blur_is_less_sharp() -> None:
    assert of(60)["sharpness"] > of(60, 3)["sharpness"] + 0.5 > of(60, 8)["sharpness"] + 0.5


def test_colour_and_place_count() -> None:
    window, mask = drawn(60)
    tinted = window.copy()
    tinted[..., 0][mask.repeat(2, 0).repeat(2, 1) > 0.5] = 160
    assert contrast(tinted, mask, BOX, 100, 80)["tint"] > contrast(window, mask, BOX, 100, 80)["tint"] + 1
    assert contrast(window, mask, BOX, 100, 80)["eccentricity"] == pytest.approx(0)
    assert contrast(window, mask, (90.0, 30.0, 100.0, 50.0), 100, 80)["eccentricity"] == pytest.approx(0.45)
