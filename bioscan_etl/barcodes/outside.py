"""The nearest barcode of a species of another family, where it is nearer than all of the family: an indexed search.

Of a barcode whose nearest one is in another family, one of the two labels is likely wrong. The search is over all
barcodes, so that it does not compare all pairs:

1. The barcodes of a species that lie close together are one cluster, with the most complete one as its leader.
2. Each leader is compared with each leader outside of its family, first in the columns that differ most (`variable`).
   As many differences as these show, the pair has at least: what is beyond the limit is compared no further. The limit
   is the distance to the nearest barcode within the family, plus a margin: other barcodes of a cluster can be nearer
   than its leader.
3. The barcodes of a cluster are compared with those of the nearest clusters, in full.

Leaders are searched exactly. Recall is below 1 where more than `_KEPT` clusters are nearly as near as the nearest, or
where two clusters are wider than the margin; `benchmarks/outside.py` measures it.

Belongs here: the search. Does not belong here: distances within a family (`distances`), and what they say of a species
(`statistics.audit`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes.distances import FAR, p_of_pairs
from bioscan_etl.barcodes.framed import Framed, compared, known_columns
from bioscan_etl.barcodes.variable import WORDS, differing, variable_words
from bioscan_etl.progress import Progress, silent
from bioscan_etl.threads import cores, ordered_map

_RADIUS = 0.01  # p-distance from its leader up to which a barcode belongs to a cluster
_COVER = 0.95  # share of the leader's columns that it must have for that
# By which two barcodes can be nearer to each other than their leaders, which share more columns.
_MARGIN = 2.5 * _RADIUS
_KEPT = 64  # nearest clusters of each whose barcodes are compared; a species of hundreds of barcodes has dozens
_ROWS, _CELLS = 8, 1 << 15  # leaders at a time, and pairs: their words fit a core's cache
_PAIRS = 8192  # pairs that are compared in full at a time
_ROUNDING = 1e-6

_Numbers = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
_Planes = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.uint64]]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Barcodes of species.

    Attributes:
        members: positions of barcodes, by group and position.
        groups: the group of each, a species within a family; ascending, each from 0 on.
        families: the number of the family of each group; ascending.
        names: the number of the species' name of each group: a species can have a group in two families.
        bounds: of each group, the p-distance from which on a barcode does not matter; infinite for none.
    """

    members: _Numbers
    groups: _Numbers
    families: _Numbers
    names: _Numbers
    bounds: _Floats


@dataclass(frozen=True, slots=True)
class _Index:
    """Clusters, by group: the leader's position, group and number of known columns, and where its members begin."""

    leaders: _Numbers
    groups: _Numbers
    known: _Numbers
    members: _Numbers
    starts: _Numbers
    families: _Numbers
    few: _Planes
    all: _Planes


def nearest_outside(
    barcodes: Framed, labelled: Labelled, least: int, progress: Progress = silent
) -> tuple[_Floats, _Numbers]:
    """Find the nearest barcode of another species in another family, if it is nearer than the bound of the group.

    Args:
        barcodes: on the frame.
        labelled: whose barcodes they are.
        least: columns that two barcodes must share to be compared (setting `barcodes.min_shared_columns`).
        progress: reports the clusters.

    Returns:
        Of each group the p-distance, float64, infinite if there is none below the bound; and the group of that
        barcode, int64, of several the first by name, -1 for none. Both of shape (groups,).
    """
    best = labelled.bounds.copy()
    which = np.full(len(best), -1)
    if not len(labelled.members):
        return best, which
    index = _clustered(barcodes, labelled)

    def work(rows: _Numbers) -> tuple[_Numbers, _Floats, _Numbers]:
        return _of_rows(barcodes, labelled, index, rows, least)

    done = 0
    for rows, found in ordered_map(work, _blocks(index, labelled), cores()):
        for group, p, other in zip(*(part.tolist() for part in found), strict=True):
            if p < best[group] or (
                p == best[group] and which[group] >= 0 and labelled.names[other] < labelled.names[which[group]]
            ):
                best[group], which[group] = p, other
        done += len(rows)
        progress("barcodes of other families", done, len(index.leaders))
    return np.where(which >= 0, best, np.inf), which


