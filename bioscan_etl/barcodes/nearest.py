"""The nearest of some barcodes to each of others: by p-distance over the columns that both have, exactly.

1. Both lie in clusters. Two clusters whose centres differ in so many columns that no pair of their barcodes can be as
   near as the nearest so far are left out (`clusters` says why that is certain). Of barcodes of one gene, that is
   nearly all, since the search begins with the barcodes before and after in lexical order, and with the cluster whose
   centre differs in the fewest columns.
2. The barcodes of one are compared with the centre of the other, then with its members that can be near enough.

Belongs here: the search. Does not belong here: whose barcodes they are (`statistics.leakage_curve`), and
counting those within a limit (`within`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes.apart import from_centres, numbered
from bioscan_etl.barcodes.clusters import Clusters
from bioscan_etl.barcodes.columns import COLUMNS
from bioscan_etl.barcodes.distances import p_of_pairs
from bioscan_etl.barcodes.framed import Framed, known_columns
from bioscan_etl.barcodes.variable import differing
from bioscan_etl.threads import cores, ordered_map

_ROWS, _TILE = 16, 2048  # centres that are compared at a time: their words fit a core's cache
_PAIRS = 1 << 14  # pairs of barcodes that are compared in full at a time
_FIRST = 256  # barcodes and clusters whose members are compared before the next ones are looked at
_ROUNDING = 1e-6  # a pair that is as near as the nearest so far is compared, too
_NEIGHBOURS = 4  # barcodes before and after in lexical order that the search begins with

_Numbers = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Search:
    """What is searched, and the nearest so far, which is changed.

    Attributes:
        barcodes: on the frame.
        least: columns that two barcodes must share.
        wanted: positions, ascending.
        known: columns in which each of these has a base, at least 1.
        best, which: the p-distance and the position of the nearest one so far.
        offered: the barcodes that are searched.
    """

    barcodes: Framed
    least: int
    wanted: _Numbers
    known: _Numbers
    best: _Floats
    which: _Numbers
    offered: Clusters

    def limit(self, rows: _Numbers) -> _Numbers:
        """Differences that barcodes may have at most to be as near as the nearest one so far, shape (rows,)."""
        # A pair differs in at most `best` of the columns that both have, which are at most those of one.
        found: _Numbers = np.minimum(self.best[rows] * self.known[rows] + _ROUNDING, COLUMNS).astype(np.int64)
        return found


def nearest(barcodes: Framed, mine: Clusters, theirs: Clusters, least: int) -> tuple[_Floats, _Numbers]:
    """Find the nearest of some barcodes to each of others.

    Args:
        barcodes: on the frame, in lexical order.
        mine: the others, each once, in clusters.
        theirs: the barcodes that are searched, each once. Which clusters these are in changes no result; the search is
            fast if barcodes of a group are mostly alike, as those of a species.
        least: columns that two barcodes must share to be compared (setting `barcodes.min_shared_columns`).

    Returns:
        The p-distance, float64, infinite without a barcode that shares enough columns; and the position of the
        barcode, of several the first, -1 for none. Both of shape (others,), by the position of the others.
    """
    wanted, offered = np.sort(mine.members), np.sort(theirs.members)
    best, which = np.full(len(wanted), np.inf), np.full(len(wanted), -1)
    if not len(wanted) or not len(offered):
        return best, which
    known: _Numbers = np.maximum(known_columns(barcodes, wanted), 1)
    search = _Search(barcodes, least, wanted, known, best, which, theirs)
    rows = np.searchsorted(wanted, mine.members)

    def begin(start: int) -> None:
        part = np.arange(start, min(start + _TILE, len(wanted)))
        near = np.searchsorted(offered, wanted[part])[:, None] + np.arange(-_NEIGHBOURS, _NEIGHBOURS)[None, :]
        row, place = np.nonzero((near >= 0) & (near < len(offered)))
        _better(search, part[row], offered[near[row, place]])

    def work(start: int) -> None:
        _nearest_of(search, mine, rows, np.arange(start, min(start + _ROWS, len(mine.group))))

    for function, every, step in ((begin, len(wanted), _TILE), (work, len(mine.group), _ROWS)):
        for _ in ordered_map(function, range(0, every, step), cores()):
            pass
    return best, which


def _nearest_of(search: _Search, mine: Clusters, rows: _Numbers, some: _Numbers) -> None:
    """Find the nearest ones of the barcodes of some clusters; `rows` are those of `mine.members`."""
    theirs = search.offered
    differ = np.empty((len(some), len(theirs.group)), np.int16)
    words = (mine.low[:, some], mine.high[:, some], mine.known[:, some])
    for start in range(0, differ.shape[1], _TILE):
        tile = slice(start, start + _TILE)
        differ[:, tile] = differing(words, (theirs.low[:, tile], theirs.high[:, tile], theirs.known[:, tile]))
    sizes = mine.starts[some + 1] - mine.starts[some]
    of = np.repeat(np.arange(len(some)), sizes)
    members = rows[mine.starts[some[0]] : mine.starts[some[-1] + 1]]
    first = differ.argmin(axis=1)
    _compare(search, members, first[of])
    limit = np.maximum.reduceat(search.limit(members), np.cumsum(sizes) - sizes) + mine.radius[some]
    one, cluster = np.nonzero(differ - theirs.radius.astype(np.int16) <= limit[:, None])
    later = cluster != first[one]
    one, cluster = one[later], cluster[later]
    for pair, number in numbered(sizes[one]):
        _compare(search, rows[mine.starts[some[one[pair]]] + number], cluster[pair])


def _compare(search: _Search, row: _Numbers, cluster: _Numbers) -> None:
    """Compare barcodes with clusters: with the centres, then with those members that can be near enough."""
    held = search.offered
    differ = from_centres(search.barcodes, held, cluster, search.wanted[row])
    order = np.argsort(differ - held.radius[cluster], kind="stable")  # the likely nearest first
    row, cluster, differ = row[order], cluster[order], differ[order]
    for start in range(0, len(row), _FIRST):
        part = np.arange(start, min(start + _FIRST, len(row)))
        part = part[differ[part] - held.radius[cluster[part]] <= search.limit(row[part])]
        for place, number in numbered(held.starts[cluster[part] + 1] - held.starts[cluster[part]]):
            pair = part[place]
            at = held.starts[cluster[pair]] + number
            near = differ[pair] - held.radii[at] <= search.limit(row[pair])
            _better(search, row[pair[near]], held.members[at[near]])


def _better(search: _Search, row: _Numbers, others: _Numbers) -> None:
    """Compare pairs in full; `best` and `which` are changed where a pair is nearer, or as near and first."""
    best, which = search.best, search.which
    for start in range(0, len(row), _PAIRS):
        part, other = row[start : start + _PAIRS], others[start : start + _PAIRS]
        p = p_of_pairs(search.barcodes, search.wanted[part], other, search.least)
        is_better = p <= best[part]
        is_better &= np.isfinite(p)
        part, other, p = part[is_better], other[is_better], p[is_better]
        order = np.lexsort((other, p, part))
        first = order[np.unique(part[order], return_index=True)[1]]
        at, p, other = part[first], p[first], other[first]
        is_better = (p < best[at]) | ((p == best[at]) & (other < which[at]))
        best[at[is_better]], which[at[is_better]] = p[is_better], other[is_better]
