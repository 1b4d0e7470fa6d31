"""Distances between all pairs of some barcodes, over the columns that both have.

Two distances are counted from the same three numbers of a pair, the shared columns, transitions and transversions:

- the p-distance: the share of the shared columns in which the bases differ;
- K2P, Kimura's two-parameter distance (Kimura 1980, doi:10.1007/BF01731581), an estimate of substitutions per column
  that allows for several in one column and for transitions, which are more frequent.

A codon that one barcode lacks, N and bases beside the frame count for neither.

Belongs here: pairs and their distances. Does not belong here: which barcodes are compared (`statistics.distances`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes.apart import Stretch, blocks, nearest_groups, some_distance
from bioscan_etl.barcodes.clusters import Clusters, clusters
from bioscan_etl.barcodes.counted import extents, kinds_of_groups
from bioscan_etl.barcodes.framed import Counts, Framed, compared
from bioscan_etl.progress import Progress, silent
from bioscan_etl.threads import cores, ordered_map

_CELLS = 1 << 15  # pairs that are compared at a time: their words fit a core's cache
_PAIRS = 400_000  # pairs of small groups that are compared together, each counted twice

_Numbers = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
_Words = npt.NDArray[np.uint64]


def p_distance(shared: _Numbers, transitions: _Numbers, transversions: _Numbers) -> _Floats:
    """Share of the shared columns that differ, float64, the same shape."""
    return (transitions + transversions) / shared


def k2p(shared: _Numbers, transitions: _Numbers, transversions: _Numbers) -> _Floats:
    """Kimura's distance, float64, the same shape; NaN for pairs too far apart for the formula."""
    p, q = transitions / shared, transversions / shared
    one, other = 1 - 2 * p - q, 1 - 2 * q
    with np.errstate(divide="ignore", invalid="ignore"):
        distance: _Floats = -0.5 * np.log(one * np.sqrt(other))
    return np.where((one > 0) & (other > 0), distance + 0.0, np.nan)  # + 0.0: no -0


