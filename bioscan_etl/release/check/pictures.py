"""Do the pictures of one specimen show the same?

Belongs here: the comparison of its packages with each other and with its box. Does not belong here: whether a file is
an image of the right kind (`images`), and size, fill and exposure of a crop (`settings_images`).

With the original at hand, each picture is made from it again. Without it, the small original still shows where the crop
was cut, in fewer pixels. JPEG changes both by little: on 28 images of real specimens the mean difference was at most
3.6 of 255 and the correlation at least 0.98; between different specimens, at least 14.8 and at most 0.87.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np

from bioscan_etl.images.crop import crop, crop_frame, encode_jpeg, resize_short
from bioscan_etl.images.decode import RGB, decode
from bioscan_etl.settings import ImageSettings

_FULL, _SMALL, _CROP, _SMALL_CROP = "original_full", "original_256", "cropped", "cropped_256"
# Mean difference, 0 to 255, from which pictures are not the same: one made again; one made of a smaller JPEG; what the
# small original shows; and that, if the two are not correlated either.
_MADE_AGAIN, _SMALLER, _ANOTHER, _DOUBTFUL, _CORRELATED = 2.0, 6.0, 20.0, 3.0, 0.9
# Shorter side at which pictures of different sizes are compared: the noise of single pixels is gone.
_COMPARED = 64
# Of a crop that the small original shows in fewer pixels, too little can be said.
_FEWEST = 8
_LARGEST = 1 << 26


def compare(
    pictures: Mapping[str, RGB], box: Sequence[int] | None, settings: ImageSettings
) -> Iterator[tuple[str, str]]:
    """Compare the pictures of a specimen.

    Args:
        pictures: RGB pixels (height, width, 3) by package.
        box: width and height of the original, x0, y0, x1, y1; None if it is not known.
        settings: that the images were made with.

    Yields:
        Package, and what is wrong with its picture.
    """
    tolerance = _tolerance(settings)
    original = pictures.get(_FULL)
    if original is not None and box is not None and original.shape[1::-1] != tuple(box[:2]):
        yield _FULL, f"is {original.shape[1]} x {original.shape[0]}; its box is in {box[0]} x {box[1]} px"
        return
    if original is not None:
        yield from _made_again(pictures, original, box, settings)
    elif _SMALL in pictures and box is not None:
        yield from _in_small(pictures, box, settings, tolerance)
    if {_CROP, _SMALL_CROP} <= set(pictures):
        small = resize_short(pictures[_CROP], settings.short_side)
        if small.shape != pictures[_SMALL_CROP].shape:
            sizes = f"{_size(pictures[_SMALL_CROP])}; cropped gives {_size(small)}"
            yield _SMALL_CROP, f"is not the picture in cropped: it is {sizes}"
        elif (found := _difference(_saved(small, settings), pictures[_SMALL_CROP])) > _SMALLER * tolerance:
            yield _SMALL_CROP, f"is not the picture in cropped: they differ by {found:.0f} of 255"


def _tolerance(settings: ImageSettings) -> float:
    """How much more the chosen quality of JPEG changes pictures than the default one; as libjpeg scales its tables."""
    quality = settings.jpeg_quality
    return max(1.0, (5000 / quality if quality < 50 else 200 - 2 * quality) / 50)


def _made_again(
    pictures: Mapping[str, RGB], original: RGB, box: Sequence[int] | None, settings: ImageSettings
) -> Iterator[tuple[str, str]]:
    made = {}
    if _SMALL in pictures:
        made[_SMALL] = resize_short(original, settings.short_side)
    if box is not None and _fits(box, settings):
        x0, y0, x1, y1 = box[2:]
        cut = crop(original, (x0, y0, x1, y1), settings)
        made |= {_CROP: cut, _SMALL_CROP: resize_short(cut, settings.short_side)}
    for package in set(made) & set(pictures):
        found = pictures[package]
        what = "original_full" if package == _SMALL else "original_full at its box"
        if made[package].shape != found.shape:
            yield package, f"is not the picture in {what}: it is {_size(found)}, not {_size(made[package])}"
            continue
        if (difference := _mean(_saved(made[package], settings), found)) > _MADE_AGAIN:
            yield package, f"is not the picture in {what}: they differ by {difference:.0f} of 255"


def _in_small(
    pictures: Mapping[str, RGB], box: Sequence[int], settings: ImageSettings, tolerance: float
) -> Iterator[tuple[str, str]]:
    """The small original has the size of the original's, and shows the crop where the box is."""
    width, height, x0, y0, x1, y1 = box
    small = pictures[_SMALL]
    shorter = min(width, height)
    size = tuple(
        settings.short_side if side == shorter else round(side * settings.short_side / shorter)
        for side in (width, height)
    )
    if small.shape[1::-1] != size:
        yield _SMALL, f"is {_size(small)}; of {width} x {height} px it is {size[0]} x {size[1]}"
        return
    package = _CROP if _CROP in pictures else _SMALL_CROP
    if package not in pictures or not _fits(box, settings):
        return
    frame = crop_frame((x0, y0, x1, y1), width, settings)
    edges = (
        (width - frame.y1, frame.x0, width - frame.y0, frame.x1)
        if frame.rotated
        else (frame.x0, frame.y0, frame.x1, frame.y1)
    )
    left, top, right, bottom = edges
    across, down = size[0] / width, size[1] / height
    columns, rows = round((right - left) * across), round((bottom - top) * down)
    if min(columns, rows) < _FEWEST:
        return
    # Of a pixel's centre in the crop, the place in the small original.
    step_x, step_y = (right - left) * across / columns, (bottom - top) * down / rows
    place = np.array(
        [[step_x, 0, left * across + step_x / 2 - 0.5], [0, step_y, top * down + step_y / 2 - 0.5]], np.float64
    )
    shown = cv2.warpAffine(
        small,
        place,
        (columns, rows),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=settings.crop_fill,
    )
    if frame.rotated:
        shown = cv2.rotate(shown, cv2.ROTATE_90_COUNTERCLOCKWISE)
    here = np.asarray(shown, np.uint8)
    there = np.asarray(cv2.resize(pictures[package], here.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
    difference, correlation = _difference(here, there), _correlation(here, there)
    apart = difference > _DOUBTFUL * tolerance and correlation < _CORRELATED
    if difference > _ANOTHER * tolerance or apart:
        yield package, f"is not what original_256 shows at its box: they differ by {difference:.0f} of 255"


def _fits(box: Sequence[int], settings: ImageSettings) -> bool:
    """Whether the box is one, and its crop can be held."""
    width, height, x0, y0, x1, y1 = box
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height) or min(settings.crop_aspect) < 1:
        return False
    frame = crop_frame((x0, y0, x1, y1), width, settings)
    return (frame.x1 - frame.x0) * (frame.y1 - frame.y0) <= _LARGEST


def _saved(picture: RGB, settings: ImageSettings) -> RGB:
    """A picture as it comes out of its JPEG file."""
    return decode(encode_jpeg(picture, settings), _LARGEST)


def _size(picture: RGB) -> str:
    return f"{picture.shape[1]} x {picture.shape[0]}"


def _mean(left: RGB, right: RGB) -> float:
    return float(np.mean(cv2.absdiff(left, right)))


def _difference(left: RGB, right: RGB) -> float:
    """Mean difference of two pictures of one size, compared at a smaller one."""
    shorter = min(left.shape[:2])
    if shorter > _COMPARED:
        size = tuple(max(round(side * _COMPARED / shorter), 1) for side in left.shape[1::-1])
        left, right = (
            np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_AREA), np.uint8) for one in (left, right)
        )
    return _mean(left, right)


def _correlation(left: RGB, right: RGB) -> float:
    """Correlation of the greys of two pictures of one size; 1 if one of them is of one grey."""
    greys = [cv2.cvtColor(np.asarray(one, np.uint8), cv2.COLOR_RGB2GRAY).astype(np.float64) for one in (left, right)]
    if min(float(grey.std()) for grey in greys) < 1:
        return 1.0
    return float(np.corrcoef(greys[0].ravel(), greys[1].ravel())[0, 1])
