"""Fit the confidence of the trained detector and choose the thresholds, on the part `calibration`.

    python -m bioscan_etl.training.calibrate IMAGES ANNOTATIONS.coco.json FOLDER [--before CALIBRATION.json]
        [--plot PLOT.png]

FOLDER is the one that `export` wrote; it gets `calibration.json`. The networks have not learnt from the images used
here, and the validation part is not used.

Two logistic regressions over the scores of both networks are fitted. The confidence predicts whether a candidate's box
has an IoU of at least 0.75 with the specimen's. The presence predicts, from the most confident candidate of a picture,
whether there is a specimen. Each image counts in its four mirrorings.

The scores that the thresholds are chosen by are cross-validated, five-fold, so that no image judges itself. They are
chosen by bootstrap draws of the images (`thresholds`), so that no single image decides.
`calibration.json` and the printed lines give the interval of each threshold, and of the shares at them. Fewer than 50
occupied or 10 empty images are too few to choose by: the thresholds of `--before` are kept, by default those of the
detector that comes with the package.
"""

from __future__ import annotations

import argparse
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bioscan_etl.settings import ImageSettings
from bioscan_etl.training.script import execute, extras_of

with extras_of(__name__):
    import cv2

    from bioscan_etl.images.calibration import Calibration
    from bioscan_etl.images.detection import SHIPPED
    from bioscan_etl.images.networks import read_model
    from bioscan_etl.images.refined import FEATURES
    from bioscan_etl.images.trained import TrainedDetector
    from bioscan_etl.training.dataset import Annotated, read_annotations, read_pixels
    from bioscan_etl.training.evaluate import box_iou
    from bioscan_etl.training.thresholds import STEPS, Choice, Pictures, choose, described, recorded
    from bioscan_etl.training.views import VIEWS, mirrored

RULES = {"worth_a_look": 0.1, "against_best": 0.3, "most": 2, "again": 0.8}
RIDGE = 10.0  # by cross-validation: with 1, presence is predicted less well on the images left out
FOLDS = 5
RIGHT, GOOD = 0.5, 0.75  # IoU from which a box is the specimen's, and a good one

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Table:
    """Candidates of all pictures: their features, the box's IoU, the picture, and the image's fold."""

    features: Values
    iou: Values
    picture: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]
    occupied: dict[int, bool]
    """Whether there is a specimen, by picture."""


def collect(images: Path, annotated: list[Annotated], detector: TrainedDetector) -> Table:
    """Run the detector on all images in their four mirrorings."""
    rows: list[list[float]] = []
    ious: list[float] = []
    pictures: list[int] = []
    folds: list[int] = []
    occupied: dict[int, bool] = {}
    for number, image in enumerate(annotated):
        pixels = read_pixels(images, image)
        for mirroring in range(4):
            picture = 4 * number + mirroring
            seen, box = mirrored(pixels, image.box, mirroring)
            occupied[picture] = box is not None
            for look in detector.look(seen):
                features = look.features()
                rows.append([features[name] for name in FEATURES])
                ious.append(0.0 if box is None else box_iou(look.box, box))
                pictures.append(picture)
                folds.append(zlib.crc32(image.file_name[::-1].encode()) % FOLDS)
    return Table(np.array(rows), np.array(ious), np.array(pictures), np.array(folds), occupied)


def fit(features: Values, right: npt.NDArray[np.bool_]) -> tuple[Values, float]:
    """Weights and offset of a ridge logistic regression, by Newton's method, on the scale of the features."""
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-9
    design = np.hstack([(features - mean) / deviation, np.ones((len(features), 1))])
    ridge = np.eye(design.shape[1]) * RIDGE * 4  # four mirrorings are one image
    ridge[-1, -1] = 1e-6
    weights = np.zeros(design.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-design @ weights))
        gradient = design.T @ (chance - right) + ridge @ weights
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + ridge
        weights -= np.linalg.solve(curvature, gradient)
    scaled = weights[:-1] / deviation
    return scaled, float(weights[-1] - scaled @ mean)


def chances(features: Values, weights: Values, offset: float) -> Values:
    """Probabilities that a regression gives for candidates."""
    result: Values = 1 / (1 + np.exp(-(features @ weights + offset)))
    return result


def crossed(features: Values, right: npt.NDArray[np.bool_], fold: npt.NDArray[np.int64]) -> Values:
    """Probability of each candidate by a regression that was fitted to the other folds."""
    found = np.zeros(len(right))
    for number in range(FOLDS):
        weights, offset = fit(features[fold != number], right[fold != number])
        found[fold == number] = chances(features[fold == number], weights, offset)
    return found


