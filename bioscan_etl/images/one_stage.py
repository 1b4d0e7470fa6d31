"""A detector that is a detection model of Ultralytics, `.onnx` or `.pt`, without a refiner."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bioscan_etl.images.decode import RGB
from bioscan_etl.images.detection import Detection, Thresholds, status_of
from bioscan_etl.images.networks import BoxNetwork, OnnxBoxes, UltralyticsBoxes
from bioscan_etl.settings import ImageSettings

# Ultralytics' default; above it, boxes are more often right than wrong. Choose another one for your own images.
_THRESHOLDS = Thresholds(empty=0.25, sure=0.5)


class OneStageDetector:
    """The most confident box of a detection model; it has no mask."""

    def __init__(self, path: Path, settings: ImageSettings) -> None:
        is_torch = path.suffix.lower() == ".pt"
        self._network: BoxNetwork = (
            UltralyticsBoxes(path, trusted=settings.allow_pickle) if is_torch else OnnxBoxes(path)
        )
        self._thresholds = _THRESHOLDS.under(settings)
        self.name = f"{path.stem}-{self._network.digest[:12]}"

    def detect(self, image: RGB, half: RGB | None = None) -> Detection:
        """Find the specimen in an image; see `Detector`."""
        found = self._network.propose(image, half)
        specimens = int(np.count_nonzero(found.confidences >= self._thresholds.sure))
        status = status_of(found.best, specimens, self._thresholds)
        if status == "empty" or not len(found.boxes):
            return Detection(None, found.best, 0, "empty")
        x0, y0, x1, y1 = (float(value) for value in found.boxes[0])
        return Detection((x0, y0, x1, y1), found.best, max(specimens, 1), status)
