"""Fit the confidence of the trained detector and choose the thresholds, on the part `calibration`.

    python detector/calibrate.py IMAGES ANNOTATIONS.coco.json FOLDER [--plot PLOT.png]

FOLDER is that of `export.py`; it gets `calibration.json`. The networks have never seen the images used here,
and the part `validation` stays out of it.

The confidence is a logistic regression over what both networks say of a candidate; it is fitted to whether the
box overlaps the specimen's by half at least. Each image counts in its four mirrorings. The thresholds are
chosen by confidences that five-fold cross-validation gives, where no image speaks about itself:
`empty_confidence` as high as it may be while 3 % of occupied dishes, which the project allows, are reported empty: a
lost specimen is the worse mistake, and empty dishes that are taken for occupied are seen by a curator; `min_confidence`
where seventeen of twenty boxes above it are right.
"""

from __future__ import annotations

import argparse
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from dataset import Annotated, Image, read_annotations, read_pixels
from evaluate import box_iou

from bioscan_etl.images.trained import FEATURES, TrainedDetector
from bioscan_etl.settings import ImageSettings

RULES = {"worth_a_look": 0.1, "against_best": 0.3, "most": 2, "again": 1.0}
RIDGE = 1.0
FOLDS = 5
RIGHT = 0.5  # IoU from which a box is right
OCCUPIED_MISSED = 0.03  # what the project allows
SURE = 0.85  # share of right boxes above min_confidence
STEPS = np.round(np.arange(0.02, 0.96, 0.01), 2)

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Table:
    """Candidates of all pictures: their features, whether the box is right, the picture, and the image's fold."""

    features: Values
    right: npt.NDArray[np.bool_]
    picture: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]
    occupied: dict[int, bool]
    """Whether there is a specimen, by picture."""


def collect(images: Path, annotated: list[Annotated], detector: TrainedDetector) -> Table:
    """Look at all images in their four mirrorings."""
    rows: list[list[float]] = []
    right: list[bool] = []
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
                right.append(box is not None and box_iou(look.box, box) >= RIGHT)
                pictures.append(picture)
                folds.append(zlib.crc32(image.file_name[::-1].encode()) % FOLDS)
    return Table(np.array(rows), np.array(right), np.array(pictures), np.array(folds), occupied)


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
    """Confidences."""
    result: Values = 1 / (1 + np.exp(-(features @ weights + offset)))
    return result


def best_of_pictures(table: Table, confidences: Values) -> tuple[Values, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Of each picture the highest confidence, whether that box is right, and whether there is a specimen."""
    tops, right, occupied = [], [], []
    for picture, there in table.occupied.items():
        rows = np.flatnonzero(table.picture == picture)
        top = rows[np.argmax(confidences[rows])] if rows.size else None
        tops.append(0.0 if top is None else float(confidences[top]))
        right.append(top is not None and bool(table.right[top]))
        occupied.append(there)
    return np.array(tops), np.array(right), np.array(occupied)


def choose(tops: Values, right: npt.NDArray[np.bool_], occupied: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """`empty_confidence` and `min_confidence`."""
    full = tops[occupied]
    empty = float(max(step for step in STEPS if (full < step).mean() <= OCCUPIED_MISSED or step == STEPS[0]))
    sure = [step for step in STEPS if step > empty and right[tops >= step].mean() >= SURE]
    return empty, float(sure[0]) if sure else float(STEPS[-1])


def plot(path: Path, tops: Values, right: Any, occupied: Any, chosen: tuple[float, float]) -> None:
    """The curves that the thresholds were chosen by."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    bare, full = tops[~occupied], tops[occupied]
    figure, axes = pyplot.subplots(figsize=(7.2, 3.6), dpi=100)
    axes.plot(STEPS, [(bare < step).mean() for step in STEPS], color="#666666", label="empty dishes reported empty")
    axes.plot(STEPS, [(full < step).mean() for step in STEPS], color="#b2182b", label="occupied dishes reported empty")
    above = [right[tops >= step].mean() if (tops >= step).any() else np.nan for step in STEPS]
    axes.plot(STEPS, above, color="#2166ac", label="boxes above it that are right (IoU 0.5)")
    for value, name in zip(chosen, ("empty_confidence", "min_confidence"), strict=True):
        axes.axvline(value, color="black", linewidth=0.8, linestyle=":")
        axes.text(value + 0.01, 0.5, f"{name}\n{value:.2f}", fontsize=8)
    axes.set_xlabel("confidence")
    axes.set_ylabel("share")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.legend(fontsize=8, loc="center right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})


def main() -> None:
    """Fit, choose, write and say what was chosen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    target = arguments.folder / "calibration.json"
    start: dict[str, Any] = {"weights": dict.fromkeys(FEATURES, 0.0), "offset": 0.0, **RULES}
    target.write_text(json.dumps(start), encoding="utf-8")
    detector = TrainedDetector(ImageSettings(), arguments.folder)
    table = collect(arguments.images, read_annotations(arguments.annotations, "calibration"), detector)
    crossed = np.zeros(len(table.right))
    for fold in range(FOLDS):
        weights, offset = fit(table.features[table.fold != fold], table.right[table.fold != fold])
        crossed[table.fold == fold] = chances(table.features[table.fold == fold], weights, offset)
    tops, right, occupied = best_of_pictures(table, crossed)
    chosen = choose(tops, right, occupied)
    weights, offset = fit(table.features, table.right)
    named = {name: round(float(value), 5) for name, value in zip(FEATURES, weights, strict=True)}
    values = {"made_by": "detector/calibrate.py", "weights": named, "offset": round(offset, 5), **RULES}
    target.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    if arguments.plot is not None:
        plot(arguments.plot, tops, right, occupied, chosen)
    print(f"{len(table.right)} candidates in {len(tops)} pictures of {len(tops) // 4} images")
    print(f"empty_confidence {chosen[0]:.2f}, min_confidence {chosen[1]:.2f}")
    print(f"empty as empty {(tops[~occupied] < chosen[0]).mean():.3f}")
    print(f"occupied as empty {(tops[occupied] < chosen[0]).mean():.3f}")
    print(f"right above min_confidence {right[tops >= chosen[1]].mean():.3f}, {(tops >= chosen[1]).mean():.3f} of all")
    print(f"-> {target}")


if __name__ == "__main__":
    main()