def _clustered(barcodes: Framed, labelled: Labelled) -> _Index:
    leaders, groups, members, sizes = [], [], [], []
    known = known_columns(barcodes, labelled.members)
    starts = np.flatnonzero(np.diff(labelled.groups, prepend=-1))
    ends = np.append(starts[1:], len(labelled.members))
    for group, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        left = start + np.argsort(-known[start:end], kind="stable")
        while len(left):
            leader = left[0]
            inside = np.ones(1, np.bool_)
            if len(left) > 1:
                inside = _is_inside(barcodes, labelled.members[leader], labelled.members[left], known[leader])
            leaders.append(labelled.members[leader])
            groups.append(group)
            members.append(labelled.members[left[inside]])
            sizes.append(len(members[-1]))
            left = left[~inside]
    at, of = np.array(leaders), np.array(groups)
    everything = tuple(np.ascontiguousarray(plane[at].T) for plane in (barcodes.low, barcodes.high, barcodes.known))
    return _Index(
        at,
        of,
        np.maximum(known_columns(barcodes, at), 1),
        np.concatenate(members),
        np.concatenate([[0], np.cumsum(sizes)]),
        labelled.families[of],
        variable_words(barcodes, at),
        (everything[0], everything[1], everything[2]),
    )


def _is_inside(barcodes: Framed, leader: int, others: _Numbers, known: int) -> npt.NDArray[np.bool_]:
    shared, differ = compared(barcodes, leader, others)
    inside: npt.NDArray[np.bool_] = (differ <= _RADIUS * shared) & (shared >= _COVER * known)
    inside[0] = True  # itself, even if none of its columns is known
    return inside


def _blocks(index: _Index, labelled: Labelled) -> Iterator[_Numbers]:
    """Some clusters of one family at a time, those with a close and those with a far limit apart."""
    limit = (labelled.bounds[index.groups] + _MARGIN) * index.known
    is_far = ~(limit < FAR)
    firsts = np.flatnonzero(np.diff(index.families, prepend=-1))
    for first, end in zip(firsts.tolist(), np.append(firsts[1:], len(index.families)).tolist(), strict=True):
        rows = np.arange(first, end)
        for part in (rows[~is_far[first:end]], rows[is_far[first:end]]):
            for start in range(0, len(part), _ROWS):
                yield part[start : start + _ROWS]


def _of_rows(
    barcodes: Framed, labelled: Labelled, index: _Index, rows: _Numbers, least: int
) -> tuple[_Numbers, _Floats, _Numbers]:
    """The nearest of each group that some clusters of one family belong to: group, p-distance, the other's group."""
    p, near = _near_leaders(barcodes, labelled, index, rows, least)
    groups = index.groups[rows]
    best = labelled.bounds[groups]
    which = np.full(len(rows), -1)
    for kept in range(_KEPT):
        row = np.flatnonzero((near[:, kept] >= 0) & (p[:, kept] <= best + _MARGIN + _ROUNDING))
        for part in _crossed(index, rows, row, near[row, kept]):
            _better(barcodes, labelled, part, least, best, which)
    found = which >= 0
    return groups[found], best[found], which[found]


