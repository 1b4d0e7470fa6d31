"""Resizing of images, in the one way that the image stage uses.

To shrink, an image is halved by the area filter as long as it stays at least as large as the target, and goes the
rest of the way by the bicubic filter, which is then a factor below two. That averages over all pixels as the area
filter alone would, at a third of its time: OpenCV has fast code for exact halves.
"""

from __future__ import annotations

import cv2
import numpy as np

from bioscan_etl.images.decode import RGB


def halved(image: RGB) -> RGB:
    """An image at half its size, by the area filter; an odd number of rows is spread evenly over the half."""
    half = image.shape[1] // 2, image.shape[0] // 2
    # Of even sides, both filters give the mean of four pixels, and OpenCV's code for the second one is faster.
    even = image.shape[0] % 2 == image.shape[1] % 2 == 0
    filtering = cv2.INTER_LINEAR_EXACT if even else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, half, interpolation=filtering), np.uint8)


def resized(image: RGB, size: tuple[int, int], *, last: int = cv2.INTER_CUBIC, half: RGB | None = None) -> RGB:
    """An image at another size.

    Args:
        image: (height, width) or (height, width, 3), uint8.
        size: width and height to reach, in pixels.
        last: OpenCV's filter for what is left after halving; bicubic by default.
        half: `halved(image)`, if the caller has it already; the result is the same.
    """
    width, height = size
    while image.shape[1] >= 2 * width and image.shape[0] >= 2 * height:
        image, half = halved(image) if half is None else half, None
    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=last), np.uint8)
