"""A candidate of the trained detector, and the networks that describe it: the refiner, and the expert.

Belongs here: a window in, a described candidate out, and its features. Does not belong here: what the features mean
(`calibration`), and which network is asked (`trained`).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.decode import RGB
from bioscan_etl.images.measure import FloatBox, area, overlap
from bioscan_etl.images.networks import Floats, open_session, planes, read_model
from bioscan_etl.images.window import INPUT_SIDE, Window, window_around

OUTLINE = ("present", "iou", "agreement", "spread", "doubt", "solid", "fill", "size")
"""Features that the refiner or the expert gives: see `Refined.outline`."""

FEATURES = ("coarse", *OUTLINE)
"""Features that confidence and presence are computed from, per candidate: see `Refined.features`."""

SHOWN = 0.5
"""Probability from which a cell of a mask counts as organism."""


@dataclass(frozen=True, slots=True)
class Refined:
    """A candidate as the refiner or the expert describes it.

    Attributes:
        box: (x0, y0, x1, y1) in pixels of the image, within it.
        rough: the box that was proposed: by the region proposal network, or to the expert by the refiner.
        window: the window that the network saw.
        mask: (grid, grid), probability that a cell of the window shows the organism.
        coarse: the region proposal network's confidence.
        present: the network's probability that there is a specimen.
        iou: the network's estimate of the box's IoU with the specimen.
        spread: standard deviation of the edge positions, averaged over the edges, as a share of the box's mean side.
        doubt: standard deviation of two opposite edges as a share of their distance, summed over both pairs. The same
            deviation makes a narrow box worse than a wide one.
        share: of the image's area that the box takes.
    """

    box: FloatBox
    rough: FloatBox
    window: Window
    mask: Floats
    coarse: float
    present: float
    iou: float
    spread: float
    doubt: float
    share: float

    def features(self) -> dict[str, float]:
        """The features of the regressions: logits of the networks' scores, and how certain and full the outline is."""
        return {
            "coarse": _logit(self.coarse),
            **self.outline(),
        }

    def outline(self) -> dict[str, float]:
        """Those of `features` that the network itself gives."""
        shown = self.mask >= SHOWN
        cells = max(area(self.window.from_image(self.box)) * self.mask.size, 1.0)
        return {
            "present": _logit(self.present),
            "iou": _logit(self.iou),
            "agreement": overlap(self.box, self.rough),
            "spread": min(self.spread, 1.0),
            "doubt": math.log(max(self.doubt, 1e-3)),
            "solid": float(self.mask[shown].mean()) if shown.any() else 0.0,
            "fill": min(float(np.count_nonzero(shown)) / cells, 1.0),
            "size": math.log(max(self.share, 1e-5)),
        }


class RefinerNetwork:
    """The refiner or the expert: a window in, a mask, a box and two scores out.

    Args:
        path: of the ONNX file.
        side: of its input, in px.
    """

    def __init__(self, path: Path, side: int = INPUT_SIDE) -> None:
        data = read_model(path)
        self._session = open_session(data, path)
        self.digest = hashlib.sha256(data).hexdigest()
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or list(inputs[0].shape) != [1, 3, side, side] or len(outputs) != 4:
            raise SettingsError(
                f"images.detector: {path} takes no window of {side} px; "
                "make it with python -m bioscan_etl.training.export"
            )
        self._input, self.side = inputs[0].name, side

    def refine(self, image: RGB, rough: FloatBox, coarse: float, half: RGB | None = None) -> Refined:
        """Refine a proposed box of an image (height, width, 3), RGB, uint8; `half` as in `Detector`."""
        height, width = image.shape[:2]
        window = window_around(rough, width, height)
        mask, box, spread, scores = self._session.run(
            None, {self._input: planes(window.pixels(image, half, self.side))}
        )
        x0, y0, x1, y1 = window.to_image(tuple(float(value) for value in box[0]))  # type: ignore[arg-type]
        pixel = window.side / self.side
        x0, x1 = sorted((_on_the_edge(x0, width, pixel), _on_the_edge(x1, width, pixel)))
        y0, y1 = sorted((_on_the_edge(y0, height, pixel), _on_the_edge(y1, height, pixel)))
        wide, high = (max(length / window.side, 1e-3) for length in (x1 - x0, y1 - y0))
        deviations = [float(value) for value in spread[0]]
        return Refined(
            (x0, y0, x1, y1),
            rough,
            window,
            mask[0],
            coarse,
            float(scores[0, 0]),
            float(scores[0, 1]),
            sum(deviations) / 2 / (wide + high),
            (deviations[0] + deviations[2]) / wide + (deviations[1] + deviations[3]) / high,
            (x1 - x0) * (y1 - y0) / (width * height),
        )


def _on_the_edge(place: float, length: int, pixel: float) -> float:
    """Clip a box's edge to the image; an edge within one window pixel of the image's edge is moved onto it."""
    if place <= pixel:
        return 0.0
    return float(length) if place >= length - pixel else place


def _logit(chance: float) -> float:
    inner: Any = min(max(chance, 1e-4), 1 - 1e-4)
    return math.log(inner / (1 - inner))
