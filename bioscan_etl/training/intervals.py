"""How certain a figure of a detector is: 95 % intervals by a bootstrap over images, also of the difference of two.

Belongs here: the draws and their quantiles. Does not belong here: the figures themselves (`outcomes`).

Images are drawn with replacement, as many as there are, and the figure is taken anew (Efron & Tibshirani, An
Introduction to the Bootstrap, 1993; the percentile interval). The views of an image are drawn together, since they are
no images of their own. Two detectors are compared on the same draws, so that what makes an image hard for both does not
count as a difference. The seed is fixed: the same outcomes give the same interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioscan_etl.training.outcomes import FIGURES, Figure, Outcomes, Values, once

DRAWS = 2000
SEED = 18
COVERAGE = 0.95
_PURE = ("empty_as_empty", "occupied_as_empty")  # figures that are a number of pictures out of a number of pictures


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure, and the interval (both ends included) that holds it with 95 %.

    Attributes:
        value: on the images as they are.
        low: lower end.
        high: upper end.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Three decimals, as in `0.652 [0.593, 0.710]`."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def drawn_weights(outcomes: Outcomes, draws: int = DRAWS, seed: int = SEED) -> Values:
    """How often each draw holds each picture, (draws, pictures); the views of an image are drawn together."""
    images = int(outcomes.image.max(initial=-1)) + 1
    if images == 0:
        return np.ones((draws, 0))
    counts = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=draws)
    return counts[:, outcomes.image].astype(np.float64)


def interval(outcomes: Outcomes, figure: Figure, draws: int = DRAWS, seed: int = SEED) -> Interval | None:
    """A figure with its interval; None if the pictures are none that it can be taken from.

    Args:
        outcomes: of the pictures.
        figure: one of `outcomes.FIGURES`, or any other function of outcomes and weights.
        draws: number of them.
        seed: of the draws.
    """
    return _between(figure(outcomes, once(outcomes)), figure(outcomes, drawn_weights(outcomes, draws, seed)))


def intervals(outcomes: Outcomes, draws: int = DRAWS, seed: int = SEED) -> dict[str, Interval]:
    """All of `FIGURES` that can be taken from the pictures, with their intervals.

    A share of none or of all has no bootstrap interval of any width. Its other end is the exact one (Clopper & Pearson
    1934): 0 of n images is compatible with a share up to 1 - 0.025^(1/n).
    """
    weights = drawn_weights(outcomes, draws, seed)
    found = {}
    for name, figure in FIGURES.items():
        if (one := _between(figure(outcomes, once(outcomes)), figure(outcomes, weights))) is not None:
            found[name] = _widened(one, outcomes, name) if name in _PURE else one
    return found


def paired(before: Outcomes, after: Outcomes, draws: int = DRAWS, seed: int = SEED) -> dict[str, Interval]:
    """The differences of all `FIGURES` that can be taken, after minus before, with their intervals.

    Args:
        before: outcomes of one detector.
        after: of another one, on the same pictures in the same order.
        draws: number of them.
        seed: of the draws.

    Raises:
        ValueError: the pictures are not the same.
    """
    same = len(before) == len(after) and all(
        np.array_equal(getattr(before, name), getattr(after, name)) for name in ("image", "occupied", "share")
    )
    if not same:
        raise ValueError("the two detectors were not measured on the same pictures; measure both on the same")
    weights = drawn_weights(before, draws, seed)
    found = {}
    for name, figure in FIGURES.items():
        values, drawn = (figure(after, one) - figure(before, one) for one in (once(before), weights))
        if (difference := _between(values, drawn)) is not None:
            found[name] = difference
    return found


def _between(value: Values, drawn: Values) -> Interval | None:
    """The interval of a figure (1,) from that of all draws; draws in which it cannot be taken are left out."""
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(value[0]) or not drawn.size:
        return None
    low, high = np.quantile(drawn, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    # The draws of a few images can all lie on one side of the figure.
    return Interval(float(value[0]), float(min(low, value[0])), float(max(high, value[0])))


def _widened(one: Interval, outcomes: Outcomes, name: str) -> Interval:
    counted = outcomes.occupied if name == "occupied_as_empty" else ~outcomes.occupied
    least = float(1 - ((1 - COVERAGE) / 2) ** (1 / len(np.unique(outcomes.image[counted]))))
    if one.value == 0:
        return Interval(one.value, one.low, max(one.high, least))
    return Interval(one.value, min(one.low, 1 - least), one.high) if one.value == 1 else one
