"""The short way to an image's pixels: the same as the long one, whatever the file."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bioscan_etl.images.decode import UnreadableImage, decode
from bioscan_etl.release import pixels as module
from bioscan_etl.release.pixels import pixels


def picture(width=37, height=23, mode="RGB"):
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(noise).convert(mode)


def saved(image, kind="JPEG", **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def turned():
    notes = Image.Exif()
    notes[0x0112] = 6
    return saved(picture(), exif=notes)


FILES = {
    "plain": saved(picture()),
    "444": saved(picture(), subsampling=0),
    "progressive": saved(picture(), progressive=True),
    "grey": saved(picture(mode="L")),
    "CMYK": saved(picture(mode="CMYK")),
    "turned": turned(),
    "PNG": saved(picture(), "PNG"),
    "no end mark": saved(picture())[:-2],
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_the_pixels_are_those_of_the_long_way(data):
    found = pixels(data)
    assert np.array_equal(found, decode(data, 10_000))
    assert (found.dtype, found.shape[2], found.flags.c_contiguous) == (np.uint8, 3, True)


def test_the_short_way_is_taken_for_plain_files_alone(monkeypatch):
    taken = []
    monkeypatch.setattr(module, "decode", lambda data, limit: taken.append(data) or decode(data, limit))
    for data in FILES.values():
        pixels(data)
    assert taken == [FILES[name] for name in ("grey", "CMYK", "turned", "PNG", "no end mark")]


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused_as_by_the_long_way(place, value):
    data = bytearray(FILES["plain"])
    data[place % len(data)] = value
    try:
        expected = decode(bytes(data), module.MAX_PIXELS)
    except UnreadableImage:
        with pytest.raises(UnreadableImage):
            pixels(bytes(data))
    else:
        assert np.array_equal(pixels(bytes(data)), expected)


def test_a_large_image_is_refused_by_its_header(monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 100)
    monkeypatch.setattr(module.simplejpeg, "decode_jpeg", None)
    with pytest.raises(UnreadableImage, match="37 x 23 px, more than"):
        pixels(FILES["plain"])


@pytest.mark.parametrize("data", [b"", b"no image", FILES["plain"][:300]])
def test_what_is_no_image_is_refused(data):
    with pytest.raises(UnreadableImage):
        pixels(data)
