"""Decoding of every kind of image file that a delivery holds, and of what is none."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from bioscan_etl.images.decode import UnreadableImage, decode

LIMIT = 200_000_000


def picture(width: int = 64, height: int = 48) -> Image.Image:
    """A smooth picture whose four corners differ."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [x * 255 / (width - 1), y * 255 / (height - 1), 255 - x * 128 / width - y * 127 / height]
    return Image.fromarray(np.stack(planes, axis=2).astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def close(pixels: np.ndarray, image: Image.Image, tolerance: int = 12) -> bool:
    return bool(np.abs(pixels.astype(int) - np.asarray(image.convert("RGB")).astype(int)).max() <= tolerance)


def test_ordinary_and_progressive_jpeg_are_what_pillow_decodes() -> None:
    for options in ({}, {"progressive": True}, {"subsampling": 0}):
        data = saved(picture(), "JPEG", quality=75, **options)
        pixels = decode(data, LIMIT)
        assert pixels.dtype == np.uint8
        assert pixels.flags.c_contiguous
        np.testing.assert_array_equal(pixels, np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(picture(), kind, exif=exif)
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    pixels = decode(data, LIMIT)
    assert pixels.shape == ((64, 48, 3) if orientation >= 5 else (48, 64, 3))
    np.testing.assert_array_equal(pixels, wanted)


def test_nonsense_orientation_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 99
    assert close(decode(saved(picture(), "JPEG", exif=exif, quality=95), LIMIT), picture())


def test_colour_models_become_rgb() -> None:
    image = picture()
    assert close(decode(saved(image.convert("CMYK"), "JPEG", quality=95), LIMIT), image, 30)
    assert close(decode(saved(image.convert("L"), "JPEG", quality=95), LIMIT), image.convert("L"))
    assert close(decode(saved(image.convert("P"), "PNG"), LIMIT), image.convert("P"), 0)
    assert close(decode(saved(image, "TIFF", compression="tiff_lzw"), LIMIT), image, 0)
    transparent = image.copy()
    transparent.putalpha(0)
    assert (decode(saved(transparent, "PNG"), LIMIT) == 255).all()


def test_sixteen_bits_keep_their_upper_eight() -> None:
    grey = (np.arange(48 * 64, dtype=np.uint16) * 21).reshape(48, 64)
    for kind in ("PNG", "TIFF"):
        pixels = decode(saved(Image.fromarray(grey), kind), LIMIT)
        np.testing.assert_array_equal(pixels, np.repeat((grey >> 8).astype(np.uint8)[:, :, None], 3, axis=2))


def test_sixteen_bit_colour_png() -> None:
    deep = np.random.default_rng(0).integers(0, 1 << 16, (8, 8, 3), dtype=np.uint16)
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0))
    data += chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    difference = np.abs(decode(data, LIMIT).astype(int) - (deep >> 8).astype(int))
    assert difference.max() <= 1


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_files_are_unreadable(kind: str, share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8))
    data = saved(noise, kind)
    with pytest.raises(UnreadableImage):
        decode(data[: int(len(data) * share)], LIMIT)


def test_jpeg_without_its_last_byte_of_picture_or_with_a_hole_is_unreadable() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8))
    data = saved(noise, "JPEG")
    middle = len(data) // 2
    for damaged in (data[:-3], data[:middle] + bytes(500) + data[middle + 500 :]):
        with pytest.raises(UnreadableImage, match="damaged"):
            decode(damaged, LIMIT)


def test_bytes_behind_the_end_do_not_matter() -> None:
    data = saved(picture(), "JPEG")
    np.testing.assert_array_equal(decode(data + b"\0trailer", LIMIT), decode(data, LIMIT))


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "empty"), (b"Not found\n", "no JPEG"), (b"GIF89a" + bytes(50), "no JPEG")]
)
def test_what_is_no_image_says_so(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableImage, match=reason) as raised:
        decode(data, LIMIT)
    assert "\n" not in str(raised.value)


def test_a_bomb_is_refused_by_its_header() -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    with pytest.raises(UnreadableImage, match=r"100000 x 100000 px, more than images\.max_pixels"):
        decode(bomb, LIMIT)
    with pytest.raises(UnreadableImage, match="max_pixels = 3071"):
        decode(saved(picture(), "JPEG"), 64 * 48 - 1)
    assert decode(saved(picture(), "JPEG"), 64 * 48).shape == (48, 64, 3)


@settings(max_examples=examples(150), deadline=None)
@given(st.data())
def test_damaged_bytes_give_pixels_or_a_reason(data: st.DataObject) -> None:
    whole = bytearray(saved(picture(), data.draw(st.sampled_from(["JPEG", "PNG", "TIFF"]))))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UnreadableImage):  # anything else fails the test
        pixels = decode(bytes(whole), 1_000_000)
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3


def test_real_images(shared_data) -> None:
    for path in sorted((shared_data / "images").glob("*.jpg"))[:20]:
        assert decode(path.read_bytes(), LIMIT).shape == (768, 1024, 3)


def test_libtiff_writes_nothing_about_a_damaged_file(capfd: pytest.CaptureFixture[str]) -> None:
    data = saved(picture(), "TIFF", compression="tiff_lzw")
    for at in range(8, len(data), 97):
        damaged = bytearray(data)
        damaged[at] ^= 0xFF
        with contextlib.suppress(UnreadableImage):
            decode(bytes(damaged), LIMIT)
    with pytest.raises(UnreadableImage, match="TIFF"):
        decode(data[:60] + b"\xff" * 400 + data[460:], LIMIT)
    assert capfd.readouterr() == ("", "")
