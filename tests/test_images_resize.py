"""Resizing, and the windows that the second network sees."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.images.resize import resized
from bioscan_etl.images.window import INPUT_SIDE, ROOM, window_around


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 90), st.integers(1, 90))
def test_the_size_is_exact_and_a_flat_picture_stays_flat(width: int, height: int, across: int, down: int) -> None:
    made = resized(np.full((height, width, 3), 77, np.uint8), (across, down))
    assert made.shape == (down, across, 3)
    assert (made == 77).all()


def test_every_pixel_counts_when_an_image_shrinks() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (768, 1024, 3), dtype=np.uint8)
    for size in ((341, 256), (256, 192), (128, 96), (100, 75)):
        made = resized(image, size)
        assert made.mean() == pytest.approx(image.mean(), abs=1)
        # Noise averages out with the area that a pixel stands for; a filter that skips pixels would keep it.
        shrinking = image.shape[1] / size[0]
        assert made.std() < 1.6 * image.std() / shrinking


def test_halves_are_means_of_four() -> None:
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    blocks = image.reshape(24, 2, 32, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(resized(image, (32, 24)) - blocks).max() <= 0.5


boxes = st.tuples(*[st.floats(0, 1) for _ in range(4)]).map(
    lambda v: (min(v[0], v[2]) * 640, min(v[1], v[3]) * 480, max(v[0], v[2]) * 640, max(v[1], v[3]) * 480)
)


@settings(deadline=None)
@given(boxes)
def test_a_window_holds_its_box_and_leads_back(box) -> None:
    window = window_around(box, 640, 480)
    inner = window.from_image(box)
    longer = max(box[2] - box[0], box[3] - box[1])
    slack = 2 / window.side
    assert min(inner) >= -slack
    assert max(inner) <= 1 + slack
    assert window.side % 2 == 0
    assert window.side >= min(ROOM * longer, 640) - 2
    assert window.to_image(inner) == pytest.approx(box, abs=1e-6)
    assert window.pixels(np.zeros((480, 640, 3), np.uint8)).shape == (INPUT_SIDE, INPUT_SIDE, 3)


def test_beyond_the_edge_is_black_and_the_rest_is_the_image() -> None:
    image = np.full((480, 640, 3), 200, np.uint8)
    pixels = window_around((0, 0, 80, 80), 640, 480).pixels(image)
    assert (pixels[-40:, -40:] == 200).all()
    assert (pixels[:10] == 0).all()
    assert (pixels[:, :10] == 0).all()
