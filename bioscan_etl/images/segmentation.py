"""The classical baseline: find the specimen by its contrast to the well, without a neural network.

Belongs here: the detector named `segmentation`. Its weights (`segmentation.json`) are those of a logistic
regression, fitted by `training.fit_baseline`; `training.evaluate` measures the result.

The image is reduced to 512 px. A wide median estimates the colour of the well, and the contrast is how much darker or
browner a pixel is. Thresholds at several heights, with and without closing of gaps, give candidates: the specimen,
but also legs, hairs, dirt and arcs of the well's rings. The regression takes size, thickness, contrast, colour,
position and shape of each candidate, alone and in pairs, and gives the probability that it is the specimen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from bioscan_etl.images.decode import RGB
from bioscan_etl.images.detection import Detection, Thresholds, status_of
from bioscan_etl.images.measure import FloatBox
from bioscan_etl.images.vouched import require_shipped
from bioscan_etl.settings import ImageSettings

Mask = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]

_SIDE = 512  # px, longer side of the reduced image; the lengths below are at this scale
_SMALLEST = 32  # px, shorter side below which an image cannot show a specimen
_MEDIAN = 31  # window of the background's median, at a quarter of the scale
_DEEPEST = 25  # grey levels by which the background may be below the image's typical brightness
_CHROMA_WEIGHT = 1.5
_CORE = 30  # contrast that is certainly not background
_SMALLEST_CORE = 4  # px of core that a candidate needs
# (contrast to cut at, diameter of the gaps to bridge)
_CUTS = ((9, 3), (12, 11), (20, 3), (20, 11), (34, 3), (34, 11))
_PER_CUT = 3
_THICKNESS_SIDE = 96  # px, longer side of a region whose thickness is measured at full scale
_LEVELS = np.arange(256, dtype=np.float64)
_SHARED = 0.3  # share of the smaller box from which two candidates are one object

FEATURES = (
    "log_area",
    "log_thickness",
    "log_core_thickness",
    "mean_contrast",
    "contrast_90",
    "max_contrast",
    "contrast_spread",
    "mean_chroma",
    "elongation",
    "radius",
    "radius_beyond_half",
    "along_the_ring",
    "touches_sides",
    "touches_top_or_bottom",
    "log_core",
    "core_share",
    "core_of_cut",
    "fill",
    "log_box_area",
    "cut",
    "bridge",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A connected region of high contrast.

    Attributes:
        box: (x0, y0, x1, y1) in pixels of the image.
        features: in the order of `FEATURES`.
        mask: nonzero on the region, within the reduced box.
        corner: (x, y) of the reduced box in the reduced image.
        reduced: (height, width) of the reduced image.
    """

    box: FloatBox
    features: tuple[float, ...]
    mask: Mask
    corner: tuple[int, int]
    reduced: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Contrast:
    """Contrast of each pixel of the reduced image to the well, and the part of it that is colour; both uint8."""

    total: Mask
    chroma: Mask
    scale: tuple[float, float]  # image px per reduced px, in x and y


_THRESHOLDS = Thresholds(empty=0.2, sure=0.5)  # chosen with the fit (training.fit_baseline)


class SegmentationDetector:
    """The detector `segmentation`."""

    name = "segmentation"

    def __init__(self, settings: ImageSettings) -> None:
        self._thresholds = _THRESHOLDS.under(settings)
        self._mean, self._deviation, self._weights, self._offset = _model()

    def detect(self, image: RGB, half: RGB | None = None) -> Detection:
        """Find the specimen in an image; see `Detector`."""
        del half  # the contrast is measured at another size
        found = candidates(image)
        if not found:
            return Detection(None, 0.0, 0, "empty")
        features = np.array([one.features for one in found])
        confidences = self._confidences(features)
        first = int(np.argmax(confidences))
        best, confidence = found[first], float(confidences[first])
        specimens = 1 + self._others(found, features, best)
        status = status_of(confidence, specimens, self._thresholds)
        if status == "empty":
            return Detection(None, confidence, 0, status)
        mask = np.zeros(best.reduced, np.uint8)
        (x, y), (height, width) = best.corner, best.mask.shape
        mask[y : y + height, x : x + width] = best.mask
        return Detection(best.box, confidence, specimens, status, mask)

    def _confidences(self, features: Values) -> Values:
        values = weighed(features, self._mean, self._deviation)
        confidences: Values = 1 / (1 + np.exp(-(values @ self._weights + self._offset)))
        return confidences

    def _others(self, found: list[Candidate], features: Values, best: Candidate) -> int:
        """Number of plausible specimens apart from the best one, as if the best one were not in the image."""
        same = np.array([_same_object(one.box, best.box) for one in found])
        share, cut, bridge = (features[:, FEATURES.index(name)] for name in ("core_of_cut", "cut", "bridge"))
        taken = np.array([share[same & (cut == c) & (bridge == b)].sum() for c, b in zip(cut, bridge, strict=True)])
        alone = features.copy()
        alone[:, FEATURES.index("core_of_cut")] = np.clip(share / np.maximum(1 - taken, 1e-6), 0, 1)
        confidences = np.where(same, 0, self._confidences(alone))
        kept: list[FloatBox] = []
        for position in np.argsort(-confidences, kind="stable"):
            if confidences[position] < self._thresholds.sure:
                break
            box = found[position].box
            if not any(_same_object(box, other) for other in kept):
                kept.append(box)
        return len(kept)


