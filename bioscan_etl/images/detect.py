"""What a detector of specimens is, and which one the settings choose.

Belongs here: the interface and the factory. Does not belong here: the detectors themselves
(`images.trained`, `images.segmentation`, `images.one_stage`) and their training (`bioscan_etl.training`).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.decode import RGB
from bioscan_etl.images.measure import FloatBox
from bioscan_etl.settings import ImageSettings

SHIPPED = Path(str(resources.files("bioscan_etl.images") / "models"))
"""Folder of the detector that comes with the package."""


@dataclass(frozen=True, slots=True)
class Detection:
    """What a detector says of one image.

    Attributes:
        box: (x0, y0, x1, y1) in pixels of the image, x1 and y1 exclusive; None if the image is empty.
        confidence: of the box, 0 to 1; for an empty image, of the best rejected candidate.
        specimens: number of plausible specimens.
        status: detected, low_confidence, empty or multiple.
        mask: (h, w), nonzero on the organism, over the whole image at any scale; None if the detector draws none.
    """

    box: FloatBox | None
    confidence: float
    specimens: int
    status: str
    mask: npt.NDArray[Any] | None = None


class Detector(Protocol):
    """Finds the specimen of an image; `detect` may be called from several threads."""

    name: str

    def detect(self, image: RGB, half: RGB | None = None) -> Detection:
        """Find the specimen in an image (height, width, 3), RGB, uint8; `half` is `resize.halved` of it, if known."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Score thresholds between detector statuses.

    Attributes:
        empty: an image is `empty` if the probability of a specimen is lower, 0 to 1.
        sure: a box is `low_confidence` if its confidence is lower, 0 to 1.
    """

    empty: float
    sure: float

    def under(self, settings: ImageSettings) -> Thresholds:
        """These thresholds, with the values of the settings where they are not `auto`."""
        return Thresholds(
            self.empty if settings.empty_confidence == "auto" else settings.empty_confidence,
            self.sure if settings.min_confidence == "auto" else settings.min_confidence,
        )


def status_of(confidence: float, specimens: int, thresholds: Thresholds, present: float | None = None) -> str:
    """The status of an image from its best box's confidence and the number of plausible specimens.

    Args:
        confidence: of the best box.
        specimens: number of plausible specimens.
        thresholds: of the detector, under the settings.
        present: probability that there is a specimen; None if the detector does not predict it, and the confidence
            counts instead.
    """
    if (confidence if present is None else present) < thresholds.empty:
        return "empty"
    if confidence < thresholds.sure:
        return "low_confidence"
    return "multiple" if specimens > 1 else "detected"


def detector_fingerprint(settings: ImageSettings) -> str:
    """What the detector's results depend on, apart from settings and code: its name, with the model's hash.

    Raises:
        SettingsError: `images.detector` names no detector.
    """
    return load_detector(settings).name


def detector_folder(name: str) -> Path | None:
    """The folder of the two networks that a value of `images.detector` names; None for another kind of detector."""
    place = SHIPPED if name == "trained" else Path(name)
    return place if place.is_dir() else None


def load_detector(settings: ImageSettings) -> Detector:
    """Load the detector that `images.detector` names.

    Raises:
        SettingsError: it is neither `trained`, `segmentation`, a detection model of Ultralytics (`.onnx` or
            `.pt`) nor the folder of a trained detector.
    """
    name, place = settings.detector, Path(settings.detector)
    folder = detector_folder(name)
    if folder is not None:
        from bioscan_etl.images.trained import TrainedDetector

        return TrainedDetector(settings, folder)
    if name == "segmentation":
        from bioscan_etl.images.segmentation import SegmentationDetector

        return SegmentationDetector(settings)
    if place.suffix.lower() in (".onnx", ".pt"):
        from bioscan_etl.images.one_stage import OneStageDetector

        return OneStageDetector(place, settings)
    raise SettingsError(
        f"images.detector = {name!r} is unknown; use 'trained', 'segmentation', the path of an .onnx or .pt model, "
        "or the folder of a trained detector"
    )
