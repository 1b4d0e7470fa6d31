"""The nearest barcode of another group, by clusters: exactly, without comparing all pairs.

1. The centres of clusters are compared in all columns. Two clusters whose centres differ in so many columns that no
   pair of their barcodes can be near enough are left out (`clusters` says why that is certain).
2. The barcodes of the others are compared in full, except pairs that their own radii exclude.

What is near enough is known before: of each group a distance that some pair has, or one from which on nothing matters.

Belongs here: the search. Does not belong here: whose barcodes they are (`distances`, `outside`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes.clusters import Clusters
from bioscan_etl.barcodes.framed import Framed, compared
from bioscan_etl.progress import Progress, silent
from bioscan_etl.threads import cores, ordered_map

_ROWS, _TILE = 32, 512  # centres that are compared at a time: their words fit a core's cache
_PAIRS = 1 << 14  # pairs of barcodes that are compared in full at a time
_ROUNDING = 1e-6
_WORDS = range(11)
_MIDDLE = range(2, 8)  # words that nearly all barcodes reach; most pairs of families differ enough in these alone
_ENDS = (0, 1, 8, 9, 10)
_SPARSE = 8  # of so many pairs one: they are compared one by one
_NO_LIMIT = 2000  # more columns than a barcode and two radii have

_Numbers = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
_Small = npt.NDArray[np.uint16]
_Found = tuple[_Numbers, _Floats, _Numbers]
Wanted = Callable[[_Numbers, _Numbers], npt.NDArray[np.bool_]]
"""Whether the second of two clusters is of interest to the first, and the other way around: of two cluster numbers."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Clusters, and those that they are compared with; numbers from the first to before the last.

    A pair of clusters must not be in two stretches.
    """

    first: int
    last: int
    others_first: int
    others_last: int


def nearest_groups(
    barcodes: Framed,
    held: Clusters,
    stretches: list[Stretch],
    wanted: Wanted,
    limit: _Floats,
    rank: _Numbers,
    least: int,
    progress: Progress = silent,
    label: str = "",
) -> tuple[_Floats, _Numbers]:
    """Find the smallest p-distance of a barcode of each group to one of another group, and that group.

    Args:
        barcodes: on the frame.
        held: their clusters.
        stretches: which clusters are compared; of two within one stretch's first part, each pair once.
        wanted: which pairs of clusters of these matter.
        limit: of each group, the p-distance beyond which nothing matters; float64, shape (groups,).
        rank: of each group, which comes first of several that are equally near; int64, shape (groups,).
        least: columns that two barcodes must share to be compared.
        progress: reports the clusters.
        label: what it calls them.

    Returns:
        The p-distance, float64, infinite if there is none up to the limit; and the group, int64, -1 for none. Both of
        shape (groups,).
    """
    best, which = np.full(len(limit), np.inf), np.full(len(limit), -1)
    radius = held.radius.astype(np.uint16)
    # What is found lowers the limits for what follows. That a thread reads an older limit costs time, no result.
    limit = limit.copy()

    def work(stretch: Stretch) -> _Found:
        found = []
        for one, other, differ in _near(held, stretch, _reach(held, limit), radius):
            matters = np.flatnonzero(wanted(one, other))
            matters = matters[np.argsort(differ[matters], kind="stable")]  # the likely nearest first
            for part in _crossed(barcodes, held, one[matters], other[matters], differ[matters], limit):
                found.append(_compared(barcodes, held, *part, limit, rank, least))
                group, p, _ = found[-1]
                limit[group] = np.minimum(limit[group], p)
        return _first(found, rank)

    done, every = 0, sum(stretch.last - stretch.first for stretch in stretches)
    for stretch, (group, p, other) in ordered_map(work, stretches, cores()):
        better = (p < best[group]) | ((p == best[group]) & (rank[other] < rank[which[group]]))
        best[group[better]], which[group[better]] = p[better], other[better]
        done += stretch.last - stretch.first
        if label:
            progress(label, done, every)
    return best, which


def _reach(held: Clusters, limit: _Floats) -> _Small:
    """The columns in which the centre of another cluster may differ, less its radius, by the limits of groups."""
    most = limit[held.group]
    is_bound = np.isfinite(most)
    columns = np.where(is_bound, most, 0.0) * held.columns + _ROUNDING
    reach: _Small = np.where(is_bound, columns + held.radius, _NO_LIMIT).astype(np.uint16)
    return reach


def some_distance(
    barcodes: Framed, held: Clusters, rows: _Numbers, first: int, last: int, wanted: Wanted, least: int, groups: int
) -> _Floats:
    """A p-distance that a barcode of each group has to one of another, likely a small one.

    It is the smallest between the barcodes of two clusters whose centres differ in the fewest columns.

    Args:
        barcodes: on the frame.
        held: their clusters.
        rows: clusters, by number.
        first: of the clusters that these are compared with.
        last: before which those end.
        wanted: which pairs of clusters count.
        least: as of `nearest_groups`.
        groups: number of groups.

    Returns:
        float64, shape (groups,); infinite where none was found.
    """
    fewest, which = np.full(len(rows), _NO_LIMIT, np.uint16), np.zeros(len(rows), np.int64)
    # What has few columns differs in few, and may share too few with the other.
    lacking = ((held.columns.max() - held.columns) // 8).astype(np.uint16)
    at = np.arange(len(rows))
    for start in range(first, last, _TILE):
        columns = np.arange(start, min(start + _TILE, last))
        differ = _differing(held, rows, slice(start, int(columns[-1]) + 1)) + lacking[columns]
        differ[~wanted(rows[:, None], columns[None, :])] = _NO_LIMIT
        found = differ.argmin(axis=1)
        is_better = differ[at, found] < fewest
        fewest[is_better], which[is_better] = differ[at, found][is_better], columns[found[is_better]]
    is_found = fewest < _NO_LIMIT
    rows, which = rows[is_found], which[is_found]
    centres = fewest[is_found].astype(np.int64) - lacking[which]
    upper = np.full(groups, np.inf)
    _lower(barcodes, held.group[rows], held.nearest[rows], held.nearest[which], least, upper)
    for one, other, a, b in _crossed(barcodes, held, rows, which, centres, upper):
        for group in (held.group[one], held.group[other]):
            _lower(barcodes, group, held.members[a], held.members[b], least, upper)
    return upper


def _lower(barcodes: Framed, group: _Numbers, one: _Numbers, other: _Numbers, least: int, upper: _Floats) -> None:
    """Compare pairs of barcodes; `upper` of the group of each first one is changed where they are nearer."""
    shared, differ = compared(barcodes, one, other)
    enough = shared >= max(least, 1)
    np.minimum.at(upper, group[enough], differ[enough] / shared[enough])


def blocks(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Some clusters at a time: the first, and the one after the last."""
    for start in range(first, last, _ROWS):
        yield start, min(start + _ROWS, last)


