"""The detector `trained`: a region proposal network finds candidates, a refiner draws the box and the mask.

Belongs here: how the two networks' answers become a detection. Does not belong here: their training and how the
numbers of `calibration.json` were found (`bioscan_etl.training`; the model card is docs/explanation/detector.md).

The region proposal network sees the whole image, reduced. The refiner sees a window around each plausible proposal and
predicts whether it is a specimen. Two logistic regressions over the scores of both networks give the confidence (the
probability that the box is good) and the presence (the probability that there is a specimen at all). They are two
values because a specimen whose box is doubtful is not an empty well.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.decode import RGB
from bioscan_etl.images.detection import SHIPPED, Detection, Thresholds, status_of
from bioscan_etl.images.measure import FloatBox
from bioscan_etl.images.networks import (
    BoxNetwork,
    Floats,
    OnnxBoxes,
    UltralyticsBoxes,
    open_session,
    planes,
    read_model,
)
from bioscan_etl.images.resize import halved
from bioscan_etl.images.window import INPUT_SIDE, Window, window_around
from bioscan_etl.settings import ImageSettings

Mask = npt.NDArray[np.uint8]

FEATURES = ("coarse", "present", "iou", "agreement", "spread", "doubt", "solid", "fill", "size")
"""Features that confidence and presence are computed from, per candidate: see `Refined.features`."""

_MASK_SIDE = 1024  # px; longer side of the mask at most
_SHOWN = 0.5  # probability from which a pixel counts as organism
_DARK, _USUAL = 110, 190  # median brightness below which an image is brightened, and the median that it gets
_SAMPLED = 32  # brightness is measured on every so many rows and columns
_SAME = 0.4  # share of the smaller box from which two refined boxes are one object


@dataclass(frozen=True, slots=True)
class Regression:
    """A logistic regression: a weight of each of `FEATURES`, and an offset."""

    weights: Mapping[str, float]
    offset: float

    @classmethod
    def parse(cls, values: Any) -> Regression:
        """Read from JSON; raises KeyError, TypeError or ValueError if it is something else."""
        return cls({name: float(values["weights"][name]) for name in FEATURES}, float(values["offset"]))

    def chance(self, features: Mapping[str, float]) -> float:
        """The probability, 0 to 1."""
        total = math.fsum(weight * features[name] for name, weight in self.weights.items()) + self.offset
        return 1 / (1 + math.exp(-min(max(total, -30.0), 30.0)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted on the calibration part.

    Attributes:
        confidence: regression for the probability that a candidate's box is good.
        presence: regression for the probability that there is a specimen, over the most confident candidate.
        thresholds: between the statuses.
        worth_a_look: lowest confidence of the region proposal network at which a proposal is refined.
        against_best: lowest confidence at which a proposal is refined, as a share of the best proposal's.
        most: number of proposals that are refined at most.
        again: the refiner runs a second time, around its own box, if that box and the proposal have a lower IoU.
    """

    confidence: Regression
    presence: Regression
    thresholds: Thresholds
    worth_a_look: float
    against_best: float
    most: int
    again: float

    @classmethod
    def parse(cls, text: str, path: str) -> Calibration:
        """Read `calibration.json`.

        Raises:
            SettingsError: it is not a calibration.
        """
        try:
            values = json.loads(text)
            found = cls(
                Regression.parse(values["confidence"]),
                Regression.parse(values["presence"]),
                Thresholds(float(values["empty_confidence"]), float(values["min_confidence"])),
                float(values["worth_a_look"]),
                float(values["against_best"]),
                int(values["most"]),
                float(values["again"]),
            )
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise SettingsError(
                f"images.detector: {path} is no calibration ({type(error).__name__}: {error}); "
                "make it with python -m bioscan_etl.training.calibrate"
            ) from None
        return found


