"""Four views of an annotated image."""

import numpy as np
import pytest

from bioscan_etl.training.dataset import Annotated
from bioscan_etl.training.views import VIEWS, viewed


@pytest.mark.parametrize("view", range(VIEWS))
def test_the_box_stays_on_what_it_shows(view: int) -> None:
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[10:30, 5:50] = 255
    image = Annotated(1, "a.jpg", (80, 60), (), (5, 10, 50, 30), "valid")
    seen, found = viewed(pixels, image, view)
    x0, y0, x1, y1 = (int(edge) for edge in found.box)
    assert seen[y0:y1, x0:x1].min() == 255
    assert seen.sum() == seen[y0:y1, x0:x1].sum()
    assert (found.triage, found.size, seen.flags["C_CONTIGUOUS"]) == ("valid", (80, 60), True)
    assert viewed(seen, found, view)[1].box == image.box
    np.testing.assert_array_equal(viewed(seen, found, view)[0], pixels)


def test_the_views_differ_and_an_empty_image_has_no_box() -> None:
    pixels = np.arange(60 * 80 * 3, dtype=np.uint32).reshape(60, 80, 3).astype(np.uint8)
    image = Annotated(1, "a.jpg", (80, 60), (), None)
    seen = [viewed(pixels, image, view) for view in range(VIEWS)]
    assert len({one.tobytes() for one, _ in seen}) == VIEWS
    assert all(found.box is None for _, found in seen)
