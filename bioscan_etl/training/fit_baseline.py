"""Fit the weights of the classical baseline `segmentation` (`bioscan_etl/images/segmentation.json`).

    python -m bioscan_etl.training.fit_baseline IMAGES ANNOTATIONS.coco.json [--all] [--output FILE]

The images fall into two halves by a checksum of their names. The weights that ship were fitted on the half
`fit`, which has images of all parts of `dataset`, so every figure of that baseline is a little too good.
A candidate's target rises from 0 at IoU 0.3 with the specimen's box to 1 at IoU 0.8. Each occupied image is
used twice: as it is, and (with less weight) cut close around its specimen, so that large ones are known too.
"""

from __future__ import annotations

import argparse
import json
import random
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bioscan_etl.training.script import execute, extras_of

with extras_of(__name__):
    from bioscan_etl.images.decode import RGB, decode
    from bioscan_etl.images.measure import FloatBox, overlap
    from bioscan_etl.images.segmentation import FEATURES, candidates, weighed

MODEL = Path(__file__).resolve().parents[1] / "images" / "segmentation.json"
RIDGE = 30.0
CLOSE_UP_WEIGHT = 0.3
MAX_PIXELS = 200_000_000

Matrix = npt.NDArray[np.float64]


def half(name: str) -> str:
    """The half an image belongs to: `fit` or `held_out`."""
    return "held_out" if zlib.crc32(name.encode()) % 2 else "fit"


def read_boxes(annotations: Path) -> dict[str, FloatBox | None]:
    """The outlined specimen's box per file name; None for an empty image."""
    coco = json.loads(annotations.read_text(encoding="utf-8"))
    boxes = {entry["image_id"]: entry["bbox"] for entry in coco["annotations"]}
    found: dict[str, FloatBox | None] = {}
    for image in coco["images"]:
        box = boxes.get(image["id"])
        found[image["file_name"]] = None if box is None else (box[0], box[1], box[0] + box[2], box[1] + box[3])
    return found


def close_up(image: RGB, box: FloatBox, chance: random.Random) -> tuple[RGB, FloatBox]:
    """The image cut to a 4:3 window of which the specimen's longer side takes 30 to 80 percent."""
    height, width = image.shape[:2]
    share = chance.uniform(0.3, 0.8)
    wide = min(max((box[2] - box[0]) / share, (box[3] - box[1]) / share * 4 / 3, 96), width)
    high = min(wide * 3 / 4, height)
    x = int(min(max((box[0] + box[2] - wide) / 2, 0), width - wide))
    y = int(min(max((box[1] + box[3] - high) / 2, 0), height - high))
    window = image[y : y + int(high), x : x + int(wide)]
    return np.ascontiguousarray(window), (box[0] - x, box[1] - y, box[2] - x, box[3] - y)


def collect(images: Path, boxes: dict[str, FloatBox | None]) -> tuple[Matrix, Matrix, Matrix]:
    """Features, targets and importance of all candidates."""
    chance = random.Random(0)  # noqa: S311 - a reproducible augmentation, no secret
    features: list[tuple[float, ...]] = []
    targets: list[float] = []
    importance: list[float] = []
    for name, box in sorted(boxes.items()):
        image = decode((images / name).read_bytes(), MAX_PIXELS)
        views: list[tuple[RGB, FloatBox | None]] = [(image, box)]
        if box is not None:
            views.append(close_up(image, box, chance))
        for number, (view, wanted) in enumerate(views):
            for found in candidates(view):
                features.append(found.features)
                targets.append(0.0 if wanted is None else overlap(found.box, wanted))
                importance.append(CLOSE_UP_WEIGHT if number else 1.0)
    return np.array(features), np.clip((np.array(targets) - 0.3) / 0.5, 0, 1), np.array(importance)


def fit(values: Matrix, targets: Matrix, importance: Matrix) -> Matrix:
    """Weights and offset of a ridge logistic regression, by Newton's method."""
    design = np.hstack([values, np.ones((len(values), 1))])
    weights = np.zeros(design.shape[1])
    ridge = np.eye(weights.size) * RIDGE
    ridge[-1, -1] = 0
    for _ in range(30):
        chance = 1 / (1 + np.exp(-design @ weights))
        gradient = design.T @ (importance * (chance - targets)) + ridge @ weights
        curvature = (design * (importance * chance * (1 - chance))[:, None]).T @ design + ridge
        weights -= np.linalg.solve(curvature, gradient)
    return weights


def main() -> None:
    """Fit and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--all", action="store_true", help="fit on both halves; nothing is left to measure with")
    parser.add_argument("--output", type=Path, default=MODEL)
    arguments = parser.parse_args()
    boxes = {
        name: box for name, box in read_boxes(arguments.annotations).items() if arguments.all or half(name) == "fit"
    }
    features, targets, importance = collect(arguments.images, boxes)
    mean, deviation = features.mean(axis=0).round(6), features.std(axis=0).round(6)
    deviation[deviation == 0] = 1.0  # the same in all images: of no weight
    weights = fit(weighed(features, mean, deviation), targets, importance)
    model = {
        "fitted_by": "bioscan_etl.training.fit_baseline",
        "images": len(boxes),
        "candidates": len(features),
        "features": list(FEATURES),
        "mean": mean.tolist(),
        "deviation": deviation.tolist(),
        "weights": weights[:-1].round(6).tolist(),
        "offset": round(float(weights[-1]), 6),
    }
    arguments.output.write_text(json.dumps(model) + "\n", encoding="utf-8")
    print(f"{len(boxes)} images, {len(features)} candidates -> {arguments.output}")


if __name__ == "__main__":
    execute(main)
