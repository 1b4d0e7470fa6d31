"""Bytes of an image file to RGB pixels, or a reason why not.

Belongs here: formats, colour models, bit depths, EXIF orientation, refusal of damaged and oversized files.
Does not belong here: reading the bytes (`images.sources`).

Ordinary JPEGs take libjpeg-turbo through simplejpeg: its strict mode also reports files with a hole or a
missing end, for which OpenCV and Pillow return pixels padded with grey, and it takes a third of the time of
OpenCV's decoder for the same pixels. Everything else takes Pillow.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg  # type: ignore[import-untyped]
from PIL import Image, ImageOps, UnidentifiedImageError

RGB = npt.NDArray[np.uint8]
Format = Any  # PIL's image file objects

_FORMATS = ("JPEG", "PNG", "TIFF")  # JPEG covers MPO, several JPEGs in one file
_ORIENTATION = 0x0112
# Some cameras leave a few filler bytes before the end marker; the picture is whole.
_FILLER = re.compile(r"Corrupt JPEG data: (\d{1,2}) extraneous bytes before marker 0xd9")

# The limit is the setting images.max_pixels, checked against the header below; Pillow's own would refuse first.
Image.MAX_IMAGE_PIXELS = None


class UnreadableImage(Exception):  # noqa: N818 - a state of the data, which becomes a row
    """The bytes are not an image that can be used; the message gives the reason, in one line."""


def decode(data: bytes, max_pixels: int) -> RGB:
    """Decode a JPEG, PNG or TIFF file.

    Grey, CMYK, palette, transparent (over white) and 16-bit images (upper 8 bits) become 8-bit RGB. EXIF
    orientation is applied. Of a file with several pictures the first is taken.

    Args:
        data: the file's bytes.
        max_pixels: larger images are refused from their header, before any pixel is decoded.

    Returns:
        Pixels, uint8, (height, width, 3), RGB, contiguous.

    Raises:
        UnreadableImage: the file is empty, of another kind, truncated, damaged or too large.
    """
    image = _header(data, max_pixels)
    if image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L"):
        pixels = _decode_jpeg(data)
        if upright := _UPRIGHT.get(_orientation(image)):
            pixels = upright(pixels)
    else:
        pixels = _decode_slowly(image)
    return np.ascontiguousarray(pixels)


def _header(data: bytes, max_pixels: int) -> Format:
    if not data:
        raise UnreadableImage("the file is empty")
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        width, height = image.size
    except UnidentifiedImageError:
        raise UnreadableImage("the file is no JPEG, PNG or TIFF image, or its header is damaged") from None
    except Exception as error:  # Pillow's parsers raise many kinds of errors for a broken header
        raise UnreadableImage(f"the image header is damaged: {_one_line(error)}") from None
    if width < 1 or height < 1:
        raise UnreadableImage(f"the image has no pixels: {width} x {height}")
    if width * height > max_pixels:
        raise UnreadableImage(f"the image has {width} x {height} px, more than images.max_pixels = {max_pixels}")
    return image


def _orientation(image: Format) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a broken EXIF block says nothing about the pixels
        return 1
    return value if isinstance(value, int) else 1


def _decode_jpeg(data: bytes) -> RGB:
    try:
        pixels: RGB = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    except ValueError as error:
        if not _FILLER.fullmatch(_one_line(error)):
            raise UnreadableImage(f"the JPEG data is damaged: {_one_line(error)}") from None
        pixels = simplejpeg.decode_jpeg(data, "RGB", strict=False)
    return pixels


# How to undo each EXIF orientation (CIPA DC-008, tag 274); 1 is upright.
_UPRIGHT: dict[int, Callable[[RGB], RGB]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).transpose(1, 0, 2),
    8: np.rot90,
}


def _decode_slowly(image: Format) -> RGB:
    try:
        image.load()
        image = ImageOps.exif_transpose(image)
    except Exception as error:  # as for the header
        raise UnreadableImage(f"the {image.format} data is damaged: {_one_line(error)}") from None
    mode = image.mode
    if mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if mode in ("I", "F"):
        raise UnreadableImage("the image has samples of 32 bits; 8 and 16 bits are read")
    if "A" in mode or "a" in mode or "transparency" in image.info:
        layered = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layered.size, (255, 255, 255, 255)), layered)
    return np.asarray(image.convert("RGB"))


def _one_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
