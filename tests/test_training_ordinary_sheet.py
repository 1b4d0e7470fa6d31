"""Pages of images with boxes and outlines."""

import numpy as np
import pytest

from bioscan_etl.images.detection import Detection
from bioscan_etl.training import ordinary_sheet as sheet

RED, BLUE, GREEN = (220, 0, 0), (0, 110, 255), (0, 150, 60)


def count(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """Number of pixels of a colour."""
    return int((picture == colour).all(axis=2).sum())


@pytest.mark.parametrize("size", [(60, 90), (768, 1024), (300, 100)])
def test_a_tile_has_one_size_and_shows_both_boxes_and_the_outline(size: tuple[int, int]) -> None:
    height, width = size
    pixels = np.full((height, width, 3), 128, np.uint8)
    mask = np.zeros((height, width), np.uint8)
    mask[height // 3 : height // 2, width // 3 : width // 2] = 1
    box = width / 4, height / 4, width * 0.6, height * 0.6
    drawn = sheet.tile("a", pixels, Detection(box, 0.9, 1, "detected", mask), (1, 1, width - 1, height - 1))
    assert drawn.shape == (384, 800, 3)
    assert min(count(drawn, colour) for colour in (RED, BLUE, GREEN)) > 50
    plain = sheet.tile("a", pixels, Detection(None, 0.0, 0, "empty"))
    assert plain.shape == drawn.shape
    assert max(count(plain, colour) for colour in (RED, BLUE, GREEN)) == 0


def test_the_close_view_shows_what_lies_around_the_box() -> None:
    pixels = np.full((768, 1024, 3), 128, np.uint8)
    pixels[400:404, 520:600] = (10, 200, 10)  # a leg that reaches out of a box that ends at x = 540
    drawn = sheet.tile("a", pixels, Detection((400, 350, 540, 450), 0.9, 1, "detected"))
    leg = (abs(drawn[:, 320:].astype(int) - (10, 200, 10)).sum(axis=2) < 60).any(axis=0)
    edge = (drawn[:, 320:] == RED).all(axis=2).sum(axis=0).nonzero()[0].max()
    assert leg[edge + 5 : edge + 40].all()


def test_pages_hold_eight_tiles() -> None:
    tile = sheet.tile("a", np.full((60, 90, 3), 128, np.uint8), Detection(None, 0.0, 0, "empty"))
    found = sheet.pages([tile] * 11)
    assert [page.shape for page in found] == [(4 * 384, 1600, 3), (2 * 384, 1600, 3)]
    assert (found[1][384:, 800:] == 255).all()
    assert sheet.pages([]) == []
