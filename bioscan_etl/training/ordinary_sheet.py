"""Pages of images with the box and the outline that a detector drew, large enough to see a leg that is cut off.

Belongs here: the drawing. Does not belong here: the pages that curators get of a batch (`images.contact_sheet`), which
show many small images.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from bioscan_etl.images.decode import RGB
from bioscan_etl.images.detection import Detection
from bioscan_etl.training.ordinary_tables import Box

PER_PAGE = 8
_COLUMNS = 2
_WHOLE, _CLOSE = (320, 360), (480, 360)  # px of the whole image and of the close view in a tile
_CAPTION = 24  # px
_AROUND = 0.35  # of the box's longer side that the close view shows on each side
_PAPER = (255, 255, 255)
_INK = (30, 30, 30)
_BOX, _OUTLINE, _PUBLISHED = (220, 0, 0), (0, 110, 255), (0, 150, 60)


def tile(caption: str, pixels: RGB, detection: Detection, published: Box | None = None) -> RGB:
    """One image: the whole, a close view, and a line of text.

    Args:
        caption: the line.
        pixels: of the image, (height, width, 3), RGB.
        detection: its box is drawn in red, the outline of its mask in blue.
        published: box of another tool, drawn in green.
    """
    height, width = pixels.shape[:2]
    everything = (0, 0, width, height)
    whole = _view(pixels, detection, published, everything, _WHOLE)
    close = _view(pixels, detection, published, _around(detection.box or everything, width, height), _CLOSE)
    strip = np.full((_CAPTION, _WHOLE[0] + _CLOSE[0], 3), _PAPER, np.uint8)
    shown = caption.encode("ascii", "replace").decode()  # OpenCV's font has no other letters
    cv2.putText(strip, shown, (4, _CAPTION - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    return np.vstack([strip, np.hstack([whole, close])])


def pages(tiles: Sequence[RGB]) -> list[RGB]:
    """The tiles, `PER_PAGE` to a page."""
    found = []
    for start in range(0, len(tiles), PER_PAGE):
        chosen = list(tiles[start : start + PER_PAGE])
        chosen += [np.full_like(tiles[0], 255)] * (-len(chosen) % _COLUMNS)
        lines = [np.hstack(chosen[place : place + _COLUMNS]) for place in range(0, len(chosen), _COLUMNS)]
        found.append(np.vstack(lines))
    return found


def _around(box: Box | tuple[int, int, int, int], width: int, height: int) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = box
    more = _AROUND * max(x1 - x0, y1 - y0, 8)
    left, top = max(int(x0 - more), 0), max(int(y0 - more), 0)
    return left, top, min(max(int(x1 + more), left + 1), width), min(max(int(y1 + more), top + 1), height)


def _view(
    pixels: RGB, detection: Detection, published: Box | None, part: tuple[int, int, int, int], size: tuple[int, int]
) -> RGB:
    """A part (x0, y0, x1, y1) of the image, as large as it fits, with the drawn lines one pixel wide."""
    left, top, right, bottom = part
    scale = min(size[0] / (right - left), size[1] / (bottom - top))
    shape = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    filtering = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    view = np.asarray(cv2.resize(pixels[top:bottom, left:right], shape, interpolation=filtering), np.uint8)
    if detection.mask is not None:
        full = cv2.resize(
            np.asarray(detection.mask > 0, np.uint8),
            (pixels.shape[1], pixels.shape[0]),
            interpolation=cv2.INTER_NEAREST,
        )
        near = cv2.resize(full[top:bottom, left:right], shape, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(near, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(view, outlines, -1, _OUTLINE, 1)
    for box, colour in ((published, _PUBLISHED), (detection.box, _BOX)):
        if box is not None:
            x0, y0, x1, y1 = (
                round((edge - start) * scale) for edge, start in zip(box, (left, top, left, top), strict=True)
            )
            cv2.rectangle(view, (x0, y0), (x1 - 1, y1 - 1), colour, 1)
    paper = np.full((size[1], size[0], 3), _PAPER, np.uint8)
    paper[: shape[1], : shape[0]] = view
    return paper
