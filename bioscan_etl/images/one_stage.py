"""A detector that takes a detection model of Ultralytics as it is, `.onnx` or `.pt`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bioscan_etl.images.decode import RGB
from bioscan_etl.images.detect import Detection, status_of
from bioscan_etl.images.networks import BoxNetwork, OnnxBoxes, UltralyticsBoxes
from bioscan_etl.settings import ImageSettings


class OneStageDetector:
    """The most confident box of a detection model; it has no mask."""

    def __init__(self, path: Path, settings: ImageSettings) -> None:
        is_torch = path.suffix.lower() == ".pt"
        self._network: BoxNetwork = UltralyticsBoxes(path) if is_torch else OnnxBoxes(path)
        self._settings = settings
        self.name = f"{path.stem}-{self._network.digest[:12]}"

    def detect(self, image: RGB) -> Detection:
        """Find the specimen in an image (height, width, 3), RGB, uint8."""
        found = self._network.propose(image)
        specimens = int(np.count_nonzero(found.confidences >= self._settings.min_confidence))
        status = status_of(found.best, specimens, self._settings)
        if status == "empty" or not len(found.boxes):
            return Detection(None, found.best, 0, "empty")
        x0, y0, x1, y1 = (float(value) for value in found.boxes[0])
        return Detection((x0, y0, x1, y1), found.best, max(specimens, 1), status)
