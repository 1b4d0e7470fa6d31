"""The pictures of a specimen against each other and its box."""

import cv2
import numpy as np
import pytest

from bioscan_etl.images.crop import crop, encode_jpeg, resize_short
from bioscan_etl.images.decode import decode
from bioscan_etl.release.check.pictures import compare
from bioscan_etl.settings import ImageSettings

SIZE = (1024, 768)
BOXES = [(300, 200, 500, 480), (0, 0, 260, 400), (760, 10, 1024, 160), (330, 300, 690, 420)]
VALUES = [{}, {"jpeg_quality": 20, "crop_margin": 0.0}, {"crop_aspect": (1, 1), "short_side": 64}]


def drawn(seed):
    small = np.random.default_rng(seed).integers(0, 255, (18, 24, 3), dtype=np.uint8)
    return cv2.resize(small, SIZE, interpolation=cv2.INTER_CUBIC)


def pictures(original, box, settings, full=False):
    cut = crop(original, box, settings)
    made = {
        "original_256": resize_short(original, settings.short_side),
        "cropped": cut,
        "cropped_256": resize_short(cut, settings.short_side),
    }
    saved = {package: decode(encode_jpeg(one, settings), 1 << 26) for package, one in made.items()}
    return {"original_full": original, **saved} if full else saved


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("values", VALUES)
def test_what_the_image_stage_makes_has_no_fault(box, full, values):
    settings = ImageSettings(**values)
    assert list(compare(pictures(drawn(1), box, settings, full), (*SIZE, *box), settings)) == []


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("package", ["original_256", "cropped", "cropped_256"])
def test_a_picture_of_another_specimen_is_named(full, package):
    settings, box = ImageSettings(), BOXES[0]
    ours, theirs = (pictures(drawn(seed), box, settings, full) for seed in (1, 2))
    found = dict(compare(ours | {package: theirs[package]}, (*SIZE, *box), settings))
    # Without the original, the crop is held against the small original: either of them can be the false one.
    assert found.keys() & ({package} if full or package != "original_256" else {"cropped"})


def test_a_box_that_is_not_that_of_the_crop_is_named():
    settings, box = ImageSettings(), BOXES[0]
    moved = (box[0] + 120, box[1], box[2] + 120, box[3])
    ours = pictures(drawn(1), box, settings)
    assert [package for package, _ in compare(ours, (*SIZE, *moved), settings)] == ["cropped"]


def test_sizes_that_contradict_the_box_are_named():
    settings, box = ImageSettings(), BOXES[0]
    ours = pictures(drawn(1), box, settings, full=True)
    assert [package for package, _ in compare(ours, (800, 600, *box), settings)] == ["original_full"]
    del ours["original_full"]
    words = [fault for _, fault in compare(ours, (800, 800, *box), settings)]
    assert words == ["is 341 x 256; of 800 x 800 px it is 256 x 256"]


def test_a_box_that_is_none_and_pictures_of_one_grey_say_nothing():
    settings = ImageSettings()
    grey = np.full((768, 1024, 3), 128, np.uint8)
    assert list(compare(pictures(grey, BOXES[0], settings), (*SIZE, *BOXES[0]), settings)) == []
    ours = pictures(drawn(1), BOXES[0], settings)
    assert list(compare(ours, (*SIZE, 500, 200, 300, 480), settings)) == []
    assert list(compare(ours, None, settings)) == []
    assert list(compare({}, (*SIZE, *BOXES[0]), settings)) == []