def _blocks(low: _Words, high: _Words, known: _Words) -> Iterator[tuple[_Numbers, _Numbers, Counts, Counts, Counts]]:
    """Rows of the matrix of all pairs, some at a time, from the diagonal on.

    Args:
        low: as in `Framed`, but of shape (11, barcodes).
        high: the same.
        known: the same.

    Yields:
        The rows' numbers, shape (rows, 1), the columns' numbers, shape (1, columns), and for each pair the shared
        columns, those that differ, and those that differ by a transversion, uint32, shape (rows, columns).
    """
    count = low.shape[1]
    start = 0
    while start < count - 1:
        stop = min(start + max(1, _CELLS // (count - start)), count - 1)
        shape = (stop - start, count - start)
        shared, differ, transversions = (np.zeros(shape, np.uint32) for _ in range(3))
        both, other, side = (np.empty(shape, np.uint64) for _ in range(3))
        for word in range(low.shape[0]):
            np.bitwise_and(known[word, start:stop, None], known[word, None, start:], out=both)
            np.bitwise_xor(low[word, start:stop, None], low[word, None, start:], out=other)
            np.bitwise_xor(high[word, start:stop, None], high[word, None, start:], out=side)
            other &= both
            side &= both
            side |= other
            shared += np.bitwise_count(both)
            transversions += np.bitwise_count(other)  # A and G, and C and T, have the same low bit
            differ += np.bitwise_count(side)
        yield np.arange(start, stop)[:, None], np.arange(start, count)[None, :], shared, differ, transversions
        start = stop


def _planes(barcodes: Framed, members: _Numbers) -> tuple[_Words, _Words, _Words]:
    """The bits of some barcodes, word by word: low, high and known, each of shape (11, members)."""
    low, high, known = (np.ascontiguousarray(one[members].T) for one in (barcodes.low, barcodes.high, barcodes.known))
    return low, high, known


def _p(shared: Counts, differ: Counts, least: int) -> _Floats:
    """The p-distance of each pair; infinite for those that share fewer columns than `least`."""
    p: _Floats = np.full(shared.shape, np.inf)
    np.divide(differ, shared, out=p, where=shared >= max(least, 1))
    return p


def p_of_pairs(barcodes: Framed, one: _Numbers, other: _Numbers, least: int) -> _Floats:
    """The p-distance of each of some pairs.

    Args:
        barcodes: on the frame.
        one: the position of the first barcode of each pair.
        other: that of the second.
        least: columns that two barcodes must share.

    Returns:
        float64, shape (pairs,); infinite for those that share too few columns.
    """
    return _p(*compared(barcodes, one, other), least)


def farthest(barcodes: Framed, members: _Numbers, groups: _Numbers, least: int) -> dict[int, float]:
    """The largest p-distance between two barcodes of each group.

    Args:
        barcodes: on the frame.
        members: positions of barcodes.
        groups: the group of each; ascending.
        least: columns that two barcodes must share.

    Returns:
        By group. A group is left out if all its pairs share too few columns.
    """
    names, sizes = np.unique(groups, return_counts=True)
    if not len(names):
        return {}
    extent = extents(barcodes, members)
    upto = np.cumsum(sizes * sizes) // _PAIRS
    parts = np.split(np.arange(len(names)), np.flatnonzero(np.diff(upto)) + 1)
    starts = np.cumsum(sizes) - sizes

    def work(part: _Numbers) -> tuple[_Numbers, _Floats]:
        inside = members[starts[part[0]] : starts[part[-1]] + sizes[part[-1]]]
        kinds = kinds_of_groups(barcodes, extent, inside, sizes[part])
        kept = kinds.shared >= least
        group = kinds.group[kept]
        p = p_distance(kinds.shared[kept], kinds.transitions[kept], kinds.transversions[kept])
        first = np.flatnonzero(np.diff(group, prepend=-1))
        return names[part[group[first]]], np.maximum.reduceat(p, first) if len(first) else p

    found: dict[int, float] = {}
    for _, (name, p) in ordered_map(work, parts, cores()):
        found |= zip(name.tolist(), p.tolist(), strict=True)
    return found


def nearest_of_another(
    barcodes: Framed, members: _Numbers, groups: _Numbers, least: int
) -> dict[int, tuple[float | None, int | None]]:
    """The smallest p-distance between a barcode of each group and one of another, and that group.

    Args: as of `farthest`.

    Returns:
        By group, ascending. Of several nearest groups, the first; None for both if there is none to compare with.
    """
    names, number = np.unique(groups, return_inverse=True)
    if not len(names):
        return {}
    held = clusters(barcodes, members, number)
    p, which = nearest_within(barcodes, held, np.zeros(len(names), np.int64), least)
    return {
        name: (distance, int(names[other])) if other >= 0 else (None, None)
        for name, distance, other in zip(names.tolist(), p.tolist(), which.tolist(), strict=True)
    }


def nearest_within(
    barcodes: Framed, held: Clusters, families: _Numbers, least: int, progress: Progress = silent
) -> tuple[_Floats, _Numbers]:
    """The smallest p-distance between a barcode of each group and one of another of its family, and that group.

    Args:
        barcodes: on the frame.
        held: their clusters.
        families: the family of each group; ascending.
        least: columns that two barcodes must share.
        progress: reports the clusters.

    Returns:
        float64, infinite if there is none to compare with, and int64, of several the first, -1 for none; both of shape
        (groups,).
    """
    family = families[held.group]
    firsts = np.flatnonzero(np.diff(family, prepend=-1)).tolist()
    found = [
        (block, first, end)
        for first, end in zip(firsts, [*firsts[1:], len(family)], strict=True)
        for block in blocks(first, end)
    ]

    def is_other(one: _Numbers, other: _Numbers) -> npt.NDArray[np.bool_]:
        other_group: npt.NDArray[np.bool_] = held.group[one] != held.group[other]
        return other_group

    def work(one: tuple[tuple[int, int], int, int]) -> _Floats:
        block, first, end = one
        return some_distance(barcodes, held, np.arange(*block), first, end, is_other, least, len(families))

    limit = np.full(len(families), np.inf)
    for _, some in ordered_map(work, found, cores()):
        np.minimum(limit, some, out=limit)
    stretches = [Stretch(*block, block[0], end) for block, _, end in found]
    rank = np.arange(len(families))
    return nearest_groups(barcodes, held, stretches, is_other, limit, rank, least, progress, "barcodes of a family")


def witnesses(barcodes: Framed, one: _Numbers, other: _Numbers, least: int) -> list[int]:
    """The barcodes that show how far a group spreads, and how near another one comes.

    Args:
        barcodes: on the frame.
        one: positions of the barcodes of the group.
        other: those of the other group.
        least: columns that two barcodes must share.

    Returns:
        Positions, ascending: of two barcodes of the group that lie farthest apart, and of one of each group that lie
        nearest to each other. Of several such pairs, one of each kind. Fewer if no pair shares enough columns.
    """
    members = np.concatenate([one, other])
    is_other = np.arange(len(members)) >= len(one)
    farthest_apart, nearest = -1.0, np.inf
    apart: list[int] = []
    near: list[int] = []
    for rows, columns, shared, differ, _ in _blocks(*_planes(barcodes, members)):
        p = _p(shared, differ, least)
        across = is_other[rows] != is_other[columns]
        within = np.where(~across & ~is_other[rows] & (columns > rows) & np.isfinite(p), p, -1.0)
        between = np.where(across, p, np.inf)
        if within.max() > farthest_apart:
            farthest_apart, apart = float(within.max()), _pair(within.argmax(), rows, columns)
        if between.min() < nearest:
            nearest, near = float(between.min()), _pair(between.argmin(), rows, columns)
    return sorted({int(members[at]) for at in (*apart, *near)})


def _pair(place: np.intp, rows: _Numbers, columns: _Numbers) -> list[int]:
    """The numbers of the row and the column of a cell."""
    row, column = divmod(int(place), columns.shape[1])
    return [int(rows[row, 0]), int(columns[0, column])]


@dataclass(frozen=True, slots=True)
class Distribution:
    """Values with the number of times that each occurs.

    Attributes:
        values: ascending, float64, shape (distinct values,).
        counts: int64, the same shape.
    """

    values: _Floats
    counts: _Numbers

    @classmethod
    def of(cls, values: _Floats, counts: _Numbers) -> Distribution:
        """Sort values and add up the counts of equal ones; NaN is left out."""
        is_number = ~np.isnan(values)
        distinct, where = np.unique(values[is_number], return_inverse=True)
        added = np.zeros(len(distinct), np.int64)
        np.add.at(added, where, counts[is_number])
        return cls(distinct, added)

    @property
    def size(self) -> int:
        """Number of values, with their counts."""
        return int(self.counts.sum())

    def mean(self) -> float | None:
        """Mean; None without values. The sum is exact, so that it does not depend on an order."""
        size = self.size
        return math.fsum((self.values * self.counts).tolist()) / size if size else None

    def standard_deviation(self) -> float | None:
        """Standard deviation of the population; None without values."""
        mean = self.mean()
        if mean is None:
            return None
        return math.sqrt(math.fsum(((self.values - mean) ** 2 * self.counts).tolist()) / self.size)

    def quantiles(self, *shares: float) -> list[float | None]:
        """The smallest values that at least these shares of the values do not exceed; None without values."""
        size = self.size
        if not size:
            return [None for _ in shares]
        upto = np.cumsum(self.counts)
        places = np.searchsorted(upto, [max(1, math.ceil(share * size)) for share in shares])
        return [float(value) for value in self.values[places]]


@dataclass(frozen=True, slots=True)
class Distributions:
    """The distributions of many groups, one after another.

    Attributes:
        values: of each group ascending, float64, shape (distinct values of all groups,).
        counts: int64, the same shape.
        ends: where the values of each group end, int64, shape (groups,).
    """

    values: _Floats
    counts: _Numbers
    ends: _Numbers

    @classmethod
    def of(cls, groups: _Numbers, values: _Floats, counts: _Numbers, size: int) -> Distributions:
        """Sort the values of each group and add up the counts of equal ones; NaN is left out.

        Args:
            groups: the group of each value, from 0; ascending.
            values: float64.
            counts: int64.
            size: number of groups.
        """
        is_number = ~np.isnan(values)
        groups, values, counts = groups[is_number], values[is_number], counts[is_number]
        order = np.argsort(values, kind="stable")
        order = order[np.argsort(groups[order].astype(np.uint16 if size <= 1 << 16 else np.int64), kind="stable")]
        groups, values, counts = groups[order], values[order], counts[order]
        first = np.flatnonzero((np.diff(groups, prepend=-1) != 0) | (np.diff(values, prepend=-1.0) != 0))
        added = np.add.reduceat(counts, first) if len(first) else counts
        ends = np.searchsorted(groups[first], np.arange(size), side="right").astype(np.int64)
        return cls(values[first], added, ends)

    def each(self) -> list[Distribution]:
        """The distribution of each group."""
        starts = np.concatenate([np.zeros(1, np.int64), self.ends[:-1]]).tolist()
        return [
            Distribution(self.values[start:end], self.counts[start:end])
            for start, end in zip(starts, self.ends.tolist(), strict=True)
        ]

    def sizes(self) -> _Numbers:
        """Number of values of each group, with their counts; int64, shape (groups,)."""
        upto = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.counts)])
        sizes: _Numbers = np.diff(upto[self.ends], prepend=0)
        return sizes

    def moments(self) -> list[tuple[float | None, float | None]]:
        """`Distribution.mean` and `Distribution.standard_deviation` of each group."""
        weighted = self.values * self.counts
        sizes, starts = self.sizes(), np.concatenate([np.zeros(1, np.int64), self.ends[:-1]])
        parts = list(zip(starts.tolist(), self.ends.tolist(), sizes.tolist(), strict=True))
        means = [math.fsum(weighted[start:end].tolist()) / size if size else None for start, end, size in parts]
        middle = np.repeat(np.array([mean or 0.0 for mean in means]), self.ends - starts)
        squares = (self.values - middle) ** 2 * self.counts
        spreads = [
            math.sqrt(math.fsum(squares[start:end].tolist()) / size) if size else None for start, end, size in parts
        ]
        return list(zip(means, spreads, strict=True))

    def quantiles(self, *shares: float) -> list[tuple[float | None, ...]]:
        """`Distribution.quantiles` of each group."""
        sizes = self.sizes()
        upto = np.cumsum(self.counts)
        before = np.cumsum(sizes) - sizes
        wanted = before[:, None] + np.maximum(1, np.ceil(np.array(shares) * sizes[:, None])).astype(np.int64)
        has_values = sizes > 0
        found = self.values[np.searchsorted(upto, wanted[has_values])].tolist()
        listed = iter(found)
        return [tuple(next(listed)) if has else (None,) * len(shares) for has in has_values.tolist()]
