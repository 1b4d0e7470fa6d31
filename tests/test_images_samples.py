"""16-bit samples: which bits count."""

import io

import cv2
import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bioscan_etl.images.decode import UnreadableImage, decode
from bioscan_etl.images.samples import UNCERTAIN, UncertainBitsError, significant_bits, tiff_bits, to_bytes

LIMIT = 1_000_000
EIGHT = cv2.resize(np.random.default_rng(1).integers(20, 250, (6, 8, 3), dtype=np.uint8), (64, 48))


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "TIFF", **options)
    return stream.getvalue()


def deep(kind: str, bits: int, channels: int = 3) -> bytes:
    samples = EIGHT.astype(np.uint16) << (bits - 8)
    picture = {1: samples[:, :, 0], 3: samples, 4: np.dstack([samples, np.full(samples.shape[:2], 65535, np.uint16)])}
    return bytes(cv2.imencode(kind, picture[channels])[1])


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", [".png", ".tif"])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_samples_in_the_lower_bits_are_held_or_scaled(kind: str, bits: int, channels: int) -> None:
    data = deep(kind, bits, channels)
    with pytest.raises(UnreadableImage, match=UNCERTAIN):
        decode(data, LIMIT)
    wanted = EIGHT[:, :, ::-1] if channels != 1 else np.repeat(EIGHT[:, :, :1], 3, axis=2)
    np.testing.assert_array_equal(decode(data, LIMIT, bits), wanted)
    assert decode(data, LIMIT, 16).max() < 64


@pytest.mark.parametrize("channels", [1, 3])
def test_full_samples_are_the_same_whatever_the_setting(channels: int) -> None:
    for kind in (".png", ".tif"):
        data = deep(kind, 16, channels)
        np.testing.assert_array_equal(decode(data, LIMIT, 12), decode(data, LIMIT))
        assert decode(data, LIMIT).max() > 200


def test_what_a_tiff_states_is_taken() -> None:
    grey = EIGHT[:, :, 0].astype(np.uint16) << 4
    for stated in ({281: 4095}, {270: '<Pixels SignificantBits="12"/>'}, {270: '{"BitDepth": 12}'}):
        data = tiff(grey, tiffinfo=stated)
        np.testing.assert_array_equal(decode(data, LIMIT)[:, :, 0], EIGHT[:, :, 0])
    # The brightest value of this picture, and a display range, say nothing about the camera.
    for stated in ({281: 3999}, {270: "ImageJ=1.53\nmax=4032.0"}):
        with pytest.raises(UnreadableImage, match=r"images\.significant_bits"):
            decode(tiff(grey, tiffinfo=stated), LIMIT)
    assert tiff_bits({281: (4095, 4095, 4095)}) == 12
    assert tiff_bits({270: '<Pixels SignificantBits="99"/>', 281: "x"}) is None


def test_light_beyond_the_camera_shows_its_bits() -> None:
    samples = np.arange(4096, dtype=np.uint16)
    clipped = np.concatenate([samples, np.full(100, 4095, np.uint16)])
    assert significant_bits(clipped, None, None) == 12
    with pytest.raises(UncertainBitsError):
        significant_bits(samples, None, None)


def test_a_black_picture_stays_black_and_a_dark_one_is_never_brightened_unasked() -> None:
    assert significant_bits(np.zeros(9, np.uint16), None, None) == 16
    with pytest.raises(UncertainBitsError, match="16 if it is dark"):
        significant_bits(np.array([3000], np.uint16), None, None)
    assert significant_bits(np.array([3000], np.uint16), None, 16) == 16


@settings(max_examples=examples(200))
@given(st.lists(st.integers(0, 65535), min_size=1), st.none() | st.integers(8, 16), st.none() | st.integers(8, 16))
def test_the_bits_hold_every_sample(values: list[int], stated: int | None, chosen: int | None) -> None:
    samples = np.array(values, np.uint16)
    try:
        bits = significant_bits(samples, stated, chosen)
    except UncertainBitsError:
        assert 0 < max(values) < 1 << 14
        assert all(one is None or max(values) >= 1 << one for one in (stated, chosen))
        return
    assert max(values) < 1 << bits
    assert (to_bytes(samples, bits) == samples >> (bits - 8)).all()
