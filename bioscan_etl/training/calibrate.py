"""Fit the scores of the trained detector and choose its thresholds.

    python -m bioscan_etl.training.calibrate IMAGES ANNOTATIONS.coco.json FOLDER [--triage TRIAGE.csv] [--parts PART...]
        [--before CALIBRATION.json] [--plot PLOT.png]

FOLDER is the one that `export` wrote; it gets `calibration.json`. If it holds `expert.onnx`, the expert is asked about
doubtful candidates. By default the part `calibration` is used, whose images no network has learnt from. `--parts
training calibration` uses more images; do so only with networks that are no better on the images they learnt from. The
validation part is never used. With a second triage, only agreed labels are, and for the presence also images whose
specimen is outlined and was left unsorted: a detector must not report them empty.

Two logistic regressions over the scores of the networks are fitted. The confidence predicts whether a candidate's box
has an IoU of at least 0.75 with the specimen's. The presence predicts, from the most confident candidate of a picture,
whether there is a specimen. Two more do the same for doubtful candidates, over more features (`calibration`). Each
image counts in its four mirrorings.

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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bioscan_etl.settings import ImageSettings
from bioscan_etl.training.script import execute, extras_of

with extras_of(__name__):
    import cv2

    from bioscan_etl.images.calibration import Calibration, appeal_features
    from bioscan_etl.images.contrast import blur_at_the_wall
    from bioscan_etl.images.detection import SHIPPED
    from bioscan_etl.images.measure import overlap
    from bioscan_etl.images.networks import read_model
    from bioscan_etl.images.refined import FEATURES
    from bioscan_etl.images.trained import TrainedDetector, lit_pair
    from bioscan_etl.training.dataset import LEARNABLE, Annotated, read_annotations, read_pixels
    from bioscan_etl.training.labels import may_be_seen
    from bioscan_etl.training.thresholds import STEPS, Choice, Pictures, choose, described, recorded
    from bioscan_etl.training.views import VIEWS, mirrored

RULES = {"worth_a_look": 0.1, "against_best": 0.3, "most": 2, "again": 0.8}
RIDGE = 10.0  # by cross-validation: with 1, presence is predicted less well on the images left out
FOLDS = 5
APPEAL = 0.8  # confidence below which candidates are judged again
RIGHT, GOOD = 0.5, 0.75  # IoU from which a box is the specimen's, and a good one

THRESHOLDS = ("empty_confidence", "min_confidence", "doubtful_presence")

Values = npt.NDArray[np.float64]
Fitted = tuple[Values, float]
"""Weights and offset of a regression."""


@dataclass(frozen=True, slots=True)
class Table:
    """Candidates of all pictures, (n, ...).

    Attributes:
        features: `FEATURES`.
        iou: of the refiner's box with the specimen's.
        again: `calibration.appeal_features`.
        iou_again: of the box that is used after an appeal.
        picture: that shows the candidate.
        fold: of its image.
        occupied: whether there is a specimen, by picture.
        agreed: whether that is agreed, by picture. Of the others, a specimen may be seen (`labels.may_be_seen`): they
            count for the presence alone.
        blur: whether a candidate is a blur at the wall.
    """

    features: Values
    iou: Values
    again: Values
    iou_again: Values
    picture: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]
    occupied: dict[int, bool]
    agreed: dict[int, bool]
    blur: npt.NDArray[np.bool_]


def collect(images: Path, annotated: Sequence[Annotated], detector: TrainedDetector) -> Table:
    """Run the detector on all images in their four mirrorings, and judge each candidate twice."""
    rows: list[list[float]] = []
    again: list[list[float]] = []
    ious: list[tuple[float, float]] = []
    pictures: list[int] = []
    folds: list[int] = []
    occupied: dict[int, bool] = {}
    agreed: dict[int, bool] = {}
    blurs: list[bool] = []
    names = appeal_features(expert=detector.expert is not None)
    for number, image in enumerate(annotated):
        pixels = read_pixels(images, image)
        for mirroring in range(VIEWS):
            picture = VIEWS * number + mirroring
            seen, box = mirrored(pixels, image.box, mirroring)
            occupied[picture] = box is not None
            agreed[picture] = image.agreed
            lit, half = lit_pair(seen, None)
            for look in detector.look(lit, half):
                found, features = detector.appeal(lit, half, look)
                rows.append([features[name] for name in FEATURES])
                again.append([features[name] for name in names])
                blurs.append(blur_at_the_wall(features))
                boxes = look.box, found.box
                ious.append((0.0, 0.0) if box is None else (overlap(boxes[0], box), overlap(boxes[1], box)))
                pictures.append(picture)
                folds.append(zlib.crc32(image.file_name[::-1].encode()) % FOLDS)
    first, second = np.array(ious).reshape(-1, 2).T
    return Table(
        np.array(rows),
        first,
        np.array(again),
        second,
        np.array(pictures),
        np.array(folds),
        occupied,
        agreed,
        np.array(blurs),
    )


def fit(features: Values, right: npt.NDArray[np.bool_]) -> Fitted:
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


def crossed(
    features: Values,
    right: npt.NDArray[np.bool_],
    fold: npt.NDArray[np.int64],
    counted: npt.NDArray[np.bool_] | None = None,
) -> Values:
    """Probability of each candidate by a regression that was fitted to the other folds, of those that are counted."""
    learnt = np.ones(len(right), np.bool_) if counted is None else counted
    found = np.zeros(len(right))
    for number in range(FOLDS):
        others = (fold != number) & learnt
        weights, offset = fit(features[others], right[others])
        found[fold == number] = chances(features[fold == number], weights, offset)
    return found


@dataclass(frozen=True, slots=True)
class Judgement:
    """One of the two ways to judge: cross-validated scores of each picture, and the regressions over all.

    Attributes:
        confidence: of the most confident candidate of each picture; 0 without one.
        presence: of the picture; 0 without a candidate.
        right: whether that candidate's box is the specimen's (IoU 0.5).
        blur: whether that candidate is a blur at the wall.
        scores: weights and offset of each regression.
    """

    confidence: Values
    presence: Values
    right: npt.NDArray[np.bool_]
    blur: npt.NDArray[np.bool_]
    scores: dict[str, Fitted]


def judgement(table: Table, features: Values, iou: Values) -> Judgement:
    """Judge all pictures by some features of the candidates, (n, m), and the IoU of their boxes, (n,)."""
    agreed = np.array([table.agreed[int(picture)] for picture in table.picture], np.bool_)
    confidences = crossed(features, iou >= GOOD, table.fold, agreed)
    best = np.full(len(table.occupied), -1)
    for place, picture in enumerate(table.occupied):
        rows = np.flatnonzero(table.picture == picture)
        if rows.size:
            best[place] = rows[np.argmax(confidences[rows])]
    occupied, some = np.array(list(table.occupied.values())), best >= 0
    confidence, presence = np.zeros(len(best)), np.zeros(len(best))
    right, blur = np.zeros(len(best), np.bool_), np.zeros(len(best), np.bool_)
    chosen = best[some]
    confidence[some] = confidences[chosen]
    presence[some] = crossed(features[chosen], occupied[some], table.fold[chosen])
    right[some], blur[some] = iou[chosen] >= RIGHT, table.blur[chosen]
    scores = {
        "confidence": fit(features[agreed], iou[agreed] >= GOOD),
        "presence": fit(features[chosen], occupied[some]),
    }
    return Judgement(confidence, presence, right, blur, scores)


def judge(table: Table) -> tuple[Pictures, Judgement, Judgement]:
    """The pictures with agreed labels and the scores that the detector gives them, and both judgements.

    Candidates are judged again where the best one's confidence is below `APPEAL`, as the detector does.
    """
    first = judgement(table, table.features, table.iou)
    second = judgement(table, table.again, table.iou_again)
    doubtful = first.confidence < APPEAL
    agreed = np.array(list(table.agreed.values()))
    image, occupied = np.array(list(table.occupied)) // VIEWS, np.array(list(table.occupied.values()))
    scores = {
        name: np.where(doubtful, getattr(second, name), getattr(first, name))[agreed]
        for name in ("confidence", "presence", "right")
    }
    pictures = Pictures(image[agreed], occupied[agreed], **scores, blur=(doubtful & second.blur)[agreed])
    return pictures, first, second


def plot(path: Path, pictures: Pictures, chosen: Choice) -> None:
    """The curves that the thresholds were chosen by, and the thresholds with their intervals."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    reported = np.array([(pictures.presence < step) & ~pictures.blur for step in STEPS])
    confidence, right = pictures.confidence, pictures.right
    figure, axes = pyplot.subplots(figsize=(7.2, 3.6), dpi=100)
    bare, full = reported[:, ~pictures.occupied].mean(axis=1), reported[:, pictures.occupied].mean(axis=1)
    axes.plot(STEPS, bare, color="#666666", label="empty dishes reported empty")
    axes.plot(STEPS, full, color="#b2182b", label="occupied dishes reported empty")
    above = [right[confidence >= step].mean() if (confidence >= step).any() else np.nan for step in STEPS]
    axes.plot(STEPS, above, color="#2166ac", label="boxes above it that are right (IoU 0.5)")
    named = {"empty_confidence": (chosen.empty, 0.4), "min_confidence": (chosen.sure, 0.22)}
    for name, (threshold, height) in named.items():
        axes.axvline(threshold.value, color="black", linewidth=0.8, linestyle=":")
        axes.plot([threshold.low, threshold.high], [height, height], color="black", linewidth=0.8, marker="|")
        axes.text(threshold.value + 0.01, height + 0.02, f"{name}\n{threshold}", fontsize=8)
    axes.axvline(chosen.doubtful, color="black", linewidth=0.8, linestyle=":")
    axes.text(chosen.doubtful - 0.01, 0.24, f"doubtful_presence\n{chosen.doubtful:.2f}", fontsize=8, ha="right")
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
    parser.add_argument("--triage", type=Path, help="second triage of the images: fit on agreed labels only")
    parser.add_argument(
        "--parts", nargs="+", choices=LEARNABLE, default=["calibration"], help="images to fit and to choose on"
    )
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    target = arguments.folder / "calibration.json"
    # Before the next line, which may overwrite it.
    before = Calibration.parse(
        read_model(arguments.before).decode("utf-8", "replace"), str(arguments.before)
    ).thresholds
    expert = (arguments.folder / "expert.onnx").exists()
    _write(target, _nothing(FEATURES), _nothing(appeal_features(expert=expert)), dict.fromkeys(THRESHOLDS, 0.0))
    detector = TrainedDetector(ImageSettings(), arguments.folder)
    annotated = [
        image
        for part in arguments.parts
        for image in read_annotations(arguments.annotations, part, arguments.triage)
        if image.agreed or may_be_seen(image.box is not None, image.triage)
    ]
    table = collect(arguments.images, annotated, detector)
    pictures, first, second = judge(table)
    chosen = choose(pictures, (before.empty, before.sure, before.doubtful))
    thresholds = dict(zip(THRESHOLDS, (chosen.empty.value, chosen.sure.value, chosen.doubtful), strict=True))
    made_from = {"parts": arguments.parts, "agreed_labels": arguments.triage is not None, "expert": expert}
    names = FEATURES, appeal_features(expert=expert)
    once, again = (_weights(judged.scores, listed) for judged, listed in zip((first, second), names, strict=True))
    _write(target, once, again, thresholds | {"made_from": made_from, "chosen": recorded(chosen)})
    if arguments.plot is not None:
        plot(arguments.plot, pictures, chosen)
    print(
        f"{len(table.iou)} candidates in {len(pictures.image)} pictures, judged again in "
        f"{(first.confidence < APPEAL).mean():.0%} of them"
    )
    for line in described(chosen):
        print(line)
    print(f"-> {target}")


def _nothing(features: Sequence[str]) -> dict[str, Any]:
    return {name: {"weights": dict.fromkeys(features, 0.0), "offset": 0.0} for name in ("confidence", "presence")}


def _weights(scores: dict[str, Fitted], features: Sequence[str]) -> dict[str, Any]:
    return {
        name: {
            "weights": {feature: round(float(value), 5) for feature, value in zip(features, weights, strict=True)},
            "offset": round(offset, 5),
        }
        for name, (weights, offset) in scores.items()
    }


def _write(target: Path, scores: dict[str, Any], again: dict[str, Any], chosen: dict[str, Any]) -> None:
    values = {"made_by": "bioscan_etl.training.calibrate"} | scores | {"appeal": {"below": APPEAL} | again}
    target.write_text(json.dumps(values | chosen | RULES, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    execute(main)
