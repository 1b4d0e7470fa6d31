"""Resizing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.images.resize import halved, resized


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


@settings(deadline=None)
@given(st.integers(2, 300), st.integers(2, 300), st.integers(1, 90), st.integers(1, 90))
def test_a_half_that_is_at_hand_changes_nothing(width: int, height: int, across: int, down: int) -> None:
    image = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    given_half = resized(image, (across, down), half=halved(image))
    assert np.array_equal(given_half, resized(image, (across, down)))
