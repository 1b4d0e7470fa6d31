"""The square window around a box that is the refiner's input, and the way back to the image.

Belongs here: geometry shared by the trained detector and its training (`training.refine`): both must see the same
pixels. Does not belong here: the networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from bioscan_etl.images.decode import RGB
from bioscan_etl.images.measure import FloatBox
from bioscan_etl.images.resize import resized

INPUT_SIDE = 96
"""Side of the refiner's input, in px."""

EXPERT_SIDE = 128
"""Side of the expert's input, in px."""

ROOM = 1.8
"""Side of the window, as a multiple of the box's longer side."""

_SMALLEST = 24.0  # px of the image; a smaller window would only magnify single pixels


@dataclass(frozen=True, slots=True)
class Window:
    """A square in whole pixels of the image; it may reach beyond the image's edge.

    Attributes:
        left: of the first column, even.
        top: of the first row, even.
        side: in pixels, even; a multiple of four from 384 px on, and of eight from 768 px on.
    """

    left: int
    top: int
    side: int

    def pixels(self, image: RGB, half: RGB | None = None, side: int = INPUT_SIDE) -> RGB:
        """The window as (side, side, 3); black beyond the image's edge, so that the network sees the edge.

        Args:
            image: (height, width, 3), RGB, uint8.
            half: the image at half its size, if the caller has it; the result is the same.
            side: of the result, in px.
        """
        height, width = image.shape[:2]
        if half is not None and self.side >= 2 * side and height % 2 == width % 2 == 0:
            return Window(self.left // 2, self.top // 2, self.side // 2).pixels(half, side=side)
        x0, y0 = max(self.left, 0), max(self.top, 0)
        x1, y1 = min(self.left + self.side, width), min(self.top + self.side, height)
        part = image[y0:y1, x0:x1]
        if part.shape[0] != self.side or part.shape[1] != self.side:
            beyond = (y0 - self.top, self.top + self.side - y1, x0 - self.left, self.left + self.side - x1)
            part = np.asarray(cv2.copyMakeBorder(part, *beyond, cv2.BORDER_CONSTANT, value=(0, 0, 0)), np.uint8)
        return resized(part, (side, side), last=cv2.INTER_LINEAR)

    def to_image(self, box: FloatBox) -> FloatBox:
        """A box given in shares of the window's side, in pixels of the image."""
        x0, y0, x1, y1 = box
        side = self.side
        return self.left + x0 * side, self.top + y0 * side, self.left + x1 * side, self.top + y1 * side

    def from_image(self, box: FloatBox) -> FloatBox:
        """The inverse of `to_image`."""
        x0, y0, x1, y1 = box
        side = self.side
        return (x0 - self.left) / side, (y0 - self.top) / side, (x1 - self.left) / side, (y1 - self.top) / side


def window_around(box: FloatBox, width: int, height: int) -> Window:
    """The window around a box of an image of `width` x `height` px; at least one pixel of both is inside."""
    x0, y0, x1, y1 = box
    longer = max(x1 - x0, y1 - y0, _SMALLEST / ROOM)
    side = 2 * max(1, min(round(ROOM * longer / 2), max(width, height)))
    # It halves into whole pixels as long as it is to be halved, which is fast, or is cut out of a halved image.
    step = 2 ** max(1, (side // INPUT_SIDE).bit_length() - 1)
    side = -(-side // step) * step
    left, top = 2 * round((x0 + x1 - side) / 4), 2 * round((y0 + y1 - side) / 4)
    return Window(min(max(left, 2 - side), _even(width - 1)), min(max(top, 2 - side), _even(height - 1)), side)


def _even(number: int) -> int:
    return number - number % 2
