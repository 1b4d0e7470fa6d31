"""Crop geometry against a plain reading of the rules, resizing, and JPEG files."""

import io

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bioscan_etl.images.crop import crop, encode_jpeg, inside, resize_short, surroundings
from bioscan_etl.settings import ImageSettings

SETTINGS = ImageSettings()


def reference(image: np.ndarray, box: tuple[int, int, int, int], margin: float = 0.4) -> np.ndarray:
    """The spec step by step, on the whole image, pixel by pixel."""
    x0, y0, x1, y1 = box
    d = margin * max(x1 - x0, y1 - y0)
    x0, y0, x1, y1 = int(x0 - d / 2), int(y0 - d / 2), int(x1 + d / 2), int(y1 + d / 2)
    if y1 - y0 > x1 - x0:
        width = image.shape[1]
        image = np.array([[image[y, width - 1 - x] for y in range(image.shape[0])] for x in range(width)])
        x0, y0, x1, y1 = y0, width - x1, y1, width - x0
    if (x1 - x0) / (y1 - y0) > 4 / 3:
        more = (x1 - x0) * 3 / 4 - (y1 - y0)
        y0, y1 = round(y0 - more / 2), round(y1 + more / 2)
    else:
        more = (y1 - y0) * 4 / 3 - (x1 - x0)
        x0, x1 = round(x0 - more / 2), round(x1 + more / 2)
    cut = np.empty((y1 - y0, x1 - x0, 3), np.uint8)
    for row in range(y0, y1):
        for column in range(x0, x1):
            within = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
            cut[row - y0, column - x0] = image[row, column] if within else (204, 218, 243)
    return cut


@st.composite
def images_and_boxes(draw: st.DrawFn):
    height, width = draw(st.integers(3, 40)), draw(st.integers(3, 40))
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    box = x0, y0, draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))
    image = np.random.default_rng(height * 100 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return image, box


@settings(max_examples=examples(200), deadline=None)
@given(images_and_boxes())
def test_crop_is_the_reference(case) -> None:
    image, box = case
    np.testing.assert_array_equal(crop(image, box, SETTINGS), reference(image, box))


def test_crop_of_a_tall_box_by_hand() -> None:
    image = np.zeros((768, 1024, 3), np.uint8)
    image[208, 339] = (255, 0, 0)  # upper left corner of the box
    cut = crop(image, (339, 208, 533, 493), SETTINGS)
    # d = 114: (282, 151, 590, 550), 308 x 399; turned: 399 x 308, and 4:3 asks for 410.67 x 308: 145 to 556.
    assert cut.shape == (308, 411, 3)
    row, column = np.argwhere(cut[..., 0] == 255)[0]
    assert (row, column) == (590 - 1 - 339, 208 - 145)  # x0 = round(151 - 5.83) = 145


def test_crop_outside_the_image_is_filled() -> None:
    image = np.full((60, 80, 3), 7, np.uint8)
    cut = crop(image, (0, 0, 40, 30), SETTINGS)
    assert tuple(cut[0, 0]) == (204, 218, 243)
    assert tuple(cut[-1, -1]) == (7, 7, 7)
    seen = inside(image, (0, 0, 40, 30), SETTINGS)
    assert (seen == 7).all()
    assert seen.shape[0] * seen.shape[1] == (cut[..., 0] == 7).sum()


def test_empty_box_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        crop(np.zeros((9, 9, 3), np.uint8), (3, 3, 3, 5), SETTINGS)


@settings(deadline=None)
@given(st.integers(1, 700), st.integers(1, 700))
def test_shorter_side_is_exact(height: int, width: int) -> None:
    resized = resize_short(np.zeros((height, width, 3), np.uint8), 32)
    assert min(resized.shape[:2]) == 32
    longer = round(max(height, width) * 32 / min(height, width))
    assert max(resized.shape[:2]) == longer


def test_resize_filters() -> None:
    checkers = np.indices((512, 512)).sum(axis=0) % 2 * 255
    image = np.repeat(checkers[:, :, None], 3, axis=2).astype(np.uint8)
    assert set(np.unique(resize_short(image, 256))) <= {127, 128}  # area: each pixel is the mean of four
    flat = np.full((10, 20, 3), 99, np.uint8)
    assert (resize_short(flat, 256) == 99).all()
    assert resize_short(flat, 256).shape == (256, 512, 3)


def test_jpeg_is_baseline_420_without_metadata_and_repeatable() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 85, 3), dtype=np.uint8)
    data = encode_jpeg(image, SETTINGS)
    assert data == encode_jpeg(np.asfortranarray(image), SETTINGS)
    opened = Image.open(io.BytesIO(data))
    assert opened.mode == "RGB"
    assert opened.size == (85, 64)
    assert [component[1:3] for component in opened.layer] == [(2, 2), (1, 1), (1, 1)]
    assert "progressive" not in opened.info
    assert set(opened.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    plain = io.BytesIO()
    Image.fromarray(image).save(plain, "JPEG", quality=75)
    assert opened.quantization == Image.open(plain).quantization
    assert len(encode_jpeg(image, ImageSettings(jpeg_quality=95))) > len(data)


@pytest.mark.parametrize("box", [(100, 100, 160, 140), (100, 100, 140, 160), (0, 0, 50, 80), (180, 180, 200, 200)])
def test_surroundings_are_never_turned_and_stay_inside(box: tuple[int, int, int, int]) -> None:
    image = np.arange(200 * 200 * 3, dtype=np.uint32).astype(np.uint8).reshape(200, 200, 3)
    part = surroundings(image, box, ImageSettings())
    side = 1.4 * max(box[2] - box[0], box[3] - box[1])
    assert 0 < part.shape[0] <= side + 2
    assert 0 < part.shape[1] <= side + 2
    assert np.shares_memory(part, image)
    wider = surroundings(image, (box[0], box[1], box[2] + 1, box[3]), ImageSettings())
    assert abs(wider.shape[0] - part.shape[0]) <= 2
