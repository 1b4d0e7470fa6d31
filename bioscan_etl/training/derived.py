"""Masks, and the values that are derived from box and mask, against those of the outlines, by size of the specimen.

Belongs here: the relative errors of area fraction, scale factor and organism pixels. Does not belong here: the boxes
themselves (`outcomes`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from bioscan_etl.images.detection import Detection
from bioscan_etl.images.measure import area_fraction, measurement_at_1024, overlap, scale_factor, whole_pixels
from bioscan_etl.training.dataset import Annotated
from bioscan_etl.training.outcomes import SIZES, share_of


@dataclass
class Sized:
    """Figures of the specimens of one size.

    Attributes:
        specimens: their number.
        missed: share of them whose well is reported empty.
        mask_iou: median IoU of mask and outline, over those with a mask.
        errors: median and 90th percentile of the relative error of area fraction, scale factor and organism
            pixels, over boxes that overlap the specimen's by half at least.
    """

    specimens: int
    missed: float
    mask_iou: float | None
    errors: dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Compared:
    """One specimen: the share of the image that its box takes, and what was found of it (`Sized`)."""

    share: float
    missed: bool
    mask_iou: float | None
    errors: dict[str, float]


def compare(image: Annotated, detection: Detection) -> Compared:
    """Compare what was found of the specimen of an occupied image."""
    assert image.box is not None
    width, height = image.size
    share = share_of(image)
    if detection.box is None:
        return Compared(share, detection.status == "empty", None, {})
    mask_iou = None if detection.mask is None else _mask_iou(detection.mask, image)
    errors: dict[str, float] = {}
    if overlap(image.box, detection.box) >= 0.5:
        wanted, got = whole_pixels(image.box, width, height), whole_pixels(detection.box, width, height)
        areas = area_fraction(got, width, height), area_fraction(wanted, width, height)
        errors["area_fraction"] = _relative(*areas)
        errors["scale_factor"] = _relative(scale_factor(got), scale_factor(wanted))
        if detection.mask is not None:
            counted, true = measurement_at_1024(detection.mask), measurement_at_1024(image.mask())
            errors["image_measurement_value"] = _relative(counted, true)
    return Compared(share, detection.status == "empty", mask_iou, errors)


def by_size(compared: Iterable[Compared]) -> dict[str, Sized]:
    """The figures of each group of `SIZES` that has specimens."""
    known = list(compared)
    groups = {name: [one for one in known if low <= one.share <= high] for name, (low, high) in SIZES.items()}
    return {name: _summary(group) for name, group in groups.items() if group}


def _summary(group: list[Compared]) -> Sized:
    masks = [one.mask_iou for one in group if one.mask_iou is not None]
    errors = {}
    for name in ("area_fraction", "scale_factor", "image_measurement_value"):
        values = [one.errors[name] for one in group if name in one.errors]
        if values:
            errors[name] = [round(float(np.quantile(values, share)), 4) for share in (0.5, 0.9)]
    missed = sum(one.missed for one in group) / len(group)
    return Sized(len(group), missed, float(np.median(masks)) if masks else None, errors)


def _mask_iou(mask: Any, image: Annotated) -> float:
    resized = cv2.resize(np.asarray(mask > 0, np.uint8), image.size, interpolation=cv2.INTER_NEAREST)
    drawn, wanted = np.asarray(resized, np.bool_), image.mask().astype(np.bool_)
    union = int(np.count_nonzero(drawn | wanted))
    return int(np.count_nonzero(drawn & wanted)) / max(union, 1)


def _relative(got: float, wanted: float) -> float:
    return abs(got - wanted) / max(wanted, 1e-4)