def _near(
    held: Clusters, stretch: Stretch, reach: _Small, radius: _Small
) -> Iterator[tuple[_Numbers, _Numbers, _Numbers]]:
    """Pairs of clusters of which one can be near enough to the other, and the columns in which their centres differ."""
    rows = np.arange(stretch.first, stretch.last)
    for start in range(stretch.others_first, stretch.others_last, _TILE):
        tile = slice(start, min(start + _TILE, stretch.others_last))
        most = np.maximum(reach[rows][:, None] + radius[tile], reach[tile] + radius[rows][:, None])
        differ = _differing(held, rows, tile, _MIDDLE)
        row, column = np.nonzero(differ <= most)
        if len(row) * _SPARSE > differ.size:
            differ += _differing(held, rows, tile, _ENDS)
            row, column = np.nonzero(differ <= most)
            found = differ[row, column]
        else:
            found = differ[row, column] + _differing_pairs(held, rows[row], start + column, _ENDS)
            kept = found <= most[row, column]
            row, column, found = row[kept], column[kept], found[kept]
        one, other = rows[row], start + column
        later = other > one
        yield one[later], other[later], found[later].astype(np.int64)


def _differing(held: Clusters, rows: _Numbers, tile: slice, words: Iterable[int] = _WORDS) -> _Small:
    """The columns in which the centres of some clusters differ from those of others, uint16, shape (rows, others).

    Only the columns of some words are looked at.
    """
    shape = (len(rows), held.known[0, tile].size)
    differ = np.zeros(shape, np.uint16)
    bits, side = np.empty(shape, np.uint64), np.empty(shape, np.uint64)
    counted = np.empty(shape, np.uint8)
    for word in words:
        low, high, known = held.low[word], held.high[word], held.known[word]
        np.bitwise_xor(low[rows][:, None], low[tile], out=bits)
        np.bitwise_xor(high[rows][:, None], high[tile], out=side)
        bits |= side
        # Most centres have a base in each column. In columns that all of them lack, all bits are 0.
        mine, theirs = known[rows], known[tile]
        if (mine != mine[0]).any() or (theirs != mine[0]).any():
            bits &= mine[:, None]
            bits &= theirs
        differ += np.bitwise_count(bits, out=counted)
    return differ


