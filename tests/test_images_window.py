"""The windows that the refiner sees."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.images.resize import halved
from bioscan_etl.images.window import INPUT_SIDE, ROOM, window_around

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


@pytest.mark.parametrize(("longer", "multiple"), [(30, 2), (211, 2), (215, 4), (329, 4), (427, 8), (500, 8)])
def test_a_window_halves_into_whole_pixels(longer: int, multiple: int) -> None:
    window = window_around((100, 100, 100 + longer, 120), 1024, 768)
    halvings = (window.side // INPUT_SIDE).bit_length() - 1
    assert multiple == 2 ** max(halvings, 1)
    assert window.side % multiple == 0
    assert ROOM * longer - 1 <= window.side <= ROOM * longer + multiple


def test_beyond_the_edge_is_black_and_the_rest_is_the_image() -> None:
    image = np.full((480, 640, 3), 200, np.uint8)
    pixels = window_around((0, 0, 80, 80), 640, 480).pixels(image)
    assert (pixels[-40:, -40:] == 200).all()
    assert (pixels[:10] == 0).all()
    assert (pixels[:, :10] == 0).all()


@settings(deadline=None)
@given(boxes, st.sampled_from([(480, 640), (481, 640), (480, 639)]))
def test_a_half_that_is_at_hand_changes_nothing(box, shape) -> None:
    image = np.random.default_rng(2).integers(1, 256, (*shape, 3), dtype=np.uint8)
    window = window_around(box, shape[1], shape[0])
    assert window.left % 2 == window.top % 2 == window.side % 2 == 0
    assert np.array_equal(window.pixels(image, halved(image)), window.pixels(image))
