"""What a detector of specimens is, and the choice of one by the settings.

Belongs here: the interface and the factory. Does not belong here: the detectors themselves
(`images.trained`, `images.segmentation`, `images.one_stage`) and their training (`detector/`).
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
        box: (x0, y0, x1, y1) in pixels of the image, x1 and y1 exclusive; None where it is empty.
        confidence: of the box, 0 to 1; of an empty image, that of the best rejected candidate.
        specimens: number of plausible specimens.
        status: detected, low_confidence, empty or multiple.
        mask: (h, w), nonzero on the organism, over the whole image at any scale; None where not known.
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
        """Find the specimen in an image (height, width, 3), RGB, uint8; `half` is `resize.halved` of it, if at hand."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What parts the statuses of a detector.

    Attributes:
        empty: chance of a specimen below which an image is empty, 0 to 1.
        sure: confidence below which a box is low_confidence, 0 to 1.
    """

    empty: float
    sure: float

    def under(self, settings: ImageSettings) -> Thresholds:
        """These, or what the settings say instead."""
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
        present: chance that there is a specimen; of a detector that does not tell it, the confidence.
    """
    if (confidence if present is None else present) < thresholds.empty:
        return "empty"
    if confidence < thresholds.sure:
        return "low_confidence"
    return "multiple" if specimens > 1 else "detected"


def detector_fingerprint(settings: ImageSettings) -> str:
    """What the detector's results depend on beside settings and code: its name, with the model's hash.

    Raises:
        SettingsError: `images.detector` names no detector.
    """
    return load_detector(settings).name


def detector_folder(name: str) -> Path | None:
    """The folder of the two networks that a value of `images.detector` means; None of another kind of detector."""
    place = SHIPPED if name == "trained" else Path(name)
    return place if place.is_dir() else None


def load_detector(settings: ImageSettings) -> Detector:
    """The detector that `images.detector` names.

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
