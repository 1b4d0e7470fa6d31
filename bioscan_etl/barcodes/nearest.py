"""The nearest of some barcodes to each of others: by p-distance over the columns that both have, exactly.

A pair is first compared in the columns that differ most (`variable`). As many differences as these show, the whole pair
has at least: a pair that is farther apart than the nearest one so far is not compared further. Of barcodes of one gene,
that is nearly all, since the search begins with those that follow each other in lexical order.

Belongs here: the search. Does not belong here: whose barcodes they are (`statistics.leakage_curve`), and
counting those within a limit (`within`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes.distances import p_of_pairs
from bioscan_etl.barcodes.framed import Framed, known_columns
from bioscan_etl.barcodes.variable import WORDS, differing, variable_words
from bioscan_etl.threads import cores, ordered_map

_ROWS, _TILE = 8, 4096  # pairs that are compared at a time: their words fit a core's cache
_ROUNDING = 1e-6  # a pair that is as near as the nearest so far is compared, too
_NEIGHBOURS = 4  # barcodes before and after in lexical order that the search begins with

_Numbers = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
_Planes = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.uint64]]


def nearest(barcodes: Framed, wanted: _Numbers, offered: _Numbers, least: int) -> tuple[_Floats, _Numbers]:
    """Find the nearest of the offered barcodes to each wanted one.

    Args:
        barcodes: on the frame, in lexical order.
        wanted: positions, ascending.
        offered: positions, ascending.
        least: columns that two barcodes must share to be compared (setting `barcodes.min_shared_columns`).

    Returns:
        The p-distance, float64, infinite without an offered barcode that shares enough columns; and the position of
        the barcode, of several the first, -1 for none. Both of shape (wanted,).
    """
    starts = range(0, len(wanted), _ROWS)
    known: _Numbers = np.maximum(known_columns(barcodes, wanted), 1)
    rows, columns = variable_words(barcodes, wanted), variable_words(barcodes, offered)

    def work(start: int) -> tuple[_Floats, _Numbers]:
        part = slice(start, start + _ROWS)
        mine = (rows[0][:, part], rows[1][:, part], rows[2][:, part])
        return _of_rows(barcodes, wanted[part], known[part], mine, offered, columns, least)

    parts = [part for _, part in ordered_map(work, starts, cores())]
    if not parts:
        return np.empty(0), np.empty(0, np.int64)
    return np.concatenate([p for p, _ in parts]), np.concatenate([at for _, at in parts])


def _of_rows(
    barcodes: Framed,
    rows: _Numbers,
    known: _Numbers,
    mine: _Planes,
    offered: _Numbers,
    theirs: _Planes,
    least: int,
) -> tuple[_Floats, _Numbers]:
    best, which = np.full(len(rows), np.inf), np.full(len(rows), -1)
    if not len(offered):
        return best, which
    near = np.searchsorted(offered, rows)[:, None] + np.arange(-_NEIGHBOURS, _NEIGHBOURS)[None, :]
    row, column = np.nonzero((near >= 0) & (near < len(offered)))
    _better(barcodes, rows, row, offered[near[row, column]], least, best, which)
    for start in range(0, len(offered), _TILE):
        tile = slice(start, start + _TILE)
        differ = differing(mine, (theirs[0][:, tile], theirs[1][:, tile], theirs[2][:, tile]))
        # A pair differs in at most `best` of the columns that both have, which are at most those of one.
        limit = np.minimum(best * known + _ROUNDING, 64 * WORDS).astype(np.uint8)
        row, column = np.nonzero(differ <= limit[:, None])
        _better(barcodes, rows, row, offered[tile][column], least, best, which)
    return best, which


def _better(
    barcodes: Framed,
    rows: _Numbers,
    row: _Numbers,
    others: _Numbers,
    least: int,
    best: _Floats,
    which: _Numbers,
) -> None:
    """Compare pairs in full; `best` and `which` are changed where a pair is nearer, or as near and first."""
    for start in range(0, len(row), _TILE):
        part, other = row[start : start + _TILE], others[start : start + _TILE]
        p = p_of_pairs(barcodes, rows[part], other, least)
        is_compared = np.isfinite(p)
        part, other, p = part[is_compared], other[is_compared], p[is_compared]
        order = np.lexsort((other, p, part))
        first = order[np.unique(part[order], return_index=True)[1]]
        at, p, other = part[first], p[first], other[first]
        is_better = (p < best[at]) | ((p == best[at]) & (other < which[at]))
        best[at[is_better]], which[at[is_better]] = p[is_better], other[is_better]