def candidates(image: RGB) -> list[Candidate]:
    """Regions of an image above the contrast thresholds, threshold by threshold."""
    if min(image.shape[:2]) < _SMALLEST:
        return []
    contrast = _contrast(image)
    return [found for cut, bridge in _CUTS for found in _regions(contrast, cut, bridge)]


def _contrast(image: RGB) -> _Contrast:
    height, width = image.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    tiny = cv2.resize(lab, (max(1, size[0] // 4), max(1, size[1] // 4)), interpolation=cv2.INTER_AREA)
    background = cv2.medianBlur(tiny, _MEDIAN)
    # If a large specimen fills the median's window, its own darkness must not become the background.
    floor = max(0, int(np.median(tiny[..., 0])) - _DEEPEST)
    background[..., 0] = np.maximum(background[..., 0], floor)
    background = cv2.resize(background, size, interpolation=cv2.INTER_LINEAR)
    darker = cv2.subtract(background[..., 0], lab[..., 0])
    redder = cv2.subtract(lab[..., 1], background[..., 1])
    yellower = cv2.subtract(lab[..., 2], background[..., 2])
    chroma = cv2.addWeighted(yellower, 1.0, redder, 0.5, 0.0)
    total = cv2.addWeighted(darker, 1.0, chroma, _CHROMA_WEIGHT, 0.0)
    total = cv2.GaussianBlur(total, (3, 3), 0.8)
    return _Contrast(np.asarray(total, np.uint8), np.asarray(chroma, np.uint8), (width / size[0], height / size[1]))


def _regions(contrast: _Contrast, cut: int, bridge: int) -> list[Candidate]:
    """The regions above one contrast that hold the most core, at most `_PER_CUT`."""
    above = cv2.morphologyEx(
        (contrast.total > cut).astype(np.uint8),
        cv2.MORPH_CLOSE,
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (bridge, bridge)),
    )
    count, labels, stats, centres = cv2.connectedComponentsWithStats(above, connectivity=8, ltype=cv2.CV_16U)
    core = np.bincount(labels[contrast.total > _CORE], minlength=count)
    core[0] = 0
    order = np.argsort(-core, kind="stable")[:_PER_CUT]
    found = []
    for label in order[core[order] >= _SMALLEST_CORE]:
        x, y, width, height, _ = (int(value) for value in stats[label])
        mask = (labels[y : y + height, x : x + width] == label).astype(np.uint8)
        features = _features(contrast, mask, (x, y), tuple(centres[label]), int(core[label]))
        features |= {"core_of_cut": core[label] / core.sum(), "cut": float(cut), "bridge": float(bridge)}
        x0, x1 = _edges(x, width, labels.shape[1], contrast.scale[0])
        y0, y1 = _edges(y, height, labels.shape[0], contrast.scale[1])
        found.append(
            Candidate(
                (x0, y0, x1, y1),
                tuple(float(features[name]) for name in FEATURES),
                mask,
                (x, y),
                (labels.shape[0], labels.shape[1]),
            )
        )
    return found


def _edges(first: int, length: int, full: int, scale: float) -> tuple[float, float]:
    """Edges of a region in image pixels; smoothing has widened it by half a reduced pixel on each free side."""
    last = first + length
    trim = 0.5 if length >= 4 else 0.0
    return (first + trim if first > 0 else 0) * scale, (last - trim if last < full else full) * scale


def _features(
    contrast: _Contrast, mask: Mask, corner: tuple[int, int], centre: tuple[float, ...], core: int
) -> dict[str, float]:
    (x, y), (height, width) = corner, mask.shape
    total = contrast.total[y : y + height, x : x + width]
    region = mask.astype(bool)
    values = total[region]
    full_height, full_width = contrast.total.shape
    area = values.size
    moments = cv2.moments(mask, binaryImage=True)
    xx, yy, xy = (moments[name] / area for name in ("mu20", "mu02", "mu11"))
    root = np.hypot(xx - yy, 2 * xy)
    elongation = np.log(((xx + yy + root) / 2 + 0.1) / ((xx + yy - root) / 2 + 0.1))
    angle = np.arctan2(2 * xy, xx - yy) / 2
    away = np.array([centre[0] - full_width / 2, centre[1] - full_height / 2])
    distance = float(np.hypot(*away))
    radius = distance / full_height
    # 1 where the region's long axis follows a circle around the middle of the well, as ring arcs do.
    tangential = abs(away[0] * np.sin(angle) - away[1] * np.cos(angle)) / (distance + 1e-6)
    return {
        "log_area": np.log(area),
        "log_thickness": np.log(_thickness(mask) + 0.5),
        "log_core_thickness": np.log(_thickness(mask & (total > _CORE)) + 0.5),
        **_summary(values),
        "mean_chroma": contrast.chroma[y : y + height, x : x + width][region].mean(),
        "elongation": elongation,
        "radius": radius,
        "radius_beyond_half": max(0.0, radius - 0.5),
        "along_the_ring": tangential * elongation * max(0.0, radius - 0.35),
        "touches_sides": float(x == 0) + float(x + width == full_width),
        "touches_top_or_bottom": float(y == 0) + float(y + height == full_height),
        "log_core": np.log(core),
        "core_share": core / area,
        "fill": area / (width * height),
        "log_box_area": np.log(width * height),
    }


def _thickness(mask: Mask) -> float:
    """Radius of the largest disc inside a region, in reduced pixels; of a wide region at a coarser scale."""
    coarse = -(-max(mask.shape) // _THICKNESS_SIDE)
    if coarse > 1:
        size = max(1, mask.shape[1] // coarse), max(1, mask.shape[0] // coarse)
        shrunk = cv2.resize(mask * np.uint8(255), size, interpolation=cv2.INTER_AREA)
        mask = np.asarray(shrunk > 127, np.uint8)
    framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    distances = np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 3), np.float64)
    return float(coarse * distances.max())


def _summary(values: Mask) -> dict[str, float]:
    """Mean, 90 % quantile, maximum and standard deviation of contrasts, from their histogram."""
    counts = np.bincount(values, minlength=256)
    mean = float(counts @ _LEVELS) / values.size
    return {
        "mean_contrast": mean,
        "contrast_90": float(np.searchsorted(np.cumsum(counts), 0.9 * values.size)),
        "max_contrast": float(values.max()),
        "contrast_spread": float(np.sqrt(counts @ (_LEVELS - mean) ** 2 / values.size)),
    }


def _same_object(one: FloatBox, other: FloatBox) -> bool:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width > 0 and height > 0 and width * height > _SHARED * smaller


def weighed(features: Values, mean: Values, deviation: Values) -> Values:
    """The inputs of the regression: standardised features, clipped to 3 deviations, and their pairwise products.

    Args:
        features: (candidates, features), in the order of `FEATURES`.
        mean: of each feature.
        deviation: of each feature.

    Returns:
        (candidates, features + features * (features + 1) / 2).
    """
    values = np.clip((features - mean) / deviation, -3, 3)
    first, second = np.triu_indices(values.shape[1])
    return np.hstack([values, values[:, first] * values[:, second]])


@cache
def _model() -> tuple[Values, Values, Values, float]:
    """Mean and deviation of each feature, the weights of the values of `weighed`, and the offset, as fitted."""
    path = Path(__file__).with_name("segmentation.json")
    text = path.read_bytes()
    require_shipped(path, text)
    model = json.loads(text)
    parts = [np.array(model[name], np.float64) for name in ("mean", "deviation", "weights")]
    return parts[0], parts[1], parts[2], float(model["offset"])
