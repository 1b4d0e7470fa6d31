"""The thresholds of the trained detector, chosen so that no single image decides, with their intervals.

Belongs here: which thresholds cross-validated scores support, and how sure that is. Does not belong here: how the
scores come about (`calibrate`), and what a status means (`bioscan_etl.images.detection`).

The pictures of an image (its mirrorings) are one image: it counts by the mean over them. The rules for one set of
images:

- `empty_confidence` is the highest threshold at which 0.5 % of occupied images are reported empty. It is low because a
  lost specimen is the worse mistake: nobody looks at an image that is reported empty.
- `doubtful_presence` is the lowest threshold below which 99 % of empty images are. What lies between both is sent to a
  person. It is lower if more than 5 % of the images were sent. A blur at the wall is sent, too.
- `min_confidence` is the lowest threshold above which nine of ten boxes are right (IoU 0.5), among the other images. It
  is lower if more than 5 % of all images were sent.

Applied once, the first rule lets one image decide: among a hundred images the least certain one sets the threshold. So
the first and the last rule are applied to many draws of the images with replacement (the bootstrap), and the choices of
the draws decide. Of `empty_confidence` it is their mean (bagging: Breiman 1996), of `min_confidence`, which no single
image dominates, their median. The interval of a threshold holds 95 % of them. On the 96 occupied images of our
calibration part, and with 1 % for 0.5 %, one more mirrored picture that is lost changed the first rule itself from 0.37
to 0.13, the median of the draws likewise, and their mean from 0.40 to 0.32 at most.

Below `FEWEST` images the draws say no more than the images, and the thresholds of another detector are kept: those of
the one that a tuning started from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioscan_etl.training.intervals import Interval, drawn_counts

OCCUPIED_MISSED = 0.0055  # 0.5 %, and the rounding of shares
SETTLED = 0.99  # share of empty images that are reported empty or sent
SENT = 0.05  # of the images, to a person
SURE = 0.9  # share of right boxes above min_confidence
LEAST = 8  # pictures above it: a share of five boxes says nothing
STEPS = np.round(np.arange(0.02, 0.96, 0.01), 2)
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
        confidence: of the best candidate's box; 0 without one.
        presence: probability that there is a specimen; 0 without a candidate.
        right: whether the best candidate's box is the specimen's (IoU 0.5).
        blur: whether the best candidate is a blur at the wall, which is never reported empty.
    """

    image: npt.NDArray[np.int64]
    occupied: npt.NDArray[np.bool_]
    confidence: Values
    presence: Values
    right: npt.NDArray[np.bool_]
    blur: npt.NDArray[np.bool_]


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
        doubtful: `doubtful_presence`.
        images: number of occupied and empty images.
        few: whether there are too few of them to choose by.
        kept: whether another detector's thresholds are kept, because there are too few.
        found: share of empty images that are reported empty.
        lost: share of occupied images that are reported empty.
        right: share of boxes above `min_confidence` that are right.
        sent: share of images that are sent to a person: not reported empty, but `low_confidence`.
        settled: share of empty images that are reported empty or sent.
    """

    empty: Threshold
    sure: Threshold
    doubtful: float
    images: dict[str, int]
    few: bool
    kept: bool
    found: Interval | None
    lost: Interval | None
    right: Interval | None
    sent: Interval | None
    settled: Interval | None


def choose(pictures: Pictures, before: tuple[float, float, float] | None = None, *, seed: int = 0) -> Choice:
    """Choose the thresholds.

    Args:
        pictures: with scores that their own image had no part in.
        before: `empty_confidence`, `min_confidence` and `doubtful_presence` to keep if there are too few images; None:
            the images decide all the same.
        seed: of the draws.
    """
    _, place, counts = np.unique(pictures.image, return_inverse=True, return_counts=True)
    number = len(counts)
    draws = drawn_counts(number, seed=seed)
    empties = _highest_empty(pictures, place, counts, draws)
    full = len(np.unique(place[pictures.occupied]))
    images = {"occupied": full, "empty": number - full}
    few = any(images[name] < least for name, least in FEWEST.items())
    kept = before if few else None
    empty = _threshold(empties, float(empties.mean()), None if kept is None else kept[0])
    doubtful = _doubtful(pictures, place, counts, empty.value) if kept is None else kept[2]
    sures = _lowest_sure(pictures, place, draws, doubtful)
    drawn = min(float(np.median(sures)), _most_sure(pictures, place, counts, empty.value, doubtful))
    sure = _threshold(sures, drawn, None if kept is None else kept[1])
    reported = _reported(pictures, empty.value)
    above = (pictures.presence >= doubtful) & (pictures.confidence >= sure.value)
    sent = ~reported & ~above
    return Choice(
        empty,
        sure,
        doubtful,
        images,
        few,
        kept is not None,
        _share(reported, ~pictures.occupied, place),
        _share(reported, pictures.occupied, place),
        _share(pictures.right, above, place),
        _share(sent, np.ones(len(place), np.bool_), place),
        _share(reported | sent, ~pictures.occupied, place),
    )


def _reported(pictures: Pictures, empty: float) -> npt.NDArray[np.bool_]:
    """The pictures that are reported empty at a threshold."""
    return (pictures.presence < empty) & ~pictures.blur


def _threshold(found: Values, drawn: float, kept: float | None) -> Threshold:
    drawn = round(drawn, 2)
    low, high = (float(np.quantile(found, share, method="nearest")) for share in (0.025, 0.975))
    return Threshold(drawn if kept is None else kept, drawn, low, high)


def _highest_empty(
    pictures: Pictures, place: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], draws: Values
) -> Values:
    """For each draw, the highest step at which `OCCUPIED_MISSED` of the occupied images are lost at most."""
    below = (pictures.presence[:, None] < STEPS) & (pictures.occupied & ~pictures.blur)[:, None]
    lost = _by_image(below, place, len(counts)) / counts[:, None]
    occupied = np.bincount(place, pictures.occupied, len(counts)) / counts
    drawn = draws @ occupied
    shares = draws @ lost / np.maximum(drawn, 1e-9)[:, None]
    # More are lost at a higher step, so the steps that will do are the first ones.
    last = (shares <= OCCUPIED_MISSED).sum(axis=1) - 1
    return np.asarray(STEPS[np.maximum(last, 0)], np.float64)


def _doubtful(pictures: Pictures, place: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], empty: float) -> float:
    """The lowest step below which `SETTLED` of the empty images are, and no more images than `SENT` are sent."""
    steps = np.append(empty, STEPS[empty < STEPS])
    bare = ~pictures.occupied
    settled = (pictures.presence[bare, None] < steps).mean(axis=0) >= SETTLED if bare.any() else steps >= empty
    wanted = int(settled.argmax()) if settled.any() else len(steps) - 1
    doubt = (pictures.presence[:, None] < steps) & ~_reported(pictures, empty)[:, None]
    return float(steps[min(wanted, _last_allowed(doubt, place, counts))])


def _most_sure(
    pictures: Pictures, place: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], empty: float, doubtful: float
) -> float:
    """The highest `min_confidence` at which no more images than `SENT` are sent; the lowest step if none is."""
    doubt = (pictures.presence < doubtful)[:, None] | (pictures.confidence[:, None] < STEPS)
    return float(STEPS[_last_allowed(doubt & ~_reported(pictures, empty)[:, None], place, counts)])


def _last_allowed(sent: npt.NDArray[np.bool_], place: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> int:
    """The last step at which no more images than `SENT` are sent, of pictures (n, steps) that are; 0 if none is."""
    shares = (_by_image(sent, place, len(counts)) / counts[:, None]).mean(axis=0)
    return max(int((shares <= SENT).sum()) - 1, 0)


def _lowest_sure(pictures: Pictures, place: npt.NDArray[np.int64], draws: Values, doubtful: float) -> Values:
    """For each draw, the lowest step above which nine of ten boxes are right, of pictures of no doubtful presence."""
    kept = (pictures.confidence[:, None] >= STEPS) & (pictures.presence >= doubtful)[:, None]
    number = draws @ _by_image(kept, place, draws.shape[1])
    right = draws @ _by_image(kept & pictures.right[:, None], place, draws.shape[1])
    will_do = (number >= LEAST) & (right >= SURE * number)
    return np.asarray(np.where(will_do.any(axis=1), STEPS[will_do.argmax(axis=1)], STEPS[-1]), np.float64)


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
    lines.append(f"doubtful_presence {choice.doubtful:.2f}")
    for name, share in (
        ("empty as empty", choice.found),
        ("occupied as empty", choice.lost),
        ("right above min_confidence", choice.right),
        ("sent to a person", choice.sent),
        ("empty as empty or sent", choice.settled),
    ):
        lines.append(f"{name} {'none to measure' if share is None else share}")
    return lines


def recorded(choice: Choice) -> dict[str, object]:
    """A choice as what `calibration.json` says of it; no value of it is used to detect."""
    shares = {
        "empty_as_empty": choice.found,
        "occupied_as_empty": choice.lost,
        "right_above_min_confidence": choice.right,
        "sent": choice.sent,
        "empty_as_empty_or_sent": choice.settled,
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
