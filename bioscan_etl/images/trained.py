"""The detector `trained`: a region proposal network, a refiner, and an expert for doubtful images.

Belongs here: how the networks' answers become a detection. Does not belong here: what a candidate is and what is
computed from it (`refined`, `contrast`, `calibration`), and the training (`bioscan_etl.training`; the model card is
docs/explanation/detector.md).

The region proposal network sees the whole image, reduced. The refiner sees a window around each plausible proposal and
predicts whether it is a specimen, its box and its mask. Two logistic regressions over the scores of both networks give
the confidence (the probability that the box is good) and the presence (the probability that there is a specimen at
all). They are two values because a specimen whose box is doubtful is not an empty well.

If the confidence is low, the candidates are judged again, by two further regressions: also by how they stand out from
the well, and by what a larger network says of them, the expert. It sees a larger window in more pixels, and its box is
used. Most images never reach it, because it takes longer than both other networks. A detector may have no expert.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.calibration import EXPERT, Calibration, Scores
from bioscan_etl.images.contrast import blur_at_the_wall, contrast
from bioscan_etl.images.decode import RGB
from bioscan_etl.images.detection import SHIPPED, Detection, status_of
from bioscan_etl.images.measure import FloatBox, area, overlap, shared
from bioscan_etl.images.networks import BoxNetwork, OnnxBoxes, UltralyticsBoxes, read_model
from bioscan_etl.images.refined import SHOWN, Refined, RefinerNetwork
from bioscan_etl.images.resize import halved
from bioscan_etl.images.window import EXPERT_SIDE
from bioscan_etl.settings import ImageSettings

Mask = npt.NDArray[np.uint8]

_MASK_SIDE = 1024  # px; longer side of the mask at most
_DARK, _USUAL = 110, 190  # median brightness below which an image is brightened, and the median that it gets
_SAMPLED = 32  # brightness is measured on every so many rows and columns
_SAME = 0.4  # share of the smaller box from which two refined boxes are one object


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate and its scores: the probabilities that its box is good, and that there is a specimen.

    `blur`: it is a blur at the wall, which is never reported empty.
    """

    look: Refined
    confidence: float
    presence: float
    blur: bool = False


class TrainedDetector:
    """All networks. A folder holds `coarse.onnx` (or `coarse.pt`), `refiner.onnx` and `calibration.json`.

    It may hold `expert.onnx`.
    """

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
                f"images.detector: {home} has an arbiter.onnx, which is no longer run; "
                "train it again (docs/how-to/fine-tune.md)"
            )
        text = read_model(home / "calibration.json").decode("utf-8", "replace")
        self.calibration = Calibration.parse(text, str(home / "calibration.json"))
        self._thresholds = self.calibration.thresholds.under(settings)
        digests = [self._coarse.digest, self._refiner.digest]
        self.expert: RefinerNetwork | None = None
        if self.calibration.appeal is not None and self.calibration.appeal.expert:
            self.expert = RefinerNetwork(home / "expert.onnx", EXPERT_SIDE)
            digests.append(self.expert.digest)
        digest = hashlib.sha256(" ".join([*digests, text]).encode()).hexdigest()
        self.name = f"trained-{digest[:12]}"

    def detect(self, image: RGB, half: RGB | None = None) -> Detection:
        """Find the specimen in an image; see `Detector`."""
        if min(image.shape[:2]) < 2:
            return Detection(None, 0.0, 0, "empty")
        lit, half = lit_pair(image, half)
        judged = [self._judge(look, self.calibration.scores, look.features()) for look in self._look(lit, half)]
        if not judged:
            return Detection(None, 0.0, 0, "empty")
        appeal = self.calibration.appeal
        if appeal is not None and max(one.confidence for one in judged) < appeal.below:
            again = [self.appeal(lit, half, one.look) for one in judged]
            judged = [
                replace(self._judge(look, appeal.scores, features), blur=blur_at_the_wall(features))
                for look, features in again
            ]
        judged.sort(key=lambda one: -one.confidence)
        best = judged[0]
        others: list[FloatBox] = [best.look.box]
        for one in judged[1:]:
            box = one.look.box
            if one.confidence >= self._thresholds.sure and not any(_same(box, other) for other in others):
                others.append(box)
        status = status_of(best.confidence, len(others), self._thresholds, best.presence)
        if status == "empty" and best.blur:
            status = "low_confidence"
        if status == "empty":
            return Detection(None, best.confidence, 0, status, presence=best.presence)
        mask = whole_mask(best.look, image.shape[1], image.shape[0])
        return Detection(best.look.box, best.confidence, len(others), status, mask, best.presence)

    def look(self, image: RGB, half: RGB | None = None) -> list[Refined]:
        """The plausible proposals, refined; the region proposal network's most confident one first."""
        if min(image.shape[:2]) < 2:
            return []
        return self._look(*lit_pair(image, half))

    def _look(self, lit: RGB, half: RGB) -> list[Refined]:
        found = self._coarse.propose(lit, half)
        rules = self.calibration
        looks: list[Refined] = []
        for box, confidence in zip(found.boxes[: rules.most], found.confidences[: rules.most], strict=True):
            if looks and confidence < max(rules.worth_a_look, rules.against_best * found.best):
                break
            rough: FloatBox = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
            look = self._refiner.refine(lit, rough, float(confidence), half)
            if overlap(look.box, rough) < rules.again and area(look.box) > 0:
                look = replace(self._refiner.refine(lit, look.box, float(confidence), half), rough=rough)
            looks.append(look)
        return looks

    def appeal(self, image: RGB, half: RGB | None, look: Refined) -> tuple[Refined, dict[str, float]]:
        """A doubtful candidate, as the expert sees it if there is one, and `calibration.appeal_features` of it.

        Args:
            image: (height, width, 3), RGB, uint8, as the candidate was found in it.
            half: `resize.halved` of it, if at hand.
            look: the candidate.
        """
        found, side, outline = look, self._refiner.side, {}
        if self.expert is not None:
            found = replace(self.expert.refine(image, asked(look), look.coarse, half), rough=look.box)
            side, outline = self.expert.side, dict(zip(EXPERT, found.outline().values(), strict=True))
        pixels = found.window.pixels(image, half, side)
        apart = contrast(found, pixels, image.shape[1], image.shape[0])
        return found, look.features() | outline | apart

    @staticmethod
    def _judge(look: Refined, scores: Scores, features: dict[str, float]) -> Judged:
        return Judged(look, scores.confidence.chance(features), scores.presence.chance(features))


def asked(look: Refined) -> FloatBox:
    """The box whose window the expert sees: what the proposal and the refiner's box cover together."""
    one, other = look.box, look.rough
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def lit_pair(image: RGB, half: RGB | None) -> tuple[RGB, RGB]:
    """The image as the networks see it (`_lit`), and `resize.halved` of that."""
    lit = _lit(image)
    return lit, halved(lit) if half is None or lit is not image else half


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
        mask[y0:y1, x0:x1] = drawn >= 255 * SHOWN
    return mask


def _same(one: FloatBox, other: FloatBox) -> bool:
    return shared(one, other) > _SAME * min(area(one), area(other))
