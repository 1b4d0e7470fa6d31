"""Exact sizes of a specimen's box (spec: specimen images, "Sizes"), and how far two boxes overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Box = tuple[int, int, int, int]
FloatBox = tuple[float, float, float, float]

SCALE_SIDE = 256
REFERENCE_PIXELS = 1024 * 768


def whole_pixels(box: FloatBox, width: int, height: int) -> Box:
    """A box in whole pixels: rounded, then clipped to the image; x1 and y1 are exclusive.

    Args:
        box: (x0, y0, x1, y1) in pixels of the original image.
        width: of the original image, in pixels.
        height: of the original image, in pixels.

    Example:
        >>> whole_pixels((-3.2, 10.4, 99.6, 2000.0), 1024, 768)
        (0, 10, 100, 768)
    """
    x0, y0, x1, y1 = (round(value) for value in box)
    return min(max(x0, 0), width), min(max(y0, 0), height), min(max(x1, 0), width), min(max(y1, 0), height)


def area_fraction(box: Box, width: int, height: int) -> float:
    """Area of a whole-pixel box over the area of its image, to 4 decimals.

    Example:
        >>> area_fraction((339, 208, 533, 493), 1024, 768)
        0.0703
    """
    x0, y0, x1, y1 = box
    return round((x1 - x0) * (y1 - y0) / (width * height), 4)


def scale_factor(box: Box) -> float:
    """Shorter side of a whole-pixel box over 256 px, to 4 decimals.

    Example:
        >>> scale_factor((339, 208, 533, 493))
        0.7578
    """
    x0, y0, x1, y1 = box
    return round(min(x1 - x0, y1 - y0) / SCALE_SIDE, 4)


def measurement_at_1024(mask: npt.NDArray[Any]) -> int:
    """Pixels that the organism covers, at the 1024x768 scale (BOLD's `image_measurement_value`).

    Args:
        mask: (height, width), nonzero on the organism, over the whole image at any scale.
    """
    return round(int(np.count_nonzero(mask)) * REFERENCE_PIXELS / mask.size)


def overlap(one: FloatBox, other: FloatBox) -> float:
    """Intersection over union of two boxes.

    Example:
        >>> overlap((0, 0, 2, 2), (1, 0, 3, 2))
        0.3333333333333333
    """
    common = shared(one, other)
    union = area(one) + area(other) - common
    return common / union if union > 0 else 0.0


def shared(one: FloatBox, other: FloatBox) -> float:
    """Area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def area(box: FloatBox) -> float:
    """Area of a box."""
    return (box[2] - box[0]) * (box[3] - box[1])
