"""Selecting the barcodes of one species for an evaluation partition (spec: partitioning, "Selecting barcodes").

Comparisons use exact integers or unrounded fractional targets; rounding a target would select other barcodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Quota:
    """How many records and barcodes of a species a partition takes.

    Attributes:
        target: target number of records, a function of the species' number of candidate records.
        upper: largest tolerated number of records, a function of the species' number of candidate records.
        bound: number of barcodes at which to stop, a function of the species' number of barcodes.
        lower: least number of records; a species with fewer contributes none.
        soft: factor on the target that the smaller barcodes together must be able to reach.
        soft2: factor on the target; a larger smallest barcode is too large.
    """

    target: Callable[[int], float]
    upper: Callable[[int], float]
    bound: Callable[[int], float]
    lower: int
    soft: float = 1.1
    soft2: float = 1.0


VAL_SHARE = 0.05  # of the candidate records
VAL_FROM = 20  # least records of a species that contributes its share to val; smaller species are the long tail


def target_records(records: int) -> int:
    """T of the test partitions: at least 4 records and up to 25, of species with 8 and more."""
    return 0 if records < 8 else min(25, math.floor(4 + (records - 8) / 4))


def most_records(records: int) -> int:
    """U of the test partitions."""
    return 0 if records < 8 else math.floor(4 + (records - 8) / 3)


def most_barcodes(barcodes: int) -> int:
    """B of the test partitions."""
    return 0 if barcodes < 3 else math.floor(1 + (barcodes - 2) / 3)


TEST = Quota(target_records, most_records, most_barcodes, lower=3)
VAL = Quota(
    lambda records: 0 if records < VAL_FROM else VAL_SHARE * records,
    lambda records: 0.1 * records,
    lambda barcodes: VAL_SHARE * barcodes,
    lower=0,
    soft2=1.1,
)
VAL_UNSEEN = Quota(
    lambda records: 0.2 * records,
    lambda records: 0.4 * records,
    lambda barcodes: 0.2 * barcodes,
    lower=0,
    soft2=1.1,
)


def by_size(sizes: NDArray[np.int64]) -> NDArray[np.intp]:
    """Positions in ascending order of size.

    numpy's default sort is not stable: its order of ties is part of the published result and depends on the numpy
    release and on the CPU. A stable sort would be another protocol.
    """
    return np.argsort(sizes)


def select_barcodes(sizes: NDArray[np.int64], records: int, quota: Quota, generator: np.random.Generator) -> list[int]:
    """Choose barcodes of one species.

    Args:
        sizes: candidate records per barcode, int64, shape (barcodes,), barcodes in lexical order.
        records: the species' candidate records; more than `sizes.sum()` if some have no barcode.
        quota: targets and bounds of the partition.
        generator: random generator, used once per free choice; its state carries over from species to species.

    Returns:
        Positions in `sizes`, in the order of choice; empty if the species contributes none.
    """
    target = quota.target(records)
    if target == 0 or len(sizes) < 2:
        return []
    upper, bound = quota.upper(records), quota.bound(len(sizes))
    positions = by_size(sizes)
    left = sizes[positions]
    total = np.cumsum(left)
    chosen: list[int] = []
    got = 0
    while len(left):
        # Both lists ascend, so the options lie between two bisections: from the first whose sum reaches the soft
        # target up to the last that still fits. The needles are integers to keep numpy from copying to float.
        first = int(np.searchsorted(total, math.ceil(quota.soft * target - got), side="left"))
        end = int(np.searchsorted(left, math.floor(target - got), side="right"))
        if first >= end:
            taken = without_options(
                left, quota, first=first, end=end, got=got, records=records, target=target, upper=upper
            )
            if taken is None:
                break
        elif len(chosen) + 1 >= bound:
            taken = last_choice(left, end - 1, got, target, upper)
        else:
            # The spec's case "m <= lo" cannot occur: m >= 1 here, and int(m / 2) < m.
            options = end - first
            taken = first + int(generator.integers(options // 2, options, size=1)[0])
        size = int(left[taken])
        chosen.append(int(positions[taken]))
        got += size
        if got >= target or len(chosen) >= bound:
            break
        total[taken:] -= size
        left, total, positions = (without(array, taken) for array in (left, total, positions))
    return chosen if got >= quota.lower else []


def without_options(
    left: NDArray[np.int64],
    quota: Quota,
    *,
    first: int,
    end: int,
    got: int,
    records: int,
    target: float,
    upper: float,
) -> int | None:
    """The position to take if there are no options, or None to stop."""
    smallest = int(left[0])
    if got == 0 and end == 0:
        return 0 if smallest >= quota.lower and smallest < records / 2 else None
    if smallest > quota.soft2 * target - got:
        return None if smallest > (target - got) / 2 or got + smallest > upper else 0
    if first == len(left):
        return None  # only if records lack a barcode: the rest cannot reach the soft target
    if got + left[first] > upper:
        return None
    if first > 0 and abs(got + left[first - 1] - target) < abs(target - got - left[first]):
        return first - 1
    return first


def last_choice(left: NDArray[np.int64], fitting: int, got: int, target: float, upper: float) -> int:
    """The position to take if only one more barcode is allowed: the largest, or the next one if that is closer."""
    following = fitting + 1
    if (
        following < len(left)
        and abs(got + left[following] - target) < abs(target - got - left[fitting])
        and got + left[following] <= upper
    ):
        return following
    return fitting


def without(array: NDArray[Any], position: int) -> NDArray[Any]:
    """The array without one position, changed in place because a species may have very many barcodes."""
    array[position:-1] = array[position + 1 :]
    return array[:-1]