def _near_leaders(
    barcodes: Framed, labelled: Labelled, index: _Index, rows: _Numbers, least: int
) -> tuple[_Floats, _Numbers]:
    """The nearest leaders outside of the family, ascending by distance: p-distance and leader, shape (rows, _KEPT)."""
    family = index.families[rows[0]]
    first, end = np.searchsorted(index.families, [family, family + 1])
    ceiling = labelled.bounds[index.groups[rows]] + _MARGIN
    is_far = not (ceiling * index.known[rows] < FAR).all()
    planes = index.all if is_far else index.few
    most = np.iinfo(np.uint16).max if is_far else 64 * WORDS
    mine = tuple(np.ascontiguousarray(plane[:, rows]) for plane in planes)
    best, which = np.full((len(rows), _KEPT), np.inf), np.full((len(rows), _KEPT), -1)
    width = _CELLS // len(rows)
    for low, high in ((0, int(first)), (int(end), len(index.leaders))):
        for start in range(low, high, width):
            tile = slice(start, min(start + width, high))
            differ = differing(
                (mine[0], mine[1], mine[2]), (planes[0][:, tile], planes[1][:, tile], planes[2][:, tile])
            )
            limit = np.minimum(ceiling, best[:, -1]) * index.known[rows] + _ROUNDING
            row, column = np.nonzero(differ <= np.minimum(limit, most).astype(differ.dtype)[:, None])
            if len(row):
                _keep(barcodes, labelled, index, rows, row, start + column, ceiling, least, best, which)
    return best, which


def _keep(
    barcodes: Framed,
    labelled: Labelled,
    index: _Index,
    rows: _Numbers,
    row: _Numbers,
    column: _Numbers,
    ceiling: _Floats,
    least: int,
    best: _Floats,
    which: _Numbers,
) -> None:
    """Compare pairs of leaders in full; `best` and `which` are changed where a pair is among the nearest."""
    is_other = labelled.names[index.groups[rows[row]]] != labelled.names[index.groups[column]]
    row, column = row[is_other], column[is_other]
    p = np.concatenate(
        [
            p_of_pairs(barcodes, index.leaders[rows[row[part]]], index.leaders[column[part]], least)
            for part in (slice(start, start + _PAIRS) for start in range(0, len(row), _PAIRS))
        ]
        or [np.empty(0)]
    )
    near = np.isfinite(p) & (p <= np.minimum(ceiling, best[:, -1])[row])
    for at in np.unique(row[near]).tolist():
        mine = near & (row == at)
        distance, leader = np.append(best[at], p[mine]), np.append(which[at], column[mine])
        order = np.lexsort((leader, distance))[:_KEPT]
        best[at], which[at] = distance[order], leader[order]


def _crossed(
    index: _Index, rows: _Numbers, row: _Numbers, others: _Numbers
) -> Iterator[tuple[_Numbers, _Numbers, _Numbers, _Numbers]]:
    """All pairs of members of two clusters, some at a time: row, position, the other's position and group."""
    sizes = index.starts[1:] - index.starts[:-1]
    wide = sizes[others]
    count = sizes[rows[row]] * wide
    upto = np.cumsum(count)
    for start in range(0, int(upto[-1]) if len(upto) else 0, _PAIRS):
        number = np.arange(start, min(start + _PAIRS, int(upto[-1])))
        pair = np.searchsorted(upto, number, side="right")
        own, other = np.divmod(number - (upto - count)[pair], wide[pair])
        yield (
            row[pair],
            index.members[index.starts[rows[row[pair]]] + own],
            index.members[index.starts[others[pair]] + other],
            index.groups[others[pair]],
        )


def _better(
    barcodes: Framed,
    labelled: Labelled,
    pairs: tuple[_Numbers, _Numbers, _Numbers, _Numbers],
    least: int,
    best: _Floats,
    which: _Numbers,
) -> None:
    """Compare pairs in full; `best` and `which` are changed where a pair is nearer, or as near and first by name."""
    row, one, other, group = pairs
    p = p_of_pairs(barcodes, one, other, least)
    name = labelled.names[group]
    order = np.lexsort((name, p, row))
    first = order[np.unique(row[order], return_index=True)[1]]
    for at, distance, found, called in zip(
        row[first].tolist(), p[first].tolist(), group[first].tolist(), name[first].tolist(), strict=True
    ):
        is_first = distance == best[at] and which[at] >= 0 and called < labelled.names[which[at]]
        if distance < best[at] or is_first:
            best[at], which[at] = distance, found
