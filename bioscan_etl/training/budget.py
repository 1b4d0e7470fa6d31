"""The review budget: what is reached if a person looks at the images whose presence score lies within a band.

Belongs here: the bands, and the curve of what they reach. Does not belong here: the thresholds that a detector ships
with (`calibrate`).

Below a band an image is reported `empty`, within it a person looks at it (`low_confidence`), above it there is a
specimen. A person is taken to decide right. So an empty dish is found if its score is below the band's upper end, and
an occupied one is lost only if its score is below the lower end.

The best band is chosen on the images that it is measured on. What it reaches is therefore an upper bound: what these
scores allow, not what thresholds chosen on other images will reach.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from bioscan_etl.errors import SettingsError
from bioscan_etl.io.write import write_text
from bioscan_etl.training.outcomes import Outcomes, Values

LOST = (0.0, 0.005, 0.01, 0.02, 0.03)
SENT = (0.0, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2)
_ROUNDING = 1e-9  # a share of a number can be a little less than a whole number
_ABOVE_ALL = 1.0  # no presence score is as high (`trained.Regression` ends below it)


@dataclass(frozen=True, slots=True)
class Band:
    """What a band of presence scores reaches.

    Attributes:
        low: scores below it are reported empty.
        high: scores below it, and not below `low`, are sent to a person.
        sent: share of the images that are sent, within the band or above it for a doubtful box.
        empty_as_empty: share of the empty images that are reported empty without a person.
        empty_found: share of the empty images that are reported empty or sent.
        occupied_as_empty: share of the occupied images that are reported empty: lost.
        sent_for_box: share of the images that are sent although they lie above the band: their status is
            `low_confidence`, for the confidence of their box. (An image that the detector reports empty has none.)
    """

    low: float
    high: float
    sent: float
    empty_as_empty: float
    empty_found: float
    occupied_as_empty: float
    sent_for_box: float


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the curve: the best band within limits.

    Attributes:
        most_lost: share of the occupied images that may be lost.
        most_sent: share of the images that may be sent.
        band: that finds the most empty images within both limits.
    """

    most_lost: float
    most_sent: float
    band: Band


def band_of(outcomes: Outcomes, low: float, high: float) -> Band:
    """What the band from `low` (included) to `high` (excluded) reaches.

    Raises:
        SettingsError: there are no empty or no occupied images, or the detector reports no presence.
    """
    occupied = outcomes.occupied
    if not occupied.any() or occupied.all():
        raise SettingsError("a review budget needs occupied and empty images; measure on a part that has both")
    if not outcomes.presence.any():
        raise SettingsError("this detector reports no presence score; a review budget needs the detector `trained`")
    below, within = outcomes.presence < low, (outcomes.presence >= low) & (outcomes.presence < high)
    doubtful = ~below & ~within & outcomes.unsure
    return Band(
        float(low),
        float(high),
        float((within | doubtful).mean()),
        float(below[~occupied].mean()),
        float((below | within)[~occupied].mean()),
        float(below[occupied].mean()),
        float(doubtful.mean()),
    )


def best_band(outcomes: Outcomes, most_lost: float, most_sent: float) -> Band:
    """The band that finds the most empty images and keeps to both limits.

    Its lower end is as high as the limit of lost images allows, since images below it need no person. Then its upper
    end is as high as the limit of sent images allows. If more images are sent for their boxes alone, the band is empty.
    """
    full = np.sort(outcomes.presence[outcomes.occupied])
    low = _end(full, int(most_lost * len(full) + _ROUNDING))
    above = outcomes.presence >= low
    room = int(most_sent * len(outcomes) + _ROUNDING) - int((above & outcomes.unsure).sum())
    high = _end(np.sort(outcomes.presence[above & ~outcomes.unsure]), room) if room >= 0 else low
    return band_of(outcomes, low, high)


def _end(scores: Values, below: int) -> float:
    """The highest end with at most so many of the sorted scores below it."""
    return float(scores[below]) if below < len(scores) else _ABOVE_ALL


def curve(outcomes: Outcomes, lost: Sequence[float] = LOST, sent: Sequence[float] = SENT) -> list[Point]:
    """The best band for each pair of limits.

    Raises:
        SettingsError: as `band_of`.
    """
    return [Point(one, other, best_band(outcomes, one, other)) for one in lost for other in sent]


def write_curve(path: Path, points: Sequence[Point]) -> None:
    """Write the curve as CSV: `most_lost`, `most_sent`, and the columns of `Band`; shares and scores, 0 to 1."""
    text = io.StringIO()
    names = [field.name for field in fields(Band)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["most_lost", "most_sent", *names])
    for point in points:
        values = asdict(point.band)
        writer.writerow([point.most_lost, point.most_sent, *(round(values[name], 6) for name in names)])
    write_text(path, text.getvalue())


def plot(path: Path, points: Sequence[Point]) -> None:
    """Draw the share of empty images found by the share of images sent, one line for each limit of lost ones."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.2, 3.6), dpi=100)
    limits = list(dict.fromkeys(point.most_lost for point in points))
    colours = pyplot.get_cmap("viridis")(np.linspace(0.0, 0.85, max(len(limits), 1)))
    widths = np.linspace(3.5, 1.0, len(limits))  # lines that coincide show beside each other
    for limit, colour, width in zip(limits, colours, widths, strict=True):
        line = [point for point in points if point.most_lost == limit]
        axes.plot(
            [100 * point.band.sent for point in line],
            [100 * point.band.empty_found for point in line],
            color=colour,
            linewidth=width,
            marker="o",
            markersize=width + 1,
            label=f"at most {100 * limit:g} % of occupied dishes lost",
        )
    axes.axhline(99, color="black", linewidth=0.8, linestyle=":")
    axes.axvline(5, color="black", linewidth=0.8, linestyle=":")
    axes.set_xlabel("images sent to a person (%)")
    axes.set_ylabel("empty dishes found (%)")
    axes.legend(fontsize=8, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)