def judge(table: Table) -> Pictures:
    """Cross-validated scores of each picture; 0 if it has no candidate."""
    confidences = crossed(table.features, table.iou >= GOOD, table.fold)
    best = np.full(len(table.occupied), -1)
    for place, picture in enumerate(table.occupied):
        rows = np.flatnonzero(table.picture == picture)
        if rows.size:
            best[place] = rows[np.argmax(confidences[rows])]
    occupied, some = np.array(list(table.occupied.values())), best >= 0
    image = np.array(list(table.occupied)) // VIEWS
    confidence, presence, right = np.zeros(len(best)), np.zeros(len(best)), np.zeros(len(best), np.bool_)
    confidence[some] = confidences[best[some]]
    presence[some] = crossed(table.features[best[some]], occupied[some], table.fold[best[some]])
    right[some] = table.iou[best[some]] >= RIGHT
    return Pictures(image, occupied, best, confidence, presence, right)


def plot(path: Path, pictures: Pictures, chosen: Choice) -> None:
    """The curves that the thresholds were chosen by, and the thresholds with their intervals."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    bare, full = pictures.presence[~pictures.occupied], pictures.presence[pictures.occupied]
    confidence, right = pictures.confidence, pictures.right
    figure, axes = pyplot.subplots(figsize=(7.2, 3.6), dpi=100)
    axes.plot(STEPS, [(bare < step).mean() for step in STEPS], color="#666666", label="empty dishes reported empty")
    axes.plot(STEPS, [(full < step).mean() for step in STEPS], color="#b2182b", label="occupied dishes reported empty")
    above = [right[confidence >= step].mean() if (confidence >= step).any() else np.nan for step in STEPS]
    axes.plot(STEPS, above, color="#2166ac", label="boxes above it that are right (IoU 0.5)")
    named = {"empty_confidence": (chosen.empty, 0.4), "min_confidence": (chosen.sure, 0.22)}
    for name, (threshold, height) in named.items():
        axes.axvline(threshold.value, color="black", linewidth=0.8, linestyle=":")
        axes.plot([threshold.low, threshold.high], [height, height], color="black", linewidth=0.8, marker="|")
        axes.text(threshold.value + 0.01, height + 0.02, f"{name}\n{threshold}", fontsize=8)
    axes.set_xlabel("presence (grey, red), confidence (blue); bars: 95 % intervals of the thresholds")
    axes.set_ylabel("share")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.legend(fontsize=8, loc="center right", bbox_to_anchor=(1, 0.66))
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)


def main() -> None:
    """Fit, choose, write and print the choice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--before",
        type=Path,
        default=SHIPPED / "calibration.json",
        help="calibration.json whose thresholds are kept if there are too few images to choose others by",
    )
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    target = arguments.folder / "calibration.json"
    # Before the next line, which may overwrite it.
    before = Calibration.parse(
        read_model(arguments.before).decode("utf-8", "replace"), str(arguments.before)
    ).thresholds
    nothing = np.zeros(len(FEATURES)), 0.0
    _write(target, nothing, nothing, {"empty_confidence": 0.0, "min_confidence": 0.0})
    detector = TrainedDetector(ImageSettings(), arguments.folder)
    table = collect(arguments.images, read_annotations(arguments.annotations, "calibration"), detector)
    pictures = judge(table)
    chosen = choose(pictures, (before.empty, before.sure))
    best = pictures.best[pictures.best >= 0]
    presence = fit(table.features[best], pictures.occupied[pictures.best >= 0])
    thresholds = {"empty_confidence": chosen.empty.value, "min_confidence": chosen.sure.value}
    _write(target, fit(table.features, table.iou >= GOOD), presence, thresholds | {"chosen": recorded(chosen)})
    if arguments.plot is not None:
        plot(arguments.plot, pictures, chosen)
    print(f"{len(table.iou)} candidates in {len(pictures.image)} pictures")
    for line in described(chosen):
        print(line)
    print(f"-> {target}")


def _write(
    target: Path, confidence: tuple[Values, float], presence: tuple[Values, float], chosen: dict[str, Any]
) -> None:
    values: dict[str, Any] = {"made_by": "bioscan_etl.training.calibrate"}
    for name, (weights, offset) in (("confidence", confidence), ("presence", presence)):
        named = {feature: round(float(value), 5) for feature, value in zip(FEATURES, weights, strict=True)}
        values[name] = {"weights": named, "offset": round(offset, 5)}
    target.write_text(json.dumps(values | chosen | RULES, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    execute(main)
