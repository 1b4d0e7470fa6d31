"""The choice of a detector by the settings.

Belongs here: the factory. Does not belong here: what a detector is (`detection`), the detectors themselves
(`trained`, `segmentation`, `one_stage`) and their training (`bioscan_etl.training`).
"""

from __future__ import annotations

from pathlib import Path

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.detection import SHIPPED, Detector
from bioscan_etl.settings import ImageSettings


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
