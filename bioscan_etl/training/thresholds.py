"""The thresholds of the trained detector, chosen so that no single image decides, with their intervals.

Belongs here: which thresholds cross-validated scores support, and how sure that is. Does not belong here: how the
scores come about (`calibrate`), and what a status means (`bioscan_etl.images.detection`).

The pictures of an image (its mirrorings) are one image: it counts by the mean over them. The rules for one set of
images:

- `empty_confidence` is the highest threshold at which 1 % of occupied images are reported empty. (The project allows
  more, but figures from so few images are too good.) It is low because a lost specimen is the worse mistake: a curator
  sees an empty well that is taken for occupied.
- `min_confidence` is the lowest threshold above which nine of ten boxes are right (IoU 0.5).

Applied once, the first rule lets one image decide: among a hundred images the least certain one sets the threshold. So
both are applied to many draws of the images with replacement (the bootstrap), and the choices of the draws decide. Of
`empty_confidence` it is their mean (bagging: Breiman 1996), of `min_confidence`, which no single image dominates, their
median. The interval of a threshold holds 95 % of them. On the 96 occupied images of our calibration part, one more
mirrored picture that is lost changed the first rule itself from 0.37 to 0.13, the median of the draws likewise, and
their mean from 0.40 to 0.32 at most.

Below `FEWEST` images the draws say no more than the images, and the thresholds of another detector are kept: those of
the one that a tuning started from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioscan_etl.training.intervals import Interval

OCCUPIED_MISSED = 0.0105  # 1 %, and the rounding of shares
SURE = 0.9  # share of right boxes above min_confidence
LEAST = 8  # pictures above it: a share of five boxes says nothing
STEPS = np.round(np.arange(0.02, 0.96, 0.01), 2)
DRAWS = 2000
FEWEST = {"occupied": 50, "empty": 10}
"""Images that a choice needs: one lost image of fewer than 50 is more than the 2 % that may be lost at all."""
_Z = 1.96

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures and their cross-validated scores, (n,) each.

    Attributes:
        image: number of the image that a picture shows, from 0.
        occupied: whether there is a specimen.
        best: row of the best candidate; -1: none.
        confidence: of the best candidate's box; 0 without one.
        presence: probability that there is a specimen; 0 without a candidate.
        right: whether the best candidate's box is the specimen's (IoU 0.5).
    """

    image: npt.NDArray[np.int64]
    occupied: npt.NDArray[np.bool_]
    best: npt.NDArray[np.int64]
    confidence: Values
    presence: Values
    right: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold: the value to use, what the draws choose, and the 95 % interval of their choices."""

    value: float
    drawn: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, slots=True)
class Choice:
    """Thresholds, and what they do to the images they were chosen by.

    Attributes:
        empty: `empty_confidence`.
        sure: `min_confidence`.
        images: number of occupied and empty images.
        few: whether there are too few of them to choose by.
        kept: whether another detector's thresholds are kept, because there are too few.
        found: share of empty images that are reported empty.
        lost: share of occupied images that are reported empty.
        right: share of boxes above `min_confidence` that are right.
    """

    empty: Threshold
    sure: Threshold
    images: dict[str, int]
    few: bool
    kept: bool
    found: Interval | None
    lost: Interval | None
    right: Interval | None


def choose(pictures: Pictures, before: tuple[float, float] | None = None, *, seed: int = 0) -> Choice:
    """Choose both thresholds.

    Args:
        pictures: with scores that their own image had no part in.
        before: `empty_confidence` and `min_confidence` to keep if there are too few images; None: the images decide
            all the same.
        seed: of the draws.
    """
    _, place, counts = np.unique(pictures.image, return_inverse=True, return_counts=True)
    number = len(counts)
    draws = np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), DRAWS)
    empties = _highest_empty(pictures, place, counts, draws)
    sures = _lowest_sure(pictures, place, draws, empties)
    full = len(np.unique(place[pictures.occupied]))
    images = {"occupied": full, "empty": number - full}
    few = any(images[name] < least for name, least in FEWEST.items())
    kept = before if few else None
    empty = _threshold(empties, float(empties.mean()), None if kept is None else kept[0])
    sure = _threshold(sures, float(np.median(sures)), None if kept is None else kept[1])
    reported = pictures.presence < empty.value
    above = ~reported & (pictures.confidence >= sure.value)
    return Choice(
        empty,
        sure,
        images,
        few,
        kept is not None,
        _share(reported, ~pictures.occupied, place),
        _share(reported, pictures.occupied, place),
        _share(pictures.right, above, place),
    )


def _threshold(found: Values, drawn: float, kept: float | None) -> Threshold:
    drawn = round(drawn, 2)
    low, high = (float(np.quantile(found, share, method="nearest")) for share in (0.025, 0.975))
    return Threshold(drawn if kept is None else kept, drawn, low, high)


def _highest_empty(
    pictures: Pictures, place: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], draws: npt.NDArray[np.int64]
) -> Values:
    """For each draw, the highest step at which at most 1 % of the occupied images are lost."""
    below = (pictures.presence[:, None] < STEPS) & pictures.occupied[:, None]
    lost = _by_image(below, place, len(counts)) / counts[:, None]
    occupied = np.bincount(place, pictures.occupied, len(counts)) / counts
    drawn = draws @ occupied
    shares = draws @ lost / np.maximum(drawn, 1e-9)[:, None]
    # More are lost at a higher step, so the steps that will do are the first ones.
    last = (shares <= OCCUPIED_MISSED).sum(axis=1) - 1
    return np.asarray(STEPS[np.maximum(last, 0)], np.float64)


def _lowest_sure(
    pictures: Pictures, place: npt.NDArray[np.int64], draws: npt.NDArray[np.int64], empties: Values
) -> Values:
    """For each draw, the lowest step above which nine of ten boxes are right, of pictures not reported empty."""
    found = np.full(len(draws), STEPS[-1])
    above = pictures.confidence[:, None] >= STEPS
    for empty in np.unique(empties):
        mine = empties == empty
        kept = above & (pictures.presence >= empty)[:, None]
        number = draws[mine] @ _by_image(kept, place, draws.shape[1])
        right = draws[mine] @ _by_image(kept & pictures.right[:, None], place, draws.shape[1])
        will_do = (number >= LEAST) & (right >= SURE * number)
        found[mine] = np.where(will_do.any(axis=1), STEPS[will_do.argmax(axis=1)], STEPS[-1])
    return found


def _by_image(values: npt.NDArray[np.bool_], place: npt.NDArray[np.int64], number: int) -> Values:
    """Rows (pictures, steps) summed over the pictures of each image: (images, steps)."""
    total = np.zeros((number, values.shape[1]))
    np.add.at(total, place, values)
    return total


def _share(hits: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_], place: npt.NDArray[np.int64]) -> Interval | None:
    """Share of the pictures `among` that are hits; Wilson's interval (1927), as if each image were one picture.

    Wilson's, because the draws know no image that they do not hold: they would call a loss of 0 of 50 certain.
    """
    number = len(np.unique(place[among]))
    if not number:
        return None
    value = float(hits[among].mean())
    middle = value + _Z**2 / (2 * number)
    half = _Z * (value * (1 - value) / number + _Z**2 / (4 * number**2)) ** 0.5
    whole = 1 + _Z**2 / number
    return Interval(value, max((middle - half) / whole, 0.0), min((middle + half) / whole, 1.0))


def described(choice: Choice) -> list[str]:
    """A choice as lines for a terminal or a log."""
    counts = f"{choice.images['occupied']} occupied and {choice.images['empty']} empty images"
    lines = [f"thresholds from {counts}, intervals of 95 % over images"]
    if choice.few:
        needed = " and ".join(f"{least} {name}" for name, least in FEWEST.items())
        done = (
            "the thresholds of the detector that it started from are kept"
            if choice.kept
            else "they are chosen by these images all the same, and may be far off"
        )
        lines = [f"{counts} are too few to choose thresholds by, {needed} are needed: {done}"]
    for name, threshold in (("empty_confidence", choice.empty), ("min_confidence", choice.sure)):
        apart = f", these images alone would choose {threshold.drawn:.2f}" if choice.kept else ""
        lines.append(f"{name} {threshold}{apart}")
    for name, share in (
        ("empty as empty", choice.found),
        ("occupied as empty", choice.lost),
        ("right above min_confidence", choice.right),
    ):
        lines.append(f"{name} {'none to measure' if share is None else share}")
    return lines


def recorded(choice: Choice) -> dict[str, object]:
    """A choice as what `calibration.json` says of it; no value of it is used to detect."""
    shares = {
        "empty_as_empty": choice.found,
        "occupied_as_empty": choice.lost,
        "right_above_min_confidence": choice.right,
    }
    return {
        "images": choice.images,
        "few_images": choice.few,
        "thresholds_kept": choice.kept,
        "intervals": {
            "empty_confidence": [choice.empty.low, choice.empty.high],
            "min_confidence": [choice.sure.low, choice.sure.high],
            **{
                name: None if share is None else [round(value, 4) for value in (share.low, share.high)]
                for name, share in shares.items()
            },
        },
        "shares": {name: None if share is None else round(share.value, 4) for name, share in shares.items()},
    }
