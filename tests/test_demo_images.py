"""Rendered specimen images: their boxes, faults and files."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from bioscan_etl.demo.images import Studio, as_jpeg, as_png, as_turned_jpeg, nearly_same
from bioscan_etl.demo.insects import KINDS, draw_insect
from bioscan_etl.images.detection import Detection
from bioscan_etl.images.segmentation import SegmentationDetector
from bioscan_etl.settings import ImageSettings


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(3, 2)


def _take(studio: Studio, number: int, fault: str = ""):
    return studio.render(np.random.default_rng([3, number]), fault)


def test_a_good_picture_shows_one_specimen_well_inside(studio):
    for number in range(12):
        taken = _take(studio, number)
        assert taken.pixels.shape == (768, 1024, 3)
        x0, y0, x1, y1 = taken.box
        assert 0 < x0 < x1 < 1024
        assert 0 < y0 < y1 < 768
        assert taken.specimens == 1
        assert 0 < taken.area <= (x1 - x0) * (y1 - y0)
        assert (x1 - x0) * (y1 - y0) > 0.008 * 1024 * 768


def test_the_box_holds_what_differs_from_the_empty_well(studio):
    # Within the box there is a dark or coloured insect; its edges are sharp, a well's are not.
    for number in range(6):
        taken = _take(studio, number)
        x0, y0, x1, y1 = taken.box
        edges = np.abs(cv2.Laplacian(cv2.cvtColor(taken.pixels, cv2.COLOR_BGR2GRAY), cv2.CV_32F)) > 60
        assert edges[y0:y1, x0:x1].sum() > 0.5 * edges[60:-60, 160:-160].sum()


def test_faults_are_what_their_names_say(studio):
    empty = _take(studio, 1, "empty_well")
    assert (empty.box, empty.area, empty.specimens) == (None, 0, 0)
    assert _take(studio, 1, "two_specimens").specimens == 2
    cut = _take(studio, 1, "cut_off").box
    assert cut[1] == 0 or cut[3] == 768
    x0, y0, x1, y1 = _take(studio, 1, "fragment").box
    assert (x1 - x0) * (y1 - y0) < 0.002 * 1024 * 768
    assert _take(studio, 1, "dark").pixels.mean() < 62
    blurred = _take(studio, 1, "blurred")
    assert cv2.Laplacian(cv2.cvtColor(blurred.pixels, cv2.COLOR_BGR2GRAY), cv2.CV_64F).var() < 5


def test_pictures_depend_on_the_seed_alone(studio):
    again = Studio(3, 2)
    assert as_jpeg(_take(studio, 7).pixels) == as_jpeg(_take(again, 7).pixels)
    assert as_jpeg(_take(studio, 7).pixels) != as_jpeg(_take(studio, 8).pixels)


def test_a_turned_file_comes_upright_by_its_exif_tag(studio):
    taken = _take(studio, 2)
    with Image.open(io.BytesIO(as_turned_jpeg(taken.pixels))) as stored:
        assert stored.size == (768, 1024)
        assert stored.getexif()[0x0112] == 6
    upright = cv2.imdecode(np.frombuffer(as_turned_jpeg(taken.pixels), np.uint8), cv2.IMREAD_COLOR)
    assert upright.shape == (768, 1024, 3)
    assert np.abs(upright.astype(int) - taken.pixels).mean() < 4


def test_png_and_near_copy(studio):
    pixels = _take(studio, 2).pixels
    png = cv2.imdecode(np.frombuffer(as_png(pixels), np.uint8), cv2.IMREAD_COLOR)
    assert (png == pixels).all()
    copy = nearly_same(pixels)
    assert (copy != pixels).any()
    assert np.abs(copy[:, 1:].astype(int) - pixels[:, :-1]).max() <= 3


@pytest.mark.parametrize("kind", KINDS)
def test_insects_of_every_kind_grow_with_their_length(kind):
    small = draw_insect(np.random.default_rng(4), 60, kind)[1]
    large = draw_insect(np.random.default_rng(4), 180, kind)[1]
    assert 6 < large.sum() / small.sum() < 12
    for opacity in (small, large):
        assert opacity.min() >= 0
        assert opacity.max() <= 1
        assert opacity[0].any(), "cut to its outline"
        assert opacity[:, 0].any(), "cut to its outline"


@pytest.mark.slow
def test_the_baseline_is_sure_of_sound_pictures_and_sees_every_fault():
    settings = ImageSettings(detector="segmentation")
    detector = SegmentationDetector(settings)

    def detected(number: int, fault: str = "") -> Detection:
        pixels = _take(studios[number % 2], number, fault).pixels
        return detector.detect(np.ascontiguousarray(pixels[..., ::-1]))

    studios = [Studio(71, 8), Studio(72, 8)]
    sound = [detected(number) for number in range(40)]
    assert {found.status for found in sound} == {"detected"}
    assert all(min(found.box[:2]) > 0 and found.box[2] < 1024 and found.box[3] < 768 for found in sound)
    statuses = {"empty_well": {"empty"}, "two_specimens": {"multiple"}, "cut_off": {"detected"}}
    for fault, expected in statuses.items():
        assert {detected(number, fault).status for number in range(4)} == expected
    hard = [detected(number, "hard").confidence for number in range(10)]
    assert np.mean(hard) < 0.6 * np.mean([found.confidence for found in sound])
