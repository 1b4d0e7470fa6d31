"""Two detectors on the same images: in what they differ, how certain that is, and whether the second one is refused.

Belongs here: the paired differences, the words for them, and the rule of refusal. Does not belong here: how outcomes
come about (`views`), figures and intervals (`outcomes`, `intervals`), and single images that changed (`changes`).

A figure refuses the tuned detector if it got worse by more than is allowed, and would have without the one image that
counts most against it. So no single image refuses a detector, and one that is worse by chance is still not promoted
silently: the words say whether the interval of the difference excludes 0. Allowed is the tolerance, of lost specimens
half of it, since a lost specimen is the worse mistake.

A detector that is as good as the current one is refused at times, by chance. We compared the shipped detector with
itself on two mirrorings each of the 204 validation images, dealt out at random: with a tolerance of 0.02 17 % of 200
deals were refused. With 0.01, and as much for lost specimens, it was 38 % of 60.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bioscan_etl.training.intervals import Interval, paired
from bioscan_etl.training.outcomes import FIGURES, Figure, Outcomes, Values, average_precision, once

NAMES = {
    "AP75": "AP(0.75)",
    "AR": "AR",
    "empty_as_empty": "empty images reported empty",
    "occupied_as_empty": "occupied images reported empty",
}
"""Of `outcomes.FIGURES`, as people read them."""
WORDS = {1: "better", -1: "worse", 0: "no difference that these images can show"}
FEW = 50
"""Occupied, and empty, images below which a comparison says that they are few."""
_LOWER_IS_BETTER = frozenset({"occupied_as_empty"})
_HALF = 0.5
_ROUNDING = 1e-9
_AT_ONCE = 256  # images, so that their weights fit into memory


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of two detectors on the same images.

    Attributes:
        name: one of `FIGURES`.
        current: of the detector of the settings.
        tuned: of the tuned one.
        difference: tuned minus current, with its 95 % interval over images.
        word: one of `WORDS`.
        without: the difference without the image that counts most against the tuned detector; `difference` itself if
            there is no other image.
        image: the number of that image.
        allowed: by how much the figure may get worse.
        fell: whether it got worse by more.
        refused: whether it would have without that image, too.
    """

    name: str
    current: float
    tuned: float
    difference: Interval
    word: str
    without: float
    image: int
    allowed: float
    fell: bool
    refused: bool


def compare(current: Outcomes, tuned: Outcomes, tolerance: float) -> list[Compared]:
    """All figures that the pictures can give.

    Args:
        current: what the detector of the settings made of the pictures.
        tuned: what the tuned one made of the same.
        tolerance: by which a figure may get worse, 0 to 1; the share of lost specimens by half of it.

    Raises:
        ValueError: the pictures are not the same.
    """
    found = []
    for name, difference in paired(current, tuned).items():
        figure, sign = FIGURES[name], -1.0 if name in _LOWER_IS_BETTER else 1.0
        others = _without_each(figure, current, tuned)
        better = np.nan_to_num(sign * others, nan=-np.inf)
        image = int(better.argmax())
        without = float(others[image]) if np.isfinite(better[image]) else difference.value
        allowed = tolerance * (_HALF if name in _LOWER_IS_BETTER else 1.0)
        fell = sign * difference.value < -allowed - _ROUNDING
        found.append(
            Compared(
                name,
                float(figure(current, once(current))[0]),
                float(figure(tuned, once(tuned))[0]),
                difference,
                WORDS[_direction(difference, sign)],
                without,
                image,
                allowed,
                fell,
                fell and sign * without < -allowed - _ROUNDING,
            )
        )
    return found


def _without_each(figure: Figure, current: Outcomes, tuned: Outcomes) -> Values:
    """The difference without each image, (images,); NaN where none is left to measure."""
    images = np.arange(int(current.image.max(initial=-1)) + 1)
    parts = np.array_split(images, max(len(images) // _AT_ONCE, 1))
    weights = ((part[:, None] != current.image).astype(np.float64) for part in parts)
    return np.concatenate([figure(tuned, one) - figure(current, one) for one in weights])


def _direction(difference: Interval, sign: float) -> int:
    low, high = sorted((sign * difference.low, sign * difference.high))
    if low > _ROUNDING:
        return 1
    return -1 if high < -_ROUNDING else 0


def figures(outcomes: Outcomes) -> dict[str, float]:
    """The figures of one detector, four decimals, with AP at IoU 0.50; those that the pictures can give."""
    every = {"AP50": average_precision(outcomes, once(outcomes), 0.5)}
    every |= {name: figure(outcomes, once(outcomes)) for name, figure in FIGURES.items()}
    return {name: round(float(value[0]), 4) for name, value in every.items() if not np.isnan(value[0])}


def reasons(compared: Sequence[Compared]) -> list[str]:
    """Why the tuned detector is refused, a sentence for each figure; empty if it is not."""
    return [f"{_told(one)}, allowed is {one.allowed:g}{_by_chance(one)}" for one in compared if one.refused]


def remarks(compared: Sequence[Compared], names: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    """What a curator must know though it refuses nothing.

    Args:
        compared: all figures.
        names: of the images, by their numbers.
        counts: number of `occupied` and `empty` images.
    """
    said = [
        f"{_told(one)}, by more than allowed, but not without {names[one.image]}: look at that image"
        for one in compared
        if one.fell and not one.refused
    ]
    said += [f"{_told(one)}, within what is allowed" for one in compared if one.word == WORDS[-1] and not one.fell]
    few = [f"{number} {name}" for name, number in counts.items() if number < FEW]
    if few:
        share = ", ".join(f"one of {number} is {1 / number:.0%}" for number in counts.values() if 0 < number < FEW)
        what = f"the images are few ({' and '.join(few)}), so that only large differences can be seen"
        said.append(f"{what}: {share}" if share else what)
    return said


def table(compared: Sequence[Compared]) -> str:
    """All figures as a Markdown table."""
    lines = ["| | current | tuned | difference (95 %) | verdict |", "|---|---|---|---|---|"]
    for one in compared:
        said = f"**{verdict(one)}**" if one.refused else verdict(one)
        lines.append(
            f"| {NAMES[one.name]} | {one.current:.3f} | {one.tuned:.3f} | {_signed(one.difference)} | {said} |"
        )
    return "\n".join(lines)


def verdict(one: Compared) -> str:
    """What is said of a figure: one of `WORDS`, or that it refuses the tuned detector."""
    if not one.refused:
        return one.word
    return f"refused: {one.word}" if one.word == WORDS[-1] else "refused: it fell, though that may be chance"


def _told(one: Compared) -> str:
    return f"{NAMES[one.name]} {one.tuned:.3f} after {one.current:.3f} ({_signed(one.difference)})"


def _signed(difference: Interval) -> str:
    return f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _by_chance(one: Compared) -> str:
    return "" if one.word == WORDS[-1] else "; it may be chance, more images would tell"
