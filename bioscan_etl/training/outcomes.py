"""What a detector made of annotated images, one row a picture, and the figures over such rows.

Belongs here: COCO's precision and recall, the shares of empty and of occupied images reported empty, all of them with a
weight for each picture. Does not belong here: the intervals around them (`intervals`), the run of a detector
(`evaluate`).

A figure takes weights (draws, pictures) and returns one value a draw, so that thousands of resampled sets of images are
measured at once. A weight says how often a picture is in the set. COCO's rules hold as they are for images with one
specimen and one box at most; a test compares with pycocotools.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bioscan_etl.images.measure import area, overlap

if TYPE_CHECKING:
    from bioscan_etl.images.detection import Detection
    from bioscan_etl.training.dataset import Annotated

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SIZES = {"all": (0.0, 1.0), "small": (0.0, 0.01), "medium": (0.01, 0.05), "large": (0.05, 1.0)}
"""Area of the specimen's box as a share of the image: all specimens, and three groups of them."""

IOUS = np.linspace(0.5, 0.95, 10)  # the thresholds of AP and AR (COCO)
_RECALLS = np.linspace(0.0, 1.0, 101)  # where precision is read off (COCO)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Arrays (pictures,) of what was annotated and what was found.

    Attributes:
        image: number of the image that a picture shows, from 0; the views of an image have the same.
        occupied: a specimen is annotated.
        share: of the picture's area that its box takes; 0 without one.
        boxed: a box was found.
        found_share: of the picture's area that the found box takes; 0 without one.
        confidence: of the found box, 0 to 1.
        iou: of the found box and the annotated one; 0 where one of them is missing.
        empty: the status is `empty`.
        unsure: the status is `low_confidence`: the picture is sent to a person.
        presence: probability of a specimen that the detector gives, 0 to 1.
    """

    image: npt.NDArray[np.int64]
    occupied: Flags
    share: Values
    boxed: Flags
    found_share: Values
    confidence: Values
    iou: Values
    empty: Flags
    unsure: Flags
    presence: Values

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.image)

    def is_of(self, size: str) -> Flags:
        """Which pictures have a specimen of a size (`SIZES`)."""
        low, high = SIZES[size]
        return self.occupied & (self.share >= low) & (self.share <= high)

    def only(self, kept: Flags | npt.NDArray[np.int64]) -> Outcomes:
        """The pictures that `kept` marks (pictures,) or names by their places, with their images numbered anew."""
        parts = {field.name: getattr(self, field.name)[kept] for field in fields(self)}
        parts["image"] = np.unique(parts["image"], return_inverse=True)[1].astype(np.int64)
        return Outcomes(**parts)


def outcomes_of(
    annotated: Sequence[Annotated], detections: Sequence[Detection], image: Sequence[int] | None = None
) -> Outcomes:
    """Compare detections with what is annotated.

    Args:
        annotated: the pictures; views of an image are pictures of their own.
        detections: one for each picture, in the same order.
        image: the number of the image that each picture shows; without it each shows its own.

    Raises:
        ValueError: there is not one detection, and one number, for each picture.
    """
    numbers = range(len(annotated)) if image is None else image
    rows = [
        (
            number,
            one.box is not None,
            0.0 if one.box is None else share_of(one),
            got.box is not None,
            0.0 if got.box is None else area(got.box) / (one.size[0] * one.size[1]),
            got.confidence,
            0.0 if one.box is None or got.box is None else overlap(one.box, got.box),
            got.status == "empty",
            got.status == "low_confidence",
            got.presence,
        )
        for number, one, got in zip(numbers, annotated, detections, strict=True)
    ]
    kinds = (*(np.int64, np.bool_, np.float64, np.bool_), *(np.float64,) * 3, *(np.bool_,) * 2, np.float64)
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    parts: list[Any] = [np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    return Outcomes(*parts).only(np.ones(len(rows), np.bool_))


def share_of(image: Annotated) -> float:
    """Share of an occupied image that its specimen's box takes."""
    assert image.box is not None
    return area(image.box) / (image.size[0] * image.size[1])


