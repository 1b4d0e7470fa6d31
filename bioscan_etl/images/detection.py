"""The interface of specimen detectors, and the result that they return for an image.

Belongs here: the interface, the result, and the statuses. Does not belong here: the choice of a detector (`detect`) and
the detectors themselves (`trained`, `segmentation`, `one_stage`), which all build on this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bioscan_etl.images.decode import RGB
from bioscan_etl.images.measure import Box, FloatBox
from bioscan_etl.settings import ImageSettings

SHIPPED = Path(str(resources.files("bioscan_etl.images") / "models"))
"""Folder of the detector that comes with the package."""


@dataclass(frozen=True, slots=True)
class Detection:
    """The result of a detector for one image.

    Attributes:
        box: (x0, y0, x1, y1) in pixels of the image, x1 and y1 exclusive; None if it is empty.
        confidence: of the box, 0 to 1; of an empty image, that of the best rejected candidate.
        specimens: number of plausible specimens.
        status: detected, low_confidence, empty or multiple.
        mask: (h, w), nonzero on the organism, over the whole image at any scale; None if not known.
        presence: probability that there is a specimen, 0 to 1; 0 if the detector does not report it.
    """

    box: FloatBox | None
    confidence: float
    specimens: int
    status: str
    mask: npt.NDArray[Any] | None = None
    presence: float = 0.0


CURATOR = "curator"
"""What tables give as the detector if a curator drew the box."""


def as_drawn(detection: Detection, box: Box, width: int, height: int) -> Detection:
    """A detection with the box that a curator drew, and of the mask what lies within it.

    Args:
        detection: the detector's.
        box: the curator's, in pixels of the image.
        width: of the image, in pixels.
        height: of the image, in pixels.
    """
    mask = detection.mask
    if mask is not None:
        rows, columns = mask.shape[:2]
        x0, y0, x1, y1 = box
        within = np.zeros_like(mask)
        part = np.s_[
            y0 * rows // height : -(-y1 * rows // height),
            x0 * columns // width : -(-x1 * columns // width),
        ]
        within[part] = mask[part]
        mask = within
    return Detection(box, 1.0, 1, "detected", mask, 1.0)


class Detector(Protocol):
    """Finds the specimen of an image; `detect` may be called from several threads."""

    name: str

    def detect(self, image: RGB, half: RGB | None = None) -> Detection:
        """Find the specimen in an image (height, width, 3), RGB, uint8; `half` is `resize.halved` of it, if at hand."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Score thresholds between the statuses of a detector.

    Attributes:
        empty: probability of a specimen below which an image is empty, 0 to 1.
        sure: confidence below which a box is low_confidence, 0 to 1.
        doubtful: probability of a specimen below which an image that is not empty is low_confidence, 0 to 1.
    """

    empty: float
    sure: float
    doubtful: float = 0.0

    def under(self, settings: ImageSettings) -> Thresholds:
        """These thresholds, replaced by those that the settings state."""
        return Thresholds(
            self.empty if settings.empty_confidence == "auto" else settings.empty_confidence,
            self.sure if settings.min_confidence == "auto" else settings.min_confidence,
            self.doubtful,
        )


def status_of(confidence: float, specimens: int, thresholds: Thresholds, present: float | None = None) -> str:
    """The status of an image from its best box's confidence and the number of plausible specimens.

    Args:
        confidence: of the best box.
        specimens: number of plausible specimens.
        thresholds: of the detector, under the settings.
        present: probability that there is a specimen; if the detector does not report it, the confidence.
    """
    presence = confidence if present is None else present
    if presence < thresholds.empty:
        return "empty"
    if confidence < thresholds.sure or presence < thresholds.doubtful:
        return "low_confidence"
    return "multiple" if specimens > 1 else "detected"
