"""The crop, the resized images and their JPEG files, exact (spec: specimen images, "The crop").

The rules of the spec are applied in their order. If it leaves a choice, this is what the project does:
the margin goes around the box in whole pixels that the bbox table holds, so a crop can be made again from
the released table; "taller than wide" is tested on the box with its margin; the two edges of the extended
side are rounded one by one, halves to the even pixel (Python's `round`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg  # type: ignore[import-untyped]

from bioscan_etl.images.decode import RGB
from bioscan_etl.images.measure import Box
from bioscan_etl.images.resize import resized
from bioscan_etl.settings import ImageSettings


@dataclass(frozen=True, slots=True)
class CropFrame:
    """The position of a crop in its image.

    Attributes:
        x0: left edge, inclusive; may be outside the image, as may the other edges.
        y0: top edge, inclusive.
        x1: right edge, exclusive.
        y1: bottom edge, exclusive.
        rotated: whether the edges are those of the image turned 90° counter-clockwise.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    rotated: bool


def crop_frame(box: Box, width: int, settings: ImageSettings) -> CropFrame:
    """Compute the position of a box's crop.

    Args:
        box: specimen's box in whole pixels of the original image.
        width: of the original image, in pixels.
        settings: margin and aspect ratio of the crop.
    """
    x0, y0, x1, y1 = box
    half = settings.crop_margin * max(x1 - x0, y1 - y0) / 2
    x0, y0, x1, y1 = int(x0 - half), int(y0 - half), int(x1 + half), int(y1 + half)
    rotated = y1 - y0 > x1 - x0
    if rotated:
        x0, y0, x1, y1 = y0, width - x1, y1, width - x0
    across, down = settings.crop_aspect
    missing_height = (x1 - x0) * down / across - (y1 - y0)
    missing_width = (y1 - y0) * across / down - (x1 - x0)
    if missing_height > 0:
        y0, y1 = round(y0 - missing_height / 2), round(y1 + missing_height / 2)
    elif missing_width > 0:
        x0, x1 = round(x0 - missing_width / 2), round(x1 + missing_width / 2)
    return CropFrame(x0, y0, x1, y1, rotated)


def crop(image: RGB, box: Box, settings: ImageSettings) -> RGB:
    """Cut a specimen out of its image.

    Args:
        image: (height, width, 3), RGB, uint8.
        box: specimen's box in whole pixels, not empty.
        settings: margin, aspect ratio and fill of the crop.

    Returns:
        A new array (height, width, 3), RGB, uint8, at the scale of the original.

    Raises:
        ValueError: the box is empty.
    """
    if box[2] <= box[0] or box[3] <= box[1]:
        raise ValueError(f"box {box} is empty")
    return _cut(image, crop_frame(box, image.shape[1], settings), settings.crop_fill)


def inside(image: RGB, box: Box, settings: ImageSettings) -> RGB:
    """The part of a crop that shows the image and no fill, unrotated; a view where possible."""
    x0, y0, x1, y1 = _unrotated(crop_frame(box, image.shape[1], settings), image.shape[1])
    return image[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]


def surroundings(image: RGB, box: Box, settings: ImageSettings) -> RGB:
    """The square around a box, as wide as its longer side and the margin, clipped to the image; a view.

    Unlike the crop it is never turned, so that a box a pixel taller or wider shows the same.
    """
    x0, y0, x1, y1 = box
    half = (1 + settings.crop_margin) * max(x1 - x0, y1 - y0) / 2
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return image[max(int(y - half), 0) : int(y + half) + 1, max(int(x - half), 0) : int(x + half) + 1]


def _unrotated(frame: CropFrame, width: int) -> Box:
    if frame.rotated:
        return width - frame.y1, frame.x0, width - frame.y0, frame.x1
    return frame.x0, frame.y0, frame.x1, frame.y1


def _cut(image: RGB, frame: CropFrame, fill: tuple[int, int, int]) -> RGB:
    # Only the part that is cut gets turned, not the whole image.
    height, width = image.shape[:2]
    x0, y0, x1, y1 = _unrotated(frame, width)
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    part = image[top:bottom, left:right]
    whole = (left, top, right, bottom) == (x0, y0, x1, y1)
    if not whole:
        cut = np.empty((y1 - y0, x1 - x0, 3), np.uint8)
        cut[:] = fill
        cut[top - y0 : bottom - y0, left - x0 : right - x0] = part
        part = cut
    if frame.rotated:
        return np.asarray(cv2.rotate(part, cv2.ROTATE_90_COUNTERCLOCKWISE), np.uint8)
    return part.copy() if whole else part


def resize_short(image: RGB, side: int, half: RGB | None = None) -> RGB:
    """Resize so that the shorter side has exactly `side` pixels, aspect kept (longer side rounded).

    Area and bicubic filter when shrinking (see `images.resize`), bicubic when enlarging. `half` is
    `resize.halved(image)`, if the caller has it.
    """
    height, width = image.shape[:2]
    shorter = min(height, width)
    if shorter == side:
        return image
    target = (
        side if width == shorter else round(width * side / shorter),
        side if height == shorter else round(height * side / shorter),
    )
    return resized(image, target, half=half)


def encode_jpeg(image: RGB, settings: ImageSettings) -> bytes:
    """A baseline JPEG file, 4:2:0, without metadata; the same pixels give the same bytes.

    Args:
        image: (height, width, 3), RGB, uint8.
        settings: JPEG quality.
    """
    contiguous = np.ascontiguousarray(image)
    data: bytes = simplejpeg.encode_jpeg(contiguous, settings.jpeg_quality, "RGB", "420", fastdct=False)
    return data