def once(outcomes: Outcomes) -> Values:
    """Weights (1, pictures) of the pictures as they are."""
    return np.ones((1, len(outcomes)))


def average_precision(outcomes: Outcomes, weights: Values, iou: float = 0.75, size: str = "all") -> Values:
    """AP at one IoU threshold (draws,), of the specimens of one size; NaN in a draw without such a specimen.

    As in COCO, a box of another size is not counted unless it is a specimen's of this size.
    """
    low, high = SIZES[size]
    order = np.argsort(-outcomes.confidence[outcomes.boxed], kind="stable")
    rows = np.flatnonzero(outcomes.boxed)[order]
    within = (outcomes.share[rows] >= low) & (outcomes.share[rows] <= high)
    of_the_size = (outcomes.found_share[rows] >= low) & (outcomes.found_share[rows] <= high)
    matched = outcomes.occupied[rows] & (outcomes.iou[rows] >= iou)
    right = np.cumsum(weights[:, rows] * (matched & within), axis=1)
    wrong = np.cumsum(weights[:, rows] * (~matched & of_the_size), axis=1)
    precision = right / np.maximum(right + wrong, np.spacing(1))
    # The best precision at this recall or a higher one, and none where the recall is not reached.
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    best = np.hstack([best, np.zeros((len(weights), 1))])
    specimens = weights @ outcomes.is_of(size)
    found = np.full(len(weights), np.nan)
    for draw in np.flatnonzero(specimens > 0):
        found[draw] = best[draw, np.searchsorted(right[draw] / specimens[draw], _RECALLS)].mean()
    return found


def average_recall(outcomes: Outcomes, weights: Values, size: str = "all") -> Values:
    """AR at IoU 0.50:0.95 (draws,), of the specimens of one size; NaN in a draw without such a specimen."""
    wanted = outcomes.is_of(size)
    reached = (outcomes.iou[:, None] >= IOUS).mean(axis=1) * outcomes.boxed
    return _share(weights @ (reached * wanted), weights @ wanted)


def empty_found(outcomes: Outcomes, weights: Values) -> Values:
    """Share of the empty pictures that are reported empty (draws,); NaN in a draw without one."""
    return _share(weights @ (~outcomes.occupied & outcomes.empty), weights @ ~outcomes.occupied)


def occupied_lost(outcomes: Outcomes, weights: Values) -> Values:
    """Share of the occupied pictures that are reported empty (draws,); NaN in a draw without one."""
    return _share(weights @ (outcomes.occupied & outcomes.empty), weights @ outcomes.occupied)


def sent_to_a_person(outcomes: Outcomes, weights: Values) -> Values:
    """Share of all pictures that have the status `low_confidence` (draws,)."""
    return _share(weights @ outcomes.unsure, weights @ np.ones(len(outcomes)))


def empty_found_or_sent(outcomes: Outcomes, weights: Values) -> Values:
    """Share of the empty pictures that are reported empty or sent to a person (draws,); NaN in a draw without one."""
    return _share(weights @ (~outcomes.occupied & (outcomes.empty | outcomes.unsure)), weights @ ~outcomes.occupied)


def _share(part: Values, whole: Values) -> Values:
    found: Values = np.full(len(whole), np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found


Figure = Callable[[Outcomes, Values], Values]

FIGURES: dict[str, Figure] = {
    "AP75": average_precision,
    "AR": average_recall,
    "empty_as_empty": empty_found,
    "occupied_as_empty": occupied_lost,
}
"""The figures that detectors are compared by; all but `occupied_as_empty` are better if they are higher."""

REVIEW: dict[str, Figure] = {"empty_as_empty_or_sent": empty_found_or_sent, "sent": sent_to_a_person}
"""What is reached if a person looks at the pictures of the status `low_confidence`, and how many these are."""


def figures_of_size(size: str) -> dict[str, Figure]:
    """AP at IoU 0.75 and AR of the specimens of one size (`SIZES`)."""
    return {"AP75": partial(average_precision, size=size), "AR": partial(average_recall, size=size)}
