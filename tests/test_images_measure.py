"""Exact sizes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.images.measure import (
    area,
    area_fraction,
    measurement_at_1024,
    overlap,
    scale_factor,
    shared,
    whole_pixels,
)


def test_the_example_of_the_spec() -> None:
    box = whole_pixels((339.2, 207.9, 532.6, 493.4), 1024, 768)
    assert box == (339, 208, 533, 493)
    assert area_fraction(box, 1024, 768) == 0.0703
    assert scale_factor(box) == 0.7578


@given(
    st.tuples(*[st.floats(-5000, 5000)] * 4).map(
        lambda v: (min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3]))
    ),
    st.integers(1, 4000),
    st.integers(1, 4000),
)
def test_whole_boxes_lie_in_their_image(box, width: int, height: int) -> None:
    x0, y0, x1, y1 = whole_pixels(box, width, height)
    assert 0 <= x0 <= x1 <= width
    assert 0 <= y0 <= y1 <= height
    assert 0 <= area_fraction((x0, y0, x1, y1), width, height) <= 1


def test_measurement_is_at_the_reference_scale_whatever_the_mask_is() -> None:
    mask = np.zeros((768, 1024), np.uint8)
    mask[100:200, 300:400] = 255
    assert measurement_at_1024(mask) == 10_000
    assert measurement_at_1024(mask[::2, ::2]) == 10_000
    assert measurement_at_1024(np.repeat(np.repeat(mask, 2, 0), 2, 1)) == 10_000
    assert measurement_at_1024(np.zeros((10, 10))) == 0


BOXES = st.tuples(*[st.floats(0, 100)] * 4).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)


def test_overlap_is_the_shared_area_over_that_of_both() -> None:
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == 2 / 6
    assert overlap((0, 0, 1, 1), (5, 5, 6, 6)) == 0


def test_overlap_of_nothing_is_nothing() -> None:
    assert overlap((0, 0, 0, 0), (0, 0, 0, 0)) == 0
    assert overlap((0, 0, 4, 4), (0, 0, 4, 4)) == 1


@given(BOXES, BOXES)
def test_overlap_is_a_symmetric_share(one, other) -> None:
    assert 0 <= overlap(one, other) <= 1 + 1e-9
    assert overlap(one, other) == overlap(other, one)
    assert shared(one, other) <= min(area(one), area(other)) + 1e-9
