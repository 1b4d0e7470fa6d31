"""Bytes of an image file to RGB pixels, or a reason why not.

Belongs here: formats, colour models, bit depths, orientation, refusal of damaged and oversized files, and the memory
that decoding takes. Does not belong here: reading the bytes (`images.sources`), the structure of JPEG and PNG files
(`images.jpeg`, `images.png`), and how many bits of a sample count (`images.samples`).

JPEGs take libjpeg-turbo through simplejpeg: its strict mode also reports files with a hole or missing data, for which
OpenCV and Pillow return pixels padded with grey, and it takes a third of the time of OpenCV's decoder for the same
pixels. Everything else takes Pillow.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image, UnidentifiedImageError

from bioscan_etl.images import jpeg, png, samples

RGB = npt.NDArray[np.uint8]
Format = Any  # PIL's image file objects

_FORMATS = ("PNG", "TIFF")
_ORIENTATION = 0x0112
_MIN_IS_WHITE, _PHOTOMETRIC, _BITS_PER_SAMPLE = 0, 262, 258
_STRIP = 1 << 18  # pixels converted at a time
_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2}  # bytes a pixel that Pillow holds; else 4
_RESULT = 3  # bytes a pixel
_COEFFICIENTS = 2  # bytes a sample that libjpeg holds of a picture that comes in several passes

# The limit is the setting images.max_pixels, checked against the header below; Pillow's own would refuse first.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns of damaged notes in a file. What loses picture is an error, and becomes a reason.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def _quiet_libtiff() -> None:
    """Keep libtiff from writing on stderr, past Python, about files that Pillow refuses anyway.

    Pillow has no setting for it. Its wheels bring their own libtiff; where Pillow uses the system's, nothing changes.
    """
    package = Path(PIL.__file__).parent
    for found in (*package.parent.glob("pillow.libs/libtiff*"), *package.glob(".dylibs/libtiff*")):
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(str(found))
            for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
                change = getattr(library, name)
                change.argtypes, change.restype = (ctypes.c_void_p,), ctypes.c_void_p
                change(None)


_quiet_libtiff()


class UnreadableImage(Exception):  # noqa: N818 - a state of the data, which becomes a row
    """The bytes are not an image that can be used; the message gives the reason, in one line."""


@dataclass(frozen=True, slots=True)
class Undecoded:
    """An image of which only the header was read.

    Attributes:
        width: in pixels, before orientation.
        height: in pixels, before orientation.
        memory: bytes that decoding takes at most, the pixels included; an estimate from the header.
        decode: makes the pixels, as the function `decode` returns them.
    """

    width: int
    height: int
    memory: int
    decode: Callable[[], RGB]


def decode(data: bytes, max_pixels: int, significant_bits: int | None = None) -> RGB:
    """Decode a JPEG, PNG or TIFF file.

    Grey, CMYK, palette, transparent (over white) and 16-bit images (upper 8 of the significant bits) become 8-bit RGB.
    EXIF orientation is applied. Of a file with several pictures the first is taken.

    Args:
        data: the file's bytes.
        max_pixels: larger images are refused from their header, before any pixel is decoded.
        significant_bits: of 16-bit samples that use fewer than 15 bits; None takes what the file states, and refuses
            images that state nothing.

    Returns:
        Pixels, uint8, (height, width, 3), RGB, contiguous.

    Raises:
        UnreadableImage: the file is empty, of another kind, truncated, damaged or too large, or memory is short.
    """
    return read_header(data, max_pixels, significant_bits).decode()


def read_header(data: bytes, max_pixels: int, significant_bits: int | None = None) -> Undecoded:
    """Read what decoding an image takes, and decode nothing; the arguments are those of `decode`.

    Raises:
        UnreadableImage: the file is empty, of another kind or too large, or its header is damaged.
    """
    if not data:
        raise UnreadableImage("the file is empty")
    if data.startswith(jpeg.START):
        try:
            header = jpeg.read_header(data)
        except jpeg.DamagedJpegError as error:
            raise UnreadableImage(str(error)) from None
        _require_size(header.width, header.height, max_pixels)
        held = header.components if header.components == 4 else 0
        held += _COEFFICIENTS * header.components if header.several_scans else 0
        held += _RESULT if header.orientation in _UPRIGHT else 0
        read = Undecoded(
            header.width,
            header.height,
            header.width * header.height * (_RESULT + held) + len(data),
            lambda: _guarded(lambda: _decode_jpeg(data, header), header.width, header.height),
        )
    else:
        image, kept = _opened(data)
        width, height = image.size
        _require_size(width, height, max_pixels)
        turned = png.may_be_turned(kept) if image.format == "PNG" else _orientation(image) in _UPRIGHT
        held = _STORED.get(image.mode, 4) + (_RESULT if turned else 0)
        held += 6 if _is_deep(image, kept) else 0
        read = Undecoded(
            width,
            height,
            width * height * (_RESULT + held) + 2 * len(data),
            lambda: _guarded(lambda: _decode_slowly(kept, significant_bits), width, height),
        )
        image.close()
    return read


def _require_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise UnreadableImage(f"the image has no pixels: {width} x {height}")
    if width * height > max_pixels:
        raise UnreadableImage(f"the image has {width} x {height} px, more than images.max_pixels = {max_pixels}")


def _guarded(work: Callable[[], RGB], width: int, height: int) -> RGB:
    try:
        return np.ascontiguousarray(work())
    except MemoryError:
        raise UnreadableImage(
            f"memory is too short to decode {width} x {height} px; free some, or lower images.decode_memory_mb"
        ) from None


def _decode_jpeg(data: bytes, header: jpeg.JpegHeader) -> RGB:
    try:
        pixels = jpeg.decode_jpeg(data, header)
    except jpeg.DamagedJpegError as error:
        raise UnreadableImage(str(error)) from None
    if header.components == 4:
        pixels = _in_strips(lambda top, end: _inks(pixels[top:end]), header.width, header.height)
    upright = _UPRIGHT.get(header.orientation)
    return pixels if upright is None else upright(pixels)


def _inks(pixels: RGB) -> RGB:
    height, width = pixels.shape[:2]
    return np.asarray(Image.frombuffer("CMYK", (width, height), pixels.tobytes(), "raw", "CMYK", 0, 1).convert("RGB"))


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


def _opened(data: bytes) -> tuple[Format, bytes]:
    """Open a PNG or TIFF file; of a PNG whose notes are damaged, a copy without them. Also the bytes opened."""
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        image.size  # noqa: B018 - some formats read it when asked
    except Exception as error:  # Pillow's parsers raise many kinds of errors for a broken header
        mended = png.picture_only(data) if data.startswith(png.SIGNATURE) else None
        if mended is not None and mended != data:
            return _opened(mended)
        if isinstance(error, UnidentifiedImageError):
            raise UnreadableImage("the file is no JPEG, PNG or TIFF image, or its header is damaged") from None
        raise UnreadableImage(f"the image header is damaged: {_one_line(error)}") from None
    return image, data


def _orientation(image: Format) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a broken EXIF block says nothing about the pixels
        return 1
    return value if isinstance(value, int) else 1


def _is_deep(image: Format, data: bytes) -> bool:
    if image.format == "PNG":
        return png.is_deep(data)
    bits = image.tag_v2.get(_BITS_PER_SAMPLE, (1,))
    return 16 in (bits if isinstance(bits, tuple) else (bits,))


def _decode_slowly(data: bytes, chosen: int | None) -> RGB:
    image, data = _opened(data)
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # as for the header
        mended = png.picture_only(data) if image.format == "PNG" else None
        if mended is not None and mended != data:
            return _decode_slowly(mended, chosen)
        raise UnreadableImage(f"the {image.format} data is damaged: {_one_line(error)}") from None
    orientation = _orientation(image)  # PNG may have its EXIF block behind the picture
    if image.mode in ("I", "F"):
        raise UnreadableImage("the image has samples of 32 bits; 8 and 16 bits are read")
    deep = _is_deep(image, data)
    try:
        pixels = _of_grey(image, data, chosen) if image.mode.startswith("I;16") else _of_colours(image)
        if deep and image.mode in ("RGB", "RGBA", "LA") and int(pixels.max()) < samples.DARK >> 8:
            pixels = _of_dark_colours(image, data, chosen)
    except samples.UncertainBitsError as error:
        raise UnreadableImage(str(error)) from None
    finally:
        image.close()  # at once: a cycle of references may hold its memory until the next collection
    upright = _UPRIGHT.get(orientation)
    return pixels if upright is None else upright(pixels)


def _of_grey(image: Format, data: bytes, chosen: int | None) -> RGB:
    """Grey samples of 16 bits."""
    width, height = image.size
    brightest = int(image.getextrema()[1])
    bits = 16
    if 0 < brightest < samples.DARK:
        bits = samples.significant_bits(np.asarray(image).astype(np.uint16), _stated_bits(image, data), chosen)
    negative = image.format == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == _MIN_IS_WHITE

    def strip(top: int, end: int) -> RGB:
        part = np.asarray(image.crop((0, top, width, end))).astype(np.uint16)
        grey = samples.to_bytes(part, bits)
        return np.repeat((255 - grey if negative else grey)[:, :, None], 3, axis=2)

    return _in_strips(strip, width, height)


def _stated_bits(image: Format, data: bytes) -> int | None:
    return png.stated_bits(data) if image.format == "PNG" else samples.tiff_bits(image.tag_v2)


def _of_dark_colours(image: Format, data: bytes, chosen: int | None) -> RGB:
    """Colour samples of 16 bits whose upper 8 bits are nearly black; Pillow keeps only these."""
    import cv2  # here: reading a release does not need the extra `images`

    stated = _stated_bits(image, data)
    image.close()
    try:
        read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        read = None
    if read is None or read.dtype != np.uint16 or read.ndim != 3 or read.shape[2] not in (3, 4):
        raise UnreadableImage(f"{samples.UNCERTAIN}: the file is nearly black, and its lower bits cannot be read")
    deep: samples.Deep = np.asarray(read)
    bits = samples.significant_bits(deep[:, :, :3], stated, chosen)

    def strip(top: int, end: int) -> RGB:
        part = samples.to_bytes(deep[top:end, :, 2::-1], bits)
        if deep.shape[2] == 4:
            alpha = deep[top:end, :, 3:].astype(np.float32) / 65535
            return np.asarray(np.rint(part * alpha + 255 * (1 - alpha)), np.uint8)
        return part

    return _in_strips(strip, deep.shape[1], deep.shape[0])


def _of_colours(image: Format) -> RGB:
    """Samples of 8 bits and less; transparent ones over white."""
    width, height = image.size
    transparent = "A" in image.mode or "a" in image.mode or "transparency" in image.info

    def strip(top: int, end: int) -> RGB:
        part = image.crop((0, top, width, end))
        if transparent:
            part = part.convert("RGBA")
            part = Image.alpha_composite(Image.new("RGBA", part.size, (255, 255, 255, 255)), part)
        return np.asarray(part.convert("RGB"))

    return _in_strips(strip, width, height)


def _in_strips(strip: Callable[[int, int], RGB], width: int, height: int) -> RGB:
    """A picture made in strips of rows, so that no step holds a second copy of it."""
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        end = min(top + rows, height)
        pixels[top:end] = strip(top, end)
    return pixels


def _one_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
