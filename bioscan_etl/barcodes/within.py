"""How many of some barcodes differ from each of others in few of the columns that both have, exactly.

Two barcodes that differ in at most two columns have the same letters in at least one of three stretches of columns. So
only pairs with the same letters in such a stretch are compared in full (`_meeting`): the work grows with the number of
close relatives, not of pairs. Each stretch must be free of N in both barcodes. Of the few pairs without such
stretches, all are compared (`_all`), first in the columns that differ most (`variable`): what shows more differences
there is beyond the limit.

Belongs here: counting. Does not belong here: the nearest one (`nearest`), and the partitions that are compared
(`splits.near_duplicates`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes.framed import BLOCKS, Framed, compared, full_blocks
from bioscan_etl.barcodes.same import longest_runs, meeting
from bioscan_etl.barcodes.variable import Planes, differing, variable_words
from bioscan_etl.threads import cores, ordered_map

_ROWS, _TILE = 8, 4096  # pairs that are compared at a time: their words fit a core's cache
_SHORTEST = 2  # blocks of a stretch: in fewer, barcodes of many genera have the same letters
_FEW = 16  # barcodes that are sooner compared with all others than looked up by stretches

_Numbers = npt.NDArray[np.int64]
_Job = tuple[_Numbers, _Numbers, tuple[int, int] | None]


def within(barcodes: Framed, wanted: _Numbers, offered: _Numbers, least: int, most: int) -> _Numbers:
    """Count the offered barcodes that differ from each wanted one in few columns.

    Args:
        barcodes: on the frame.
        wanted: positions, each once.
        offered: positions, each once.
        least: columns that two barcodes must share to be compared (setting `barcodes.min_shared_columns`).
        most: columns in which they may differ, of those that both have.

    Returns:
        int64, shape (wanted,).
    """
    rows, columns = variable_words(barcodes, wanted), variable_words(barcodes, offered)
    found = np.zeros(len(barcodes.known), np.int64)
    for mine, theirs, run in _jobs(barcodes, wanted, offered, most):
        one, other = wanted[mine], offered[theirs]
        if run is not None:
            found += _meeting(barcodes, one, other, run, least, most)
        else:
            found[one] += _all(barcodes, one, other, _of(rows, mine), _of(columns, theirs), least, most)
    return found[wanted]


def _jobs(barcodes: Framed, wanted: _Numbers, offered: _Numbers, most: int) -> Iterator[_Job]:
    """Which barcodes are compared with which others, and the blocks that all of these have; None for too few.

    Barcodes are put together by the longest run of blocks in which they have all bases. What two runs have in common is
    a run, too. The barcodes are numbers of `wanted` and `offered`.
    """
    longest = longest_runs()
    mine, theirs = (longest[full_blocks(barcodes, members)] for members in (wanted, offered))
    # Those of runs that few have are put together, and compared with all.
    for runs in (mine, theirs):
        kinds, of, members = np.unique(runs, return_inverse=True, return_counts=True)
        runs[(members < _FEW)[of] & (kinds >= 0)[of]] = -1
    of_run = {run: np.flatnonzero(theirs == run) for run in np.unique(theirs).tolist()}
    for run in np.unique(mine).tolist():
        here = np.flatnonzero(mine == run)
        shared: dict[tuple[int, int] | None, list[_Numbers]] = {}
        for other, there in of_run.items():
            shared.setdefault(_common(run, other, most), []).append(there)
        for common, parts in shared.items():
            yield here, np.concatenate(parts), common


def _of(words: Planes, members: _Numbers) -> Planes:
    low, high, known = words
    return low[:, members], high[:, members], known[:, members]


def _common(run: int, other: int, most: int) -> tuple[int, int] | None:
    """The first block and the one after the last of both runs; None if they are too few."""
    if min(run, other) < 0:
        return None
    (first, last), (begin, end) = divmod(run, BLOCKS + 1), divmod(other, BLOCKS + 1)
    first, last = max(first, begin), min(last, end)
    return (first, last) if last - first >= _SHORTEST * (most + 1) else None


def _meeting(
    barcodes: Framed, rows: _Numbers, others: _Numbers, run: tuple[int, int], least: int, most: int
) -> _Numbers:
    """Count by stretches, of barcodes that have all bases in a run of blocks; int64, shape (all barcodes,)."""
    cuts = np.linspace(*run, most + 2).astype(int).tolist()
    hashes = barcodes.hashes

    def count(stretch: int) -> _Numbers:
        found = np.zeros(len(barcodes.known), np.int64)
        begins, ends = hashes[:, cuts[stretch]], hashes[:, cuts[stretch + 1]]
        for one, other in meeting(begins, ends, rows, others):
            is_first = np.ones(len(one), np.bool_)
            for begin, end in pairwise(cuts[: stretch + 1]):  # counted there
                same = hashes[one, end] - hashes[one, begin] == hashes[other, end] - hashes[other, begin]
                is_first &= ~same
            mine, theirs = one[is_first], other[is_first]
            found += np.bincount(mine[are_within(barcodes, mine, theirs, least, most)], minlength=len(found))
        return found

    every = np.zeros(len(barcodes.known), np.int64)
    for _, found in ordered_map(count, range(most + 1), cores()):
        every += found
    return every


def _all(
    barcodes: Framed, mine: _Numbers, theirs: _Numbers, rows: Planes, columns: Planes, least: int, most: int
) -> _Numbers:
    """Count by comparing all pairs, of barcodes and their words; int64, shape (mine,)."""

    def count(start: int) -> _Numbers:
        part = slice(start, start + _ROWS)
        words = (rows[0][:, part], rows[1][:, part], rows[2][:, part])
        found = np.zeros(words[0].shape[1], np.int64)
        for first in range(0, len(theirs), _TILE):
            tile = slice(first, first + _TILE)
            differ = differing(words, (columns[0][:, tile], columns[1][:, tile], columns[2][:, tile]))
            row, column = np.nonzero(differ <= most)
            is_near = are_within(barcodes, mine[part][row], theirs[tile][column], least, most)
            found += np.bincount(row[is_near], minlength=len(found))
        return found

    parts = [part for _, part in ordered_map(count, range(0, len(mine), _ROWS), cores())]
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
