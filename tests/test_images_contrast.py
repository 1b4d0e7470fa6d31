"""How a specimen stands out from the well."""

import cv2
import numpy as np
import pytest
from refined_looks import a_look

from bioscan_etl.images.contrast import CONTRAST, contrast
from bioscan_etl.images.window import Window

# A disc in the middle of an image of 128 x 128 px, which is the window, too.
BOX = (40.0, 40.0, 88.0, 88.0)
DISC = np.zeros((64, 64), np.float32)
cv2.circle(DISC, (32, 32), 12, 1.0, -1)


def drawn(level: int, blur: float = 0.0) -> np.ndarray:
    """A window with a disc of a grey level on a well of 200."""
    window = np.full((128, 128, 3), 200, np.uint8)
    cv2.circle(window, (64, 64), 24, (level,) * 3, -1)
    return cv2.GaussianBlur(window, (0, 0), blur) if blur else window


def of(window: np.ndarray, mask: np.ndarray = DISC, **given) -> dict[str, float]:
    values = {"box": BOX, "window": Window(0, 0, 128), "mask": mask} | given
    return contrast(a_look(**values), window, 128, 128)


def test_features_have_their_names_and_are_finite() -> None:
    empty, full = np.zeros((64, 64), np.float32), np.ones((64, 64), np.float32)
    black = np.zeros((128, 128, 3), np.uint8)
    for window, mask in ((drawn(60), DISC), (drawn(60), empty), (black, empty), (black, full), (drawn(60), full)):
        found = of(window, mask)
        assert tuple(found) == CONTRAST
        assert all(np.isfinite(value) for value in found.values())
    assert all(np.isfinite(value) for value in of(drawn(60), box=(64.0, 64.0, 64.0, 64.0)).values())


def test_a_darker_specimen_has_more_contrast() -> None:
    for name in ("contrast", "dimness"):
        assert of(drawn(40))[name] > of(drawn(120))[name] > of(drawn(190))[name] > 0
        assert of(drawn(250))[name] < 0
    assert of(drawn(40))["darkest"] >= of(drawn(40))["contrast"] - 1e-6


def test_a_blur_is_less_sharp() -> None:
    sharp, soft, blurred = (of(drawn(60, blur))["sharpness"] for blur in (0, 3, 8))
    assert sharp > soft + 0.5
    assert soft > blurred + 0.5


def test_a_blur_counts_by_its_likeliest_cells() -> None:
    faint = DISC * 0.2
    assert of(drawn(120, 6), faint)["contrast"] == pytest.approx(of(drawn(120, 6))["contrast"])
    assert of(drawn(120, 6), DISC * 0.01)["contrast"] == 0
    assert of(drawn(120, 6), DISC * 0.01)["dimness"] > 0.5


def test_colour_and_place_count() -> None:
    tinted = drawn(60)
    tinted[..., 0][DISC.repeat(2, 0).repeat(2, 1) > 0.5] = 160
    assert of(tinted)["tint"] > of(drawn(60))["tint"] + 1
    assert of(drawn(60))["eccentricity"] == pytest.approx(0)
    assert of(drawn(60), box=(104.0, 52.0, 128.0, 76.0))["eccentricity"] == pytest.approx(52 / 128)
