"""How many of some barcodes differ from each of others in few of the columns that both have, exactly.

A pair is first compared in the columns that differ most (`variable`): what shows more differences there is beyond the
limit.

Belongs here: counting. Does not belong here: the nearest one (`nearest`), and the partitions that are compared
(`splits.near_duplicates`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes.framed import Framed, compared
from bioscan_etl.barcodes.variable import differing, variable_words
from bioscan_etl.threads import cores, ordered_map

_ROWS, _TILE = 8, 4096  # pairs that are compared at a time: their words fit a core's cache

_Numbers = npt.NDArray[np.int64]


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
    rows, columns = variable_words(barcodes, wanted), variable_words(barcodes, offered)

    def count(start: int) -> _Numbers:
        part = slice(start, start + _ROWS)
        mine = (rows[0][:, part], rows[1][:, part], rows[2][:, part])
        found = np.zeros(mine[0].shape[1], np.int64)
        for first in range(0, len(offered), _TILE):
            tile = slice(first, first + _TILE)
            differ = differing(mine, (columns[0][:, tile], columns[1][:, tile], columns[2][:, tile]))
            row, column = np.nonzero(differ <= most)
            is_near = are_within(barcodes, wanted[part][row], offered[tile][column], least, most)
            found += np.bincount(row[is_near], minlength=len(found))
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
    shared, differ = compared(barcodes, one, other)
    is_near: npt.NDArray[np.bool_] = (shared >= max(least, 1)) & (differ <= most)
    return is_near