@dataclass(frozen=True, slots=True)
class Refined:
    """A candidate as the refiner describes it, after one or two runs.

    Attributes:
        box: (x0, y0, x1, y1) in pixels of the image, within it.
        rough: the region proposal network's box.
        window: the window that the refiner saw.
        mask: (48, 48), probability that a cell of the window shows the organism.
        coarse: the region proposal network's confidence.
        present: the refiner's probability that there is a specimen.
        iou: the refiner's estimate of the box's IoU with the specimen.
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
        """The features of the regressions: logits of both networks' scores, and how certain and full the outline is."""
        shown = self.mask >= _SHOWN
        cells = max(_area(self.window.from_image(self.box)) * self.mask.size, 1.0)
        return {
            "coarse": _logit(self.coarse),
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
    """The refiner: a window in, a mask, a box and two scores out."""

    def __init__(self, path: Path) -> None:
        data = read_model(path)
        self._session = open_session(data, path)
        self.digest = hashlib.sha256(data).hexdigest()
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or list(inputs[0].shape) != [1, 3, INPUT_SIDE, INPUT_SIDE] or len(outputs) != 4:
            raise SettingsError(
                f"images.detector: {path} is no refiner; make it with python -m bioscan_etl.training.export"
            )
        self._input = inputs[0].name

    def refine(self, image: RGB, rough: FloatBox, coarse: float, half: RGB | None = None) -> Refined:
        """Refine a proposed box of an image (height, width, 3), RGB, uint8; `half` as in `Detector`."""
        height, width = image.shape[:2]
        window = window_around(rough, width, height)
        mask, box, spread, scores = self._session.run(None, {self._input: planes(window.pixels(image, half))})
        x0, y0, x1, y1 = window.to_image(tuple(float(value) for value in box[0]))  # type: ignore[arg-type]
        pixel = window.side / INPUT_SIDE
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


class TrainedDetector:
    """Both networks. A folder holds `coarse.onnx` (or `coarse.pt`), `refiner.onnx` and `calibration.json`."""

    def __init__(self, settings: ImageSettings, home: Path = SHIPPED) -> None:
        torch_model = home / "coarse.pt"
        self._coarse: BoxNetwork
        if torch_model.is_file() and not (home / "coarse.onnx").is_file():
            self._coarse = UltralyticsBoxes(torch_model, trusted=settings.allow_pickle)
        else:
            self._coarse = OnnxBoxes(home / "coarse.onnx")
        self._refiner = RefinerNetwork(home / "refiner.onnx")
        if (home / "arbiter.onnx").exists():  # its calibration was fitted with a network that no longer exists
            raise SettingsError(
                f"images.detector: {home} is a detector of three networks, which is no longer run; "
                "train it again (docs/how-to/fine-tune.md)"
            )
        text = read_model(home / "calibration.json").decode("utf-8", "replace")
        self._calibration = Calibration.parse(text, str(home / "calibration.json"))
        self._thresholds = self._calibration.thresholds.under(settings)
        digest = hashlib.sha256(f"{self._coarse.digest} {self._refiner.digest} {text}".encode()).hexdigest()
        self.name = f"trained-{digest[:12]}"

    def detect(self, image: RGB, half: RGB | None = None) -> Detection:
        """Find the specimen in an image; see `Detector`."""
        looks = self.look(image, half)
        if not looks:
            return Detection(None, 0.0, 0, "empty")
        features = [one.features() for one in looks]
        confidences = [self._calibration.confidence.chance(one) for one in features]
        order = sorted(range(len(looks)), key=lambda place: -confidences[place])
        best, confidence = looks[order[0]], confidences[order[0]]
        others: list[FloatBox] = [best.box]
        for place in order[1:]:
            box = looks[place].box
            if confidences[place] >= self._thresholds.sure and not any(_same(box, other) for other in others):
                others.append(box)
        present = self._calibration.presence.chance(features[order[0]])
        status = status_of(confidence, len(others), self._thresholds, present)
        if status == "empty":
            return Detection(None, confidence, 0, status, presence=present)
        mask = whole_mask(best, image.shape[1], image.shape[0])
        return Detection(best.box, confidence, len(others), status, mask, present)

    def look(self, image: RGB, half: RGB | None = None) -> list[Refined]:
        """The plausible proposals, refined; the region proposal network's most confident one first."""
        if min(image.shape[:2]) < 2:
            return []
        lit = _lit(image)
        half = halved(lit) if half is None or lit is not image else half
        found = self._coarse.propose(lit, half)
        rules = self._calibration
        looks: list[Refined] = []
        for box, confidence in zip(found.boxes[: rules.most], found.confidences[: rules.most], strict=True):
            if looks and confidence < max(rules.worth_a_look, rules.against_best * found.best):
                break
            rough: FloatBox = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
            look = self._refiner.refine(lit, rough, float(confidence), half)
            if overlap(look.box, rough) < rules.again and _area(look.box) > 0:
                look = replace(self._refiner.refine(lit, look.box, float(confidence), half), rough=rough)
            looks.append(look)
        return looks


def _lit(image: RGB) -> RGB:
    """A much too dark image, brightened to the usual level; the networks have hardly seen dark images."""
    sample = image[::_SAMPLED, ::_SAMPLED].ravel()
    below = np.bincount(sample, minlength=256).cumsum()  # of bytes: a hundredth of the time of np.median
    brightness = float(below.searchsorted([(sample.size - 1) // 2, sample.size // 2], side="right").mean())
    if not 1 <= brightness < _DARK:
        return image
    return np.asarray(cv2.convertScaleAbs(image, alpha=_USUAL / brightness), np.uint8)


def whole_mask(look: Refined, width: int, height: int) -> Mask:
    """1 on the organism, over the whole image of `width` x `height` px, at 1024 px at most; (h, w), uint8."""
    scale = min(1.0, _MASK_SIDE / max(width, height))
    mask = np.zeros((max(1, round(height * scale)), max(1, round(width * scale))), np.uint8)
    side = look.window.side * scale
    left, top = look.window.left * scale, look.window.top * scale
    # The organism is within its box, and the box is more exact than the mask.
    x0, y0 = max(math.floor(look.box[0] * scale), 0), max(math.floor(look.box[1] * scale), 0)
    x1 = min(math.ceil(look.box[2] * scale), mask.shape[1])
    y1 = min(math.ceil(look.box[3] * scale), mask.shape[0])
    if x1 > x0 and y1 > y0:
        cells = look.mask.shape[0] / side
        # From middles of pixels to middles of cells.
        back = np.array([[cells, 0, (x0 + 0.5 - left) * cells - 0.5], [0, cells, (y0 + 0.5 - top) * cells - 0.5]])
        filtering = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        chances = np.round(look.mask * 255).astype(np.uint8)
        drawn = cv2.warpAffine(chances, back, (x1 - x0, y1 - y0), flags=filtering, borderMode=cv2.BORDER_REPLICATE)
        mask[y0:y1, x0:x1] = drawn >= 255 * _SHOWN
    return mask


def overlap(one: FloatBox, other: FloatBox) -> float:
    """Intersection over union of two boxes.

    Example:
        >>> overlap((0, 0, 2, 2), (1, 0, 3, 2))
        0.3333333333333333
    """
    shared = _shared(one, other)
    union = _area(one) + _area(other) - shared
    return shared / union if union > 0 else 0.0


def _on_the_edge(place: float, length: int, pixel: float) -> float:
    """Clip a box's edge to the image; an edge within one window pixel of the image's edge is moved onto it."""
    if place <= pixel:
        return 0.0
    return float(length) if place >= length - pixel else place


def _same(one: FloatBox, other: FloatBox) -> bool:
    return _shared(one, other) > _SAME * min(_area(one), _area(other))


def _shared(one: FloatBox, other: FloatBox) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def _area(box: FloatBox) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _logit(chance: float) -> float:
    inner: Any = min(max(chance, 1e-4), 1 - 1e-4)
    return math.log(inner / (1 - inner))
