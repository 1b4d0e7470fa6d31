"""Fit the confidence of the trained detector and choose the thresholds, on the part `calibration`.

    python -m bioscan_etl.training.calibrate IMAGES ANNOTATIONS.coco.json FOLDER [--plot PLOT.png]

FOLDER is the one that `export` wrote; it gets `calibration.json`. The networks have not learnt from the images used
here, and the validation part is not used.

Two logistic regressions over the scores of both networks are fitted. The confidence predicts whether a candidate's box
has an IoU of at least 0.75 with the specimen's. The presence predicts, from the most confident candidate of a picture,
whether there is a specimen. Each image counts in its four mirrorings.

The thresholds are chosen by five-fold cross-validation, so that no image judges itself. `empty_confidence` is the
highest threshold at which 1 % of occupied wells are reported empty. (The project allows 3 %, but figures from so few
images are too good.) It is low because a lost specimen is the worse mistake: a curator sees an empty well that is
taken for occupied. `min_confidence` is the lowest threshold above which nine of ten boxes are right (IoU 0.5).
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

    from bioscan_etl.images.refined import FEATURES
    from bioscan_etl.images.trained import TrainedDetector
    from bioscan_etl.training.dataset import Annotated, Image, read_annotations, read_pixels
    from bioscan_etl.training.evaluate import box_iou

RULES = {"worth_a_look": 0.1, "against_best": 0.3, "most": 2, "again": 0.8}
RIDGE = 10.0  # by cross-validation: with 1, presence is predicted less well on the images left out
FOLDS = 5
RIGHT, GOOD = 0.5, 0.75  # IoU from which a box is the specimen's, and a good one
OCCUPIED_MISSED = 0.0105  # one of 96 occupied images here; other images have three times as many, and 0.03 is allowed
SURE = 0.9  # share of right boxes above min_confidence
LEAST = 8  # pictures above it
STEPS = np.round(np.arange(0.02, 0.96, 0.01), 2)

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
            seen, box = _mirrored(pixels, image.box, mirroring)
            occupied[picture] = box is not None
            for look in detector.look(seen):
                features = look.features()
                rows.append([features[name] for name in FEATURES])
                ious.append(0.0 if box is None else box_iou(look.box, box))
                pictures.append(picture)
                folds.append(zlib.crc32(image.file_name[::-1].encode()) % FOLDS)
    return Table(np.array(rows), np.array(ious), np.array(pictures), np.array(folds), occupied)


def _mirrored(
    pixels: Image, box: tuple[float, float, float, float] | None, mirroring: int
) -> tuple[Image, tuple[float, float, float, float] | None]:
    height, width = pixels.shape[:2]
    if mirroring & 1:
        pixels = pixels[:, ::-1]
        box = None if box is None else (width - box[2], box[1], width - box[0], box[3])
    if mirroring & 2:
        pixels = pixels[::-1]
        box = None if box is None else (box[0], height - box[3], box[2], height - box[1])
    return np.ascontiguousarray(pixels), box


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


@dataclass(frozen=True, slots=True)
class Pictures:
    """For each picture: whether there is a specimen, the best candidate (-1: none), and its cross-validated scores."""

    occupied: npt.NDArray[np.bool_]
    best: npt.NDArray[np.int64]
    confidence: Values
    presence: Values
    right: npt.NDArray[np.bool_]


def judge(table: Table) -> Pictures:
    """Cross-validated scores of each picture; 0 if it has no candidate."""
    confidences = crossed(table.features, table.iou >= GOOD, table.fold)
    best = np.full(len(table.occupied), -1)
    for place, picture in enumerate(table.occupied):
        rows = np.flatnonzero(table.picture == picture)
        if rows.size:
            best[place] = rows[np.argmax(confidences[rows])]
    occupied, some = np.array(list(table.occupied.values())), best >= 0
    confidence, presence, right = np.zeros(len(best)), np.zeros(len(best)), np.zeros(len(best), np.bool_)
    confidence[some] = confidences[best[some]]
    presence[some] = crossed(table.features[best[some]], occupied[some], table.fold[best[some]])
    right[some] = table.iou[best[some]] >= RIGHT
    return Pictures(occupied, best, confidence, presence, right)


def choose(pictures: Pictures) -> tuple[float, float]:
    """`empty_confidence` and `min_confidence`."""
    full = pictures.presence[pictures.occupied]
    empty = float(max(step for step in STEPS if (full < step).mean() <= OCCUPIED_MISSED or step == STEPS[0]))
    kept = pictures.presence >= empty
    confidence, right = pictures.confidence[kept], pictures.right[kept]
    # Not a threshold with few boxes above it: a share of five boxes says nothing.
    sure = [step for step in STEPS if (confidence >= step).sum() >= LEAST and right[confidence >= step].mean() >= SURE]
    return empty, float(sure[0]) if sure else float(STEPS[-1])


def plot(path: Path, pictures: Pictures, chosen: tuple[float, float]) -> None:
    """The curves that the thresholds were chosen by."""
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
    for value, name, height in zip(chosen, ("empty_confidence", "min_confidence"), (0.5, 0.35), strict=True):
        axes.axvline(value, color="black", linewidth=0.8, linestyle=":")
        axes.text(value + 0.01, height, f"{name}\n{value:.2f}", fontsize=8)
    axes.set_xlabel("presence (grey, red), confidence (blue)")
    axes.set_ylabel("share")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.legend(fontsize=8, loc="center right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})


def main() -> None:
    """Fit, choose, write and print the choice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    target = arguments.folder / "calibration.json"
    nothing = np.zeros(len(FEATURES)), 0.0
    _write(target, nothing, nothing, (0.0, 0.0))
    detector = TrainedDetector(ImageSettings(), arguments.folder)
    table = collect(arguments.images, read_annotations(arguments.annotations, "calibration"), detector)
    pictures = judge(table)
    chosen = choose(pictures)
    best = pictures.best[pictures.best >= 0]
    presence = fit(table.features[best], pictures.occupied[pictures.best >= 0])
    _write(target, fit(table.features, table.iou >= GOOD), presence, chosen)
    if arguments.plot is not None:
        plot(arguments.plot, pictures, chosen)
    empty, above = pictures.presence < chosen[0], pictures.confidence >= chosen[1]
    print(f"{len(table.iou)} candidates in {len(empty)} pictures of {len(empty) // 4} images")
    print(f"empty_confidence {chosen[0]:.2f}, min_confidence {chosen[1]:.2f}")
    print(f"empty as empty {empty[~pictures.occupied].mean():.3f}")
    print(f"occupied as empty {empty[pictures.occupied].mean():.3f}")
    print(f"right above min_confidence {pictures.right[above].mean():.3f}, {above.mean():.3f} of all")
    print(f"-> {target}")


def _write(
    target: Path,
    confidence: tuple[Values, float],
    presence: tuple[Values, float],
    thresholds: tuple[float, float],
) -> None:
    values: dict[str, Any] = {"made_by": "bioscan_etl.training.calibrate"}
    for name, (weights, offset) in (("confidence", confidence), ("presence", presence)):
        named = {feature: round(float(value), 5) for feature, value in zip(FEATURES, weights, strict=True)}
        values[name] = {"weights": named, "offset": round(offset, 5)}
    values |= dict(zip(("empty_confidence", "min_confidence"), thresholds, strict=True)) | RULES
    target.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    execute(main)
