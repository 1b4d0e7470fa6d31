"""Which barcodes are the same over their shared columns.

Two barcodes are the same over their shared columns if they agree in every column in which both have a base, and share
at least a number of such columns. One then equals the other, is a part of it, or overlaps it: the same animal's
barcode, sequenced to another extent. A codon that one lacks and the other has is a difference, N is none.

The relation is not transitive: a fragment can be the same as two barcodes that differ where it ends.

Belongs here: the search for pairs. Does not belong here: letters on the frame (`framed`), and what pairs connect
(`distinct`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes.framed import BLOCKS, Framed, bits_of
from bioscan_etl.threads import cores, ordered_map

_SPARED = 64  # largest groups of barcodes of which it is tried to look up none
_FILTER = 4  # bits of a hash by which most barcodes that meet nobody are left out, beside those that number the others
_PAIRS = 200_000  # pairs that are verified at a time

_Words = npt.NDArray[np.uint64]
_Numbers = npt.NDArray[np.int64]
_Marks = npt.NDArray[np.bool_]


def same_pairs(barcodes: Framed, least: int) -> tuple[_Numbers, _Numbers]:
    """All pairs of barcodes that are the same over their shared columns.

    A pair is looked for in the longest stretch of blocks that both have without N: barcodes that are the same have the
    same letters there, so they meet by a hash of it. Each pair is then compared in full. A pair without a common block
    of 47 columns free of N is not found.

    Args:
        barcodes: on the frame.
        least: columns in which both must have a base (setting `barcodes.min_shared_columns`).

    Returns:
        Positions of the two barcodes of each pair, the smaller one first, int64, sorted.
    """
    # Barcodes with the same clean blocks share their stretches with all others.
    masks, of_mask, members = np.unique(barcodes.clean, return_inverse=True, return_counts=True)
    stretch = longest_runs()[masks[:, None] & masks[None, :]]
    count = len(barcodes.clean)

    def found(number: int) -> _Numbers:
        allowed = stretch == number
        few = _covering(allowed, members)
        many = allowed[few].any(axis=0) & ~few
        begin, end = divmod(number, BLOCKS + 1)
        here, there = np.flatnonzero(few[of_mask]), np.flatnonzero(many[of_mask])
        pairs = []
        begins, ends = barcodes.hashes[:, begin], barcodes.hashes[:, end]
        for a, b in chain(_within(begins, ends, here), meeting(begins, ends, here, there)):
            meant = np.flatnonzero(allowed[of_mask[a], of_mask[b]])
            first, second = np.minimum(a[meant], b[meant]), np.maximum(a[meant], b[meant])
            same = _same(barcodes, first, second, least)
            pairs.append(first[same] * count + second[same])  # a pair as one number
        return np.concatenate([np.empty(0, np.int64), *pairs])

    numbers = np.unique(stretch[stretch >= 0]).tolist()
    # No pair has two longest stretches, so that each is found once.
    pairs = np.sort(
        np.concatenate([np.empty(0, np.int64), *(part for _, part in ordered_map(found, numbers, cores()))])
    )
    return pairs // max(count, 1), pairs % max(count, 1)


def longest_runs() -> npt.NDArray[np.int16]:
    """The longest run of blocks of each set of them.

    Returns:
        int16, shape (16384,), by the blocks as bits: 15 times the run's first block, plus the block after its last; of
        runs of one length the first, -1 for none.
    """
    masks = np.arange(1 << BLOCKS)
    best = np.full(len(masks), -1, np.int16)
    length = np.zeros(len(masks), np.int64)
    for begin in range(BLOCKS):
        for end in range(begin + 1, BLOCKS + 1):
            run = ((1 << (end - begin)) - 1) << begin
            better = ((masks & run) == run) & (length < end - begin)
            best[better], length[better] = begin * (BLOCKS + 1) + end, end - begin
    return best


def _covering(allowed: _Marks, members: _Numbers) -> _Marks:
    """Groups of which each allowed pair has at least one, without the largest where that is possible.

    Most barcodes are whole, and whole ones are compared with each other in one stretch only. In all other stretches
    they would be sorted in vain.

    Args:
        allowed: pairs of groups, bool, shape (groups, groups), symmetric.
        members: barcodes of each group.
    """
    covering: _Marks = np.logical_or.reduce(allowed, axis=1)
    spared: list[int] = []
    for group in np.argsort(-members, kind="stable")[:_SPARED].tolist():
        if covering[group] and not allowed[group, [group, *spared]].any():
            covering[group] = False
            spared.append(group)
    return covering


def _within(begins: _Words, ends: _Words, here: _Numbers) -> Iterator[tuple[_Numbers, _Numbers]]:
    """Pairs of some barcodes with the same letters in a stretch, as `meeting`."""
    wanted = ends[here] - begins[here]
    order = np.argsort(wanted)
    here, wanted = here[order], wanted[order]
    again = np.flatnonzero(wanted[1:] == wanted[:-1])
    partners = np.searchsorted(wanted, wanted[again], side="right") - again - 1
    for one, other in _spread(again + 1, partners):
        yield here[again[one]], here[other]


def meeting(begins: _Words, ends: _Words, here: _Numbers, there: _Numbers) -> Iterator[tuple[_Numbers, _Numbers]]:
    """Find the pairs of a barcode of each of two groups that have the same letters in a stretch, by hashes.

    Args:
        begins: sums of the hashed letters up to the stretch, of all barcodes (column of `Framed.hashes`).
        ends: up to its end.
        here: positions of the first group.
        there: positions of the second; best the larger one.

    Yields:
        Some pairs at a time: the positions of both barcodes, int64.
    """
    wanted = ends[here] - begins[here]
    order = np.argsort(wanted)
    here, wanted = here[order], wanted[order]
    offered = ends[there] - begins[there]
    # Most meet nobody: the first bits of their hash are those of no other. A table of bits is faster than a search.
    shift = np.uint64(64 - min(len(wanted).bit_length() + _FILTER, 24))
    taken = np.zeros(1 << (64 - int(shift)), np.bool_)
    taken[wanted >> shift] = True
    near = np.flatnonzero(taken[offered >> shift])
    there, offered = there[near], offered[near]
    first = np.searchsorted(wanted, offered, side="left")
    count = np.searchsorted(wanted, offered, side="right") - first
    for one, other in _spread(first, count):
        yield here[other], there[one]


def _spread(first: _Numbers, count: _Numbers) -> Iterator[tuple[_Numbers, _Numbers]]:
    """Each position with its partners, which follow each other from a first one; about `_PAIRS` pairs at a time.

    >>> [(one.tolist(), other.tolist()) for one, other in _spread(np.array([5, 7]), np.array([2, 1]))]
    [([0, 0, 1], [5, 6, 7])]
    """
    with_any = np.flatnonzero(count)
    first, count = first[with_any], count[with_any]
    upto = np.cumsum(count)
    start = 0
    while start < len(count):
        # As many as have `_PAIRS` partners together, at least one.
        stop = max(int(np.searchsorted(upto, (upto[start - 1] if start else 0) + _PAIRS, side="right")), start + 1)
        part = count[start:stop]
        which = np.repeat(np.arange(start, stop), part)
        within = np.arange(len(which)) - np.repeat(np.cumsum(part) - part, part)
        yield with_any[which], first[which] + within
        start = stop


def _same(barcodes: Framed, one: _Numbers, other: _Numbers, least: int) -> _Marks:
    """Whether two barcodes are the same over their shared columns."""
    both = barcodes.known[one] & barcodes.known[other]
    differ = (barcodes.low[one] ^ barcodes.low[other]) | (barcodes.high[one] ^ barcodes.high[other])
    agree: _Marks = ~_any(differ & both)
    agree &= bits_of(both) >= least
    # What follows sets few barcodes apart, which bases do not.
    left = np.flatnonzero(agree)
    a, b, both = one[left], other[left], both[left]
    # A codon that one has and the other lacks, and bases that only one has, are differences.
    same: _Marks = ~_any((barcodes.lacking[a] & barcodes.known[b]) | (barcodes.lacking[b] & barcodes.known[a]))
    same &= ~_any((barcodes.beside[a] ^ barcodes.beside[b]) & both)
    for pair in np.flatnonzero(same & _any(barcodes.beside[a] & barcodes.beside[b] & both)):
        mine, theirs = barcodes.texts[int(a[pair])], barcodes.texts[int(b[pair])]
        same[pair] = all(mine[column] == theirs[column] for column in mine.keys() & theirs.keys())
    agree[left] = same
    return agree


def _any(words: _Words) -> _Marks:
    """Rows with any bit."""
    found = np.zeros(len(words), np.uint64)
    for word in range(words.shape[1]):  # along short rows, `any` takes several times as long
        found |= words[:, word]
    marks: _Marks = found != 0
    return marks
