"""COCO files of specimen images: outlines from a detector's masks, and the writing.

Belongs here: the format that `training.dataset` reads. Does not belong here: the curators' reviews (`images.reviews`).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.measure import FloatBox
from bioscan_etl.io.write import write_text

_OUTLINED = 0.8  # IoU of an outline's own box and the reviewed one, from which the outline is that of the specimen
_SPECK = 0.01  # share of the outlined pixels below which a part of an outline is left out
_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")

Polygon = list[float]
"""Corners as COCO writes them: x and y in turn, in pixels."""


@dataclass(frozen=True, slots=True)
class Outlined:
    """An image of a COCO file.

    Attributes:
        file_name: in the folder of images.
        size: width and height in pixels.
        box: (x0, y0, x1, y1) of the specimen in pixels, x1 and y1 exclusive; None in an empty well.
        outlines: polygons of the specimen; if there are none, the box is the outline.
    """

    file_name: str
    size: tuple[int, int]
    box: FloatBox | None = None
    outlines: Sequence[Polygon] = ()


def image_name(processid: str, image_file: str) -> str:
    """The file name of a reviewed image in the folder of all images.

    The name must never change: it decides the image's part, such as the validation part (`training.dataset.part_of`).

    Example:
        >>> image_name("AAASF005-17", "plate 1/A01.JPG")
        'AAASF005-17.jpg'
    """
    suffix = Path(image_file).suffix.lower()
    return processid + (suffix if suffix in _SUFFIXES else ".jpg")


def outline(mask: npt.NDArray[Any] | None, box: FloatBox, size: tuple[int, int]) -> list[Polygon]:
    """The specimen's outline within a reviewed box, from a detector's mask.

    The networks learn the box of the outline (`training.compose`), so the outline is stretched to the reviewed box. A
    mask that fills too little of the box is not used: it may be the mask of another object.

    Args:
        mask: (h, w), nonzero on the organism, over the whole image at any scale; or None.
        box: (x0, y0, x1, y1) in pixels of the image.
        size: width and height of the image in pixels.

    Returns:
        Polygons in pixels of the image; none if the mask cannot be used.
    """
    kept = [] if mask is None else _contours(mask, box, size)
    if not kept:
        return []
    corners = np.concatenate(kept)
    low, high = corners.min(axis=0), corners.max(axis=0)
    x0, y0, x1, y1 = _pixels(box)
    # The outline is within the box, so their union is the box.
    if (high == low).any() or float((high + 1 - low).prod()) < _OUTLINED * (x1 - x0) * (y1 - y0):
        return []
    corner, scale = np.array(box[:2]), (np.array(box[2:]) - np.array(box[:2])) / (high - low)
    return [_polygon(np.clip((one - low) * scale + corner, box[:2], box[2:])) for one in kept]


def polygons(mask: npt.NDArray[Any] | None, box: FloatBox, size: tuple[int, int]) -> list[Polygon]:
    """What a mask shows within a box, as it is; arguments as of `outline`."""
    return [] if mask is None else [_polygon(one) for one in _contours(mask, box, size)]


def _contours(mask: npt.NDArray[Any], box: FloatBox, size: tuple[int, int]) -> list[npt.NDArray[Any]]:
    """The parts of a mask within a box, each (corners, 2) in pixels of the image, without specks."""
    shown = cv2.resize(np.asarray(mask > 0, np.uint8), size, interpolation=cv2.INTER_NEAREST)
    x0, y0, x1, y1 = _pixels(box)
    part = np.ascontiguousarray(shown[y0:y1, x0:x1])
    found, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(x0, y0))
    # The mask is smaller than the image; its pixel steps must not become corners.
    exact = [cv2.approxPolyDP(one, 0.75 * max(1.0, max(size) / max(mask.shape)), closed=True) for one in found]
    areas = [float(cv2.contourArea(one)) for one in exact]
    return [one[:, 0] for one, area in zip(exact, areas, strict=True) if len(one) >= 3 and area >= _SPECK * sum(areas)]


def _pixels(box: FloatBox) -> tuple[int, int, int, int]:
    return math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])


def _polygon(corners: npt.NDArray[Any]) -> Polygon:
    return [round(float(value), 2) for value in corners.ravel()]


def write_coco(path: Path, images: Iterable[Outlined]) -> dict[str, int]:
    """Write a COCO file as `training.dataset` reads it: one category, `specimen`; an empty well has no annotation.

    Returns:
        Number of images that are `occupied`, `empty`, and `outlined` by more than a box.

    Raises:
        SettingsError: two images have the same name.
    """
    ordered = sorted(images, key=lambda image: image.file_name)
    names = Counter(Path(image.file_name).stem for image in ordered)
    if again := sorted(name for name, count in names.items() if count > 1):
        raise SettingsError(f"two images are named {again[0]}; review one of them only, or rename one")
    coco: dict[str, Any] = {
        "info": {"description": "specimen images as curators see them, the specimen outlined where there is one"},
        "categories": [{"id": 1, "name": "specimen"}],
        "images": [],
        "annotations": [],
    }
    for number, image in enumerate(ordered, 1):
        width, height = image.size
        coco["images"].append({"id": number, "file_name": image.file_name, "width": width, "height": height})
        if image.box is not None:
            coco["annotations"].append({"id": len(coco["annotations"]) + 1, "image_id": number, **_entry(image)})
    write_text(path, json.dumps(coco, indent=1) + "\n")
    occupied = len(coco["annotations"])
    return {
        "occupied": occupied,
        "empty": len(ordered) - occupied,
        "outlined": sum(image.box is not None and len(image.outlines) > 0 for image in ordered),
    }


def _entry(image: Outlined) -> dict[str, Any]:
    assert image.box is not None
    x0, y0, x1, y1 = image.box
    outlines = list(image.outlines) or [[x0, y0, x1, y0, x1, y1, x0, y1]]
    area = sum(float(cv2.contourArea(np.array(one, np.float32).reshape(-1, 2))) for one in outlines)
    return {
        "category_id": 1,
        "iscrowd": 0,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": area,
        "segmentation": outlines,
    }
