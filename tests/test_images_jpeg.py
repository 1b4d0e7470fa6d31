"""JPEG files: warnings that lose picture, and warnings that do not."""

import contextlib
import io

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bioscan_etl.images.jpeg import DamagedJpegError, decode_jpeg, read_header

NOISE = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)


def saved(**options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(NOISE).save(stream, "JPEG", quality=90, **options)
    return stream.getvalue()


def decoded(data: bytes) -> np.ndarray:
    return decode_jpeg(data, read_header(data))


def segment(marker: int, body: bytes, length: int | None = None) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2 if length is None else length).to_bytes(2, "big") + body


def scan(data: bytes) -> int:
    """Where the first scan's segment begins."""
    return data.index(b"\xff\xda")


PLAIN, PASSES = saved(), saved(progressive=True)
WHOLE = {
    "JFIF revision 2.01": PLAIN.replace(b"JFIF\0\x01\x01", b"JFIF\0\x02\x01"),
    "parameters that a sequential scan does not use": PLAIN[: scan(PLAIN) + 11] + b"\0\0\0" + PLAIN[scan(PLAIN) + 14 :],
    "bytes between two segments": PLAIN[:20] + b"\x11\x22\x33" + PLAIN[20:],
    "bytes in front of the scan": PLAIN[: scan(PLAIN)] + bytes(7) + PLAIN[scan(PLAIN) :],
    "a note whose length is too small": PLAIN[:20] + segment(0xE5, b"made by a camera", 10) + PLAIN[20:],
    "an EXIF block of nonsense": PLAIN[:20] + segment(0xE1, b"Exif\0\0" + b"\x07" * 40) + PLAIN[20:],
    "a colour profile of nonsense": PLAIN[:20] + segment(0xE2, b"ICC_PROFILE\0\x09\x01abc") + PLAIN[20:],
    "another picture behind the end": PLAIN + PLAIN,
    "a few bytes at the end of the scan": PLAIN[:-2] + b"\x01\x02\x03\x04" + PLAIN[-2:],
    "a sector of zeros at the end of the scan": PLAIN[:-2] + bytes(512) + PLAIN[-2:],
    "fill in front of a marker": PLAIN[:20] + b"\xff\xff" + PLAIN[20:],
    "no end marker": PLAIN[:-2],
    "half of the end marker": PLAIN[:-1],
}
START, HALF = scan(PLAIN) + 14, len(PLAIN) // 2
LOST = {
    "the last byte of the data": PLAIN[:-3],
    "the last byte of the data, with an end marker": PLAIN[:-3] + b"\xff\xd9",
    "half of the data": PLAIN[:HALF],
    "half of the data, filled with zeros": PLAIN[:HALF] + bytes(len(PLAIN)),
    "the last byte of the last pass": PASSES[:-3],
    "half of the data, with an end marker": PLAIN[:HALF] + b"\xff\xd9",
    "a hole": PLAIN[:HALF] + bytes(500) + PLAIN[HALF + 500 :],
    "some bytes": PLAIN[:HALF] + PLAIN[HALF + 200 :],
    "an inner part, behind a harmless warning": WHOLE["JFIF revision 2.01"][:HALF] + PLAIN[HALF + 200 :],
    "all but the first pass": PASSES[: PASSES.index(b"\xff\xc4", scan(PASSES))] + b"\xff\xd9",
    "the last pass, with no end marker": PASSES[: PASSES.rindex(b"\xff\xc4")],
    "the last pass": PASSES[: PASSES.rindex(b"\xff\xc4")] + b"\xff\xd9",
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_outside_the_picture_costs_nothing(name: str) -> None:
    np.testing.assert_array_equal(decoded(WHOLE[name]), decoded(PLAIN))


@pytest.mark.parametrize("name", LOST)
def test_what_loses_picture_is_refused(name: str) -> None:
    with pytest.raises(DamagedJpegError, match="damaged"):
        decoded(LOST[name])


def test_whole_passes_are_taken() -> None:
    np.testing.assert_array_equal(decoded(PASSES), np.asarray(Image.open(io.BytesIO(PASSES))))
    np.testing.assert_array_equal(decoded(PASSES[:-2]), decoded(PASSES))
    filled = PASSES[:-2] + bytes(30) + PASSES[-2:]
    np.testing.assert_array_equal(decoded(filled), decoded(PASSES))


def test_a_hole_in_inks_is_refused() -> None:
    stream = io.BytesIO()
    Image.fromarray(NOISE).convert("CMYK").save(stream, "JPEG", quality=90)
    data = stream.getvalue()
    assert decoded(data).shape == (96, 128, 4)
    half = len(data) // 2
    with pytest.raises(DamagedJpegError):
        decoded(data[:half] + data[half + 300 :])


def test_what_is_not_read_says_so() -> None:
    frame = PLAIN.index(b"\xff\xc0")
    with pytest.raises(DamagedJpegError, match="12 bits"):
        read_header(PLAIN[: frame + 4] + b"\x0c" + PLAIN[frame + 5 :])
    with pytest.raises(DamagedJpegError, match="2 components"):
        read_header(PLAIN[: frame + 9] + b"\x02" + PLAIN[frame + 10 :])
    with pytest.raises(DamagedJpegError, match="no frame and scan"):
        read_header(PLAIN[: scan(PLAIN)])


def test_orientation_of_xmp_is_read_where_exif_has_none() -> None:
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'
    assert read_header(PLAIN[:20] + segment(0xE1, xmp) + PLAIN[20:]).orientation == 6
    exif = Image.Exif()
    exif[0x0112] = 3
    assert read_header(saved(exif=exif)).orientation == 3


@settings(max_examples=examples(200), deadline=None)
@given(st.data())
def test_changed_bytes_give_pixels_or_a_reason(data: st.DataObject) -> None:
    changed = bytearray(data.draw(st.sampled_from([PLAIN, PASSES, *WHOLE.values()])))
    for _ in range(data.draw(st.integers(1, 6))):
        # Most of the structure is in front.
        last = data.draw(st.sampled_from([700, len(changed) - 1]))
        changed[data.draw(st.integers(0, last))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DamagedJpegError):  # anything else fails the test
        header = read_header(bytes(changed))
        if header.width * header.height < 1_000_000:
            pixels = decode_jpeg(bytes(changed), header)
            assert pixels.dtype == np.uint8
            assert pixels.ndim == 3