def _differing_pairs(held: Clusters, one: _Numbers, other: _Numbers, words: Iterable[int]) -> _Small:
    """As `_differing`, of pairs of clusters; uint16, shape (pairs,)."""
    differ = np.zeros(len(one), np.uint16)
    for word in words:
        low, high, known = held.low[word], held.high[word], held.known[word]
        bits = (low[one] ^ low[other]) | (high[one] ^ high[other])
        differ += np.bitwise_count(bits & known[one] & known[other])
    return differ


def _crossed(
    barcodes: Framed, held: Clusters, one: _Numbers, other: _Numbers, differ: _Numbers, limit: _Floats
) -> Iterator[tuple[_Numbers, _Numbers, _Numbers, _Numbers]]:
    """Pairs of barcodes of two clusters that can be near enough, some at a time: the clusters, and the barcodes.

    Each barcode of the larger cluster is first compared with the centre of the other: what is by itself in a barcode
    mostly adds to its distance from all others, which the two radii cannot tell.

    The last two are places in `held.members`.
    """
    sizes = np.diff(held.starts)
    is_larger = sizes[one] > sizes[other]
    small, large = np.where(is_larger, other, one), np.where(is_larger, one, other)
    columns = np.minimum(held.columns[one], held.columns[other])
    for every, number in numbered(sizes[large]):
        at = held.starts[large[every]] + number
        most = np.maximum(limit[held.group[one[every]]], limit[held.group[other[every]]]) * columns[every] + _ROUNDING
        kept = differ[every] - held.radii[at] - held.radius[small[every]] <= most
        pair, b = every[kept], at[kept]
        need = from_centres(barcodes, held, small[pair], held.members[b]) - most[kept]  # of the other's radius
        kept = need <= held.radius[small[pair]]
        pair, b, need = pair[kept], b[kept], need[kept]
        for place, first in numbered(sizes[small[pair]]):
            a = held.starts[small[pair[place]]] + first
            near = held.radii[a] >= need[place]
            shown = pair[place[near]]
            yield small[shown], large[shown], a[near], b[place[near]]


def numbered(sizes: _Numbers) -> Iterator[tuple[_Numbers, _Numbers]]:
    """Count up to each of some sizes.

    Args:
        sizes: of any things, int64, shape (things,).

    Yields:
        For each thing each number below its size, some at a time: the place of the thing, and the number.
    """
    upto = np.cumsum(sizes)
    every = int(upto[-1]) if len(upto) else 0
    for start in range(0, every, _PAIRS):
        end = min(start + _PAIRS, every)
        first, last = np.searchsorted(upto, [start, end - 1], side="right").tolist()
        part = sizes[first : last + 1].copy()
        part[-1] -= upto[last] - end
        part[0] -= start - (upto[first] - sizes[first])
        place = np.repeat(np.arange(first, last + 1), part)
        yield place, np.arange(start, end) - (upto - sizes)[place]


def from_centres(barcodes: Framed, held: Clusters, cluster: _Numbers, members: _Numbers) -> _Numbers:
    """Compare barcodes with centres of clusters.

    Args:
        barcodes: on the frame.
        held: clusters.
        cluster: the number of the cluster of each pair.
        members: the position of the barcode.

    Returns:
        The columns in which both have a base and these differ, int64, shape (pairs,).
    """
    low, high, known = (plane[cluster] for plane in held.centres)
    bits = ((low ^ barcodes.low[members]) | (high ^ barcodes.high[members])) & known & barcodes.known[members]
    counted = np.bitwise_count(bits)
    found = np.zeros(len(bits), np.int64)
    for word in range(bits.shape[1]):
        found += counted[:, word]
    return found


def _compared(
    barcodes: Framed,
    held: Clusters,
    one: _Numbers,
    other: _Numbers,
    a: _Numbers,
    b: _Numbers,
    limit: _Floats,
    rank: _Numbers,
    least: int,
) -> _Found:
    """The nearest of each group of some pairs: group, p-distance, the other's group."""
    shared, differ = compared(barcodes, held.members[a], held.members[b])
    enough = shared >= max(least, 1)
    p = differ[enough] / shared[enough]
    first, second = held.group[one[enough]], held.group[other[enough]]
    group, p, nearest = np.append(first, second), np.append(p, p), np.append(second, first)
    kept = p <= limit[group]
    return _first([(group[kept], p[kept], nearest[kept])], rank)


def _first(found: list[_Found], rank: _Numbers) -> _Found:
    """The nearest of each group; of several, the first by rank."""
    if not found:
        return np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64)
    group, p, other = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((other, rank[other], p, group))
    first = order[np.diff(group[order], prepend=-1) != 0]
    return group[first], p[first], other[first]
