"""The pixels of a release's images, as fast as they can be had without another picture.

Belongs here: the short way to what `images.decode` returns. Does not belong here: where the bytes are
(`release.image_bytes`), and the formats (`images.decode`).
"""

from __future__ import annotations

import simplejpeg  # type: ignore[import-untyped]

from bioscan_etl.images.decode import RGB, decode
from bioscan_etl.settings import ImageSettings

MAX_PIXELS = ImageSettings().max_pixels
"""Larger images are refused, by their header."""
_NOTES = b"\xff\xe1"  # APP1: an orientation may be in it
_PLAIN = "YCbCr"


def pixels(data: bytes) -> RGB:
    """Decode an image of a release, to the same pixels as `images.decode.decode`.

    The images that the pipeline makes are plain: libjpeg-turbo alone reads their header, and then the picture. All
    others go the long way: those with notes, of another kind or colour model, too large, or with a defect.

    Args:
        data: the file's bytes.

    Returns:
        (height, width, 3), uint8, RGB.

    Raises:
        UnreadableImage: the file is no image, too large, or damaged.
    """
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours == _PLAIN and height * width <= MAX_PIXELS and _NOTES not in data:
            found: RGB = simplejpeg.decode_jpeg(data, "RGB", strict=True)
            return found
    except ValueError:
        pass  # the long way mends what it can, and says what is wrong
    return decode(data, MAX_PIXELS)
