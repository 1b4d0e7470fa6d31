"""Four views of an image: as it is, mirrored, turned by 180 degrees, and both.

Belongs here: how pixels and box are mirrored. Does not belong here: what views are used for (`compare`).

A detector should find the same in all of them. Where it does not, one view alone says more of chance than of the
detector: the same validation images, mirrored, gave an AP(0.75) of 0.57 instead of 0.675.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bioscan_etl.training.dataset import Annotated

VIEWS = 4

Image = npt.NDArray[np.uint8]


def viewed(pixels: Image, image: Annotated, view: int) -> tuple[Image, Annotated]:
    """A view of an image, pixels (height, width, 3), and what is annotated on it; the outlines are not kept.

    Args:
        pixels: of the image.
        image: what is annotated.
        view: 0 to 3: as it is, mirrored left to right, mirrored top to bottom, both (turned by 180 degrees).
    """
    width, height = image.size
    box = image.box
    if view & 1:
        pixels = pixels[:, ::-1]
        box = None if box is None else (width - box[2], box[1], width - box[0], box[3])
    if view & 2:
        pixels = pixels[::-1]
        box = None if box is None else (box[0], height - box[3], box[2], height - box[1])
    return np.ascontiguousarray(pixels), replace(image, polygons=(), box=box)
