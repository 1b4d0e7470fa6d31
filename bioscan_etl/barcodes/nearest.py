"""The barcodes of a set that lie near each of others: by p-distance over the columns that both have, exactly.

A pair is first compared in the first words of its bits. As many differences as these have, the whole pair has at least:
a pair that is farther apart than the nearest one so far is not compared further. Of barcodes of one gene, that is
nearly all, since the search begins with those that follow each other in lexical order.

Belongs here: the search. Does not belong here: whose barcodes they are (`statistics.leakage_curve`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes.columns import COLUMNS
from bioscan_etl.barcodes.framed import Framed
from bioscan_etl.threads import cores, ordered_map

_FIRST = 3  # words that decide whether a pair is compared further
_ROWS, _TILE = 32, 8192  # pairs that are compared at a time
_ROUNDING = 1e-6  # a pair that is as near as the nearest so far is compared, too
_NEIGHBOURS = 4  # barcodes before and after in lexical order that the search begins with

_Numbers = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


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
    found = ordered_map(
        lambda start: _of_rows(barcodes, wanted[start : start + _ROWS], offered, least), starts, cores()
    )
    parts = [part for _, part in found]
    if not parts:
        return np.empty(0), np.empty(0, np.int64)
    return np.concatenate([p for p, _ in parts]), np.concatenate([at for _, at in parts])


def within(barcodes: Framed, wanted: _Numbers, offered: _Numbers, least: int, most: int) -> _Numbers:
    """Count the offered barcodes that differ from each wanted one in few columns.

    Args:
        barcodes: on the frame.
        wanted: positions.
        offered: positions.
        least: columns that two barcodes must share to be compared (setting `barcodes.min_shared_columns`).
        most: columns in which they may differ, of those that both have.

    Returns:
        int64, shape (wanted,).
    """

    def count(start: int) -> _Numbers:
        rows = wanted[start : start + _ROWS]
        found = np.zeros(len(rows), np.int64)
        for tile, differ in _first_words(barcodes, rows, offered):
            row, column = np.nonzero(differ <= most)
            for first in range(0, len(row), _TILE):
                part, other = row[first : first + _TILE], column[first : first + _TILE]
                is_near = are_within(barcodes, rows[part], tile[other], least, most)
                found += np.bincount(part[is_near], minlength=len(rows))
        return found

    parts = [part for _, part in ordered_map(count, range(0, len(wanted), _ROWS), cores())]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def are_within(barcodes: Framed, one: _Numbers, other: _Numbers, least: int, most: int) -> npt.NDArray[np.bool_]:
    """Whether the barcodes of each pair share enough columns and differ in few of them, shape (pairs,).

    Args:
        barcodes: on the frame.
        one: positions of the first barcodes.
        other: positions of the second.
        least: as of `within`.
        most: as of `within`.
    """
    shared, differ = _compared(barcodes, one, other)
    return (shared >= max(least, 1)) & (differ <= most)


def _first_words(
    barcodes: Framed, rows: _Numbers, offered: _Numbers
) -> Iterator[tuple[_Numbers, npt.NDArray[np.uint16]]]:
    """Some of the offered barcodes, and the differences of each row from them in the first words: (rows, offered)."""
    low, high, known = (one[rows, :_FIRST].T[:, :, None] for one in (barcodes.low, barcodes.high, barcodes.known))
    for start in range(0, len(offered), _TILE):
        tile = offered[start : start + _TILE]
        differ = np.zeros((len(rows), len(tile)), np.uint16)
        for word in range(_FIRST):
            bits = (low[word] ^ barcodes.low[tile, word]) | (high[word] ^ barcodes.high[tile, word])
            bits &= known[word] & barcodes.known[tile, word]
            differ += np.bitwise_count(bits)
        yield tile, differ


def _compared(barcodes: Framed, one: _Numbers, other: _Numbers) -> tuple[_Numbers, _Numbers]:
    """Columns that the barcodes of each pair share, and those in which they differ; shape (pairs,)."""
    both = barcodes.known[one] & barcodes.known[other]
    bits = (barcodes.low[one] ^ barcodes.low[other]) | (barcodes.high[one] ^ barcodes.high[other])
    shared = np.bitwise_count(both).sum(axis=1, dtype=np.int64)
    return shared, np.bitwise_count(bits & both).sum(axis=1, dtype=np.int64)


def _of_rows(barcodes: Framed, rows: _Numbers, offered: _Numbers, least: int) -> tuple[_Floats, _Numbers]:
    best, which = np.full(len(rows), np.inf), np.full(len(rows), -1)
    if not len(offered):
        return best, which
    near = np.searchsorted(offered, rows)[:, None] + np.arange(-_NEIGHBOURS, _NEIGHBOURS)[None, :]
    row, column = np.nonzero((near >= 0) & (near < len(offered)))
    _better(barcodes, rows, row, offered[near[row, column]], least, best, which)
    for tile, differ in _first_words(barcodes, rows, offered):
        row, column = np.nonzero(differ <= best[:, None] * COLUMNS + _ROUNDING)
        _better(barcodes, rows, row, tile[column], least, best, which)
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
        one = rows[part]
        shared, differ = _compared(barcodes, one, other)
        is_compared = shared >= max(least, 1)
        part, other, p = part[is_compared], other[is_compared], (differ / np.maximum(shared, 1))[is_compared]
        order = np.lexsort((other, p, part))
        first = order[np.unique(part[order], return_index=True)[1]]
        at, p, other = part[first], p[first], other[first]
        is_better = (p < best[at]) | ((p == best[at]) & (other < which[at]))
        best[at[is_better]], which[at[is_better]] = p[is_better], other[is_better]
