"""The images of which a tuned detector says something else than the current one: those that became worse, and better.

Belongs here: what counts as a change of one image, and its words. Does not belong here: whether the detector may be
used (`comparison`), and the pictures (`changes_page`).

An occupied image is lost (reported empty), has a wrong box, or a right one (IoU 0.75 with the annotated box). An empty
one is reported empty or not. Images are taken as they are, not mirrored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bioscan_etl.images.detection import Detection
from bioscan_etl.images.measure import FloatBox, overlap
from bioscan_etl.training.dataset import Annotated

RIGHT = 0.75
"""IoU from which a box is right, that of AP(0.75)."""
_LOST, _WRONG, _RIGHT = range(3)
_WORDS = {
    # (occupied, before, after), in the order in which they are shown: the worse mistakes first.
    (True, _RIGHT, _LOST): "right box before, reported empty now",
    (True, _WRONG, _LOST): "found before, reported empty now",
    (True, _RIGHT, _WRONG): "right box before, wrong box now",
    (False, _RIGHT, _WRONG): "empty before, not reported empty now",
    (True, _LOST, _RIGHT): "reported empty before, right box now",
    (True, _LOST, _WRONG): "reported empty before, found now",
    (True, _WRONG, _RIGHT): "wrong box before, right box now",
    (False, _WRONG, _RIGHT): "not reported empty before, empty now",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What a detector says of an image: status, box, and the box's IoU with the annotated one; None where missing."""

    status: str
    box: FloatBox | None
    iou: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """An image that became worse or better.

    Attributes:
        image: as annotated.
        before: what the current detector says.
        after: what the tuned one says.
        what: in words.
        worse: whether it became worse; else better.
    """

    image: Annotated
    before: Found
    after: Found
    what: str
    worse: bool


def changes(
    truth: Sequence[Annotated], before: Sequence[Detection], after: Sequence[Detection]
) -> tuple[list[Change], list[Change]]:
    """The images that became worse, and those that became better; the worst mistakes first.

    Args:
        truth: the annotated images.
        before: what the current detector found, one for each image.
        after: what the tuned one found.
    """
    places = list(_WORDS.values())
    found = []
    for image, one, other in zip(truth, before, after, strict=True):
        was, now = _rank(image, one), _rank(image, other)
        if was != now:
            words = _WORDS[image.box is not None, was, now]
            found.append(Change(image, _found(image, one), _found(image, other), words, now < was))
    found.sort(key=lambda change: (places.index(change.what), _gain(change), change.image.file_name))
    return [change for change in found if change.worse], [change for change in found if not change.worse]


def _rank(image: Annotated, detection: Detection) -> int:
    empty = detection.status == "empty"
    if image.box is None:
        return _RIGHT if empty else _WRONG
    if empty:
        return _LOST
    return _RIGHT if detection.box is not None and overlap(image.box, detection.box) >= RIGHT else _WRONG


def _found(image: Annotated, detection: Detection) -> Found:
    box = detection.box
    return Found(detection.status, box, None if box is None or image.box is None else overlap(image.box, box))


def _gain(change: Change) -> float:
    """What the box's IoU gained; of those that became worse the largest loss comes first, else the largest gain."""
    gain = (change.after.iou or 0.0) - (change.before.iou or 0.0)
    return gain if change.worse else -gain


def listed(found: Sequence[Change]) -> list[dict[str, object]]:
    """Changes as they are written to `evaluation.json`."""
    return [
        {
            "file_name": change.image.file_name,
            "what": change.what,
            "current": {"status": change.before.status, "iou": _rounded(change.before.iou)},
            "tuned": {"status": change.after.status, "iou": _rounded(change.after.iou)},
        }
        for change in found
    ]


def _rounded(iou: float | None) -> float | None:
    return None if iou is None else round(iou, 3)
