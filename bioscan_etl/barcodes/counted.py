"""The pairs of barcodes within many groups, counted by what a pair shares: many pairs in each operation.

Groups with few barcodes are compared together, as a flat list of pairs. Of a group with many, whole rows of the matrix
of pairs are compared, and only in the columns in which its barcodes differ: most columns of related barcodes show one
base. The columns that two barcodes share depend on where each has a base. Most have one everywhere, so that a table of
the few kinds of extents holds these numbers.

Belongs here: comparing and counting. Does not belong here: the distances of a pair (`distances`), and which barcodes
are compared (`statistics.distances`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes.framed import Framed

_SMALL = 40  # members up to which the pairs of a group are compared as a list
_LISTED = 8192  # pairs of a list that are compared at a time
_CELLS = 1 << 15  # pairs of a matrix that are compared at a time: their words fit a core's cache
_BUFFER = 1 << 20  # pairs whose numbers are held before they are counted
_TABLE = 1 << 21  # possible kinds of pairs up to which they are counted in a table instead of sorted
_SPARSE = 8  # possible kinds of each pair up to which the same holds
_SHARED, _TRANSITIONS, _MASK = 20, 10, (1 << 10) - 1  # bits of a pair's three numbers, each below 1,024

_Numbers = npt.NDArray[np.int64]
_Small = npt.NDArray[np.uint16]
_Words = npt.NDArray[np.uint64]
_Planes = tuple[_Words, _Words, _Words]


@dataclass(frozen=True, slots=True)
class Kinds:
    """Pairs within groups, counted by their three numbers; all int64, shape (kinds,), ascending by group.

    A kind can be there several times.

    Attributes:
        group: the number of the group.
        shared: columns in which both have a base.
        transitions: of these, those with A and G, or C and T.
        transversions: of these, those with any other two bases.
        count: pairs of this kind.
    """

    group: _Numbers
    shared: _Numbers
    transitions: _Numbers
    transversions: _Numbers
    count: _Numbers


def extents(barcodes: Framed, members: _Numbers | None = None) -> _Numbers:
    """A number per barcode, the same for those that have a base in the same columns.

    Args:
        barcodes: on the frame.
        members: positions of the barcodes that matter; all by default.

    Returns:
        int64, shape (barcodes,); 0 for those that do not matter.
    """
    known = barcodes.known if members is None else barcodes.known[members]
    mixed = np.zeros(len(known), np.uint64)
    for word, factor in enumerate(np.random.default_rng(20261).integers(0, 1 << 64, known.shape[1], np.uint64)):
        mixed = (mixed ^ known[:, word] ^ (mixed >> np.uint64(29))) * (factor | np.uint64(1))
    _, first, number = np.unique(mixed, return_index=True, return_inverse=True)
    if not (known[first][number] == known).all():  # two have one hash
        number = np.unique(known, axis=0, return_inverse=True)[1].ravel()
    if members is None:
        return number.astype(np.int64)
    found = np.zeros(len(barcodes.known), np.int64)
    found[members] = number
    return found


def kinds_of_groups(barcodes: Framed, extent: _Numbers, members: _Numbers, sizes: _Numbers) -> Kinds:
    """Compare each barcode with each other one of its group.

    Args:
        barcodes: on the frame.
        extent: of `extents`.
        members: positions of barcodes, by group; each once within a group.
        sizes: number of members of each group, shape (groups,).
    """
    starts = np.cumsum(sizes) - sizes
    found = [_listed(barcodes, members, starts, sizes)]
    for group in np.flatnonzero(sizes > _SMALL).tolist():
        codes, counts = _of_large(barcodes, extent, members[starts[group] : starts[group] + sizes[group]])
        found.append((np.full(len(codes), group), codes, counts))
    of, code, count = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(of, kind="stable")
    of, code, count = of[order], code[order], count[order]
    return Kinds(of, code >> _SHARED, (code >> _TRANSITIONS) & _MASK, code & _MASK, count)


def _listed(
    barcodes: Framed, members: _Numbers, starts: _Numbers, sizes: _Numbers
) -> tuple[_Numbers, _Numbers, _Numbers]:
    """The pairs of the small groups: group, code and count of each kind, ascending."""
    one, other, of = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for size in np.unique(sizes[(sizes > 1) & (sizes <= _SMALL)]).tolist():
        group = np.flatnonzero(sizes == size)
        first, second = np.triu_indices(size, 1)
        one.append((starts[group][:, None] + first).ravel())
        other.append((starts[group][:, None] + second).ravel())
        of.append(np.repeat(group, len(first)))
    shared, differ, transversions = pair_numbers(barcodes, members[np.concatenate(one)], members[np.concatenate(other)])
    codes = _code(shared, differ, transversions) | (np.concatenate(of) << (_SHARED + _TRANSITIONS))
    kinds, counts = np.unique(codes, return_counts=True)
    wide = _SHARED + _TRANSITIONS
    return kinds >> wide, kinds & ((1 << wide) - 1), counts.astype(np.int64)


def _code(shared: _Small | _Numbers, differ: _Small | _Numbers, transversions: _Small | _Numbers) -> _Numbers:
    """The three numbers of a pair as one."""
    wide = differ.astype(np.int64) - transversions
    code: _Numbers = (shared.astype(np.int64) << _SHARED) | (wide << _TRANSITIONS) | transversions
    return code


def pair_numbers(barcodes: Framed, one: _Numbers, other: _Numbers) -> tuple[_Small, _Small, _Small]:
    """Compare pairs of barcodes.

    Args:
        barcodes: on the frame.
        one: the position of the first barcode of each pair.
        other: that of the second.

    Returns:
        The columns that both have, those of them that differ, and those that differ by a transversion; uint16, shape
        (pairs,).
    """
    shared, differ, transversions = (np.zeros(len(one), np.uint16) for _ in range(3))
    for start in range(0, len(one), _LISTED):
        part = slice(start, start + _LISTED)
        a, b = one[part], other[part]
        both = barcodes.known[a] & barcodes.known[b]
        low = (barcodes.low[a] ^ barcodes.low[b]) & both
        either = ((barcodes.high[a] ^ barcodes.high[b]) & both) | low
        for words, into in ((both, shared), (either, differ), (low, transversions)):
            _add_up(np.bitwise_count(words), into[part])
    return shared, differ, transversions


def _add_up(counts: npt.NDArray[np.uint8], into: _Small) -> None:
    """Add the counts of each pair's words, shape (pairs, 11): word by word, as a sum along short rows is slow."""
    for word in range(counts.shape[1]):
        into += counts[:, word]


def _of_large(barcodes: Framed, extent: _Numbers, members: _Numbers) -> tuple[_Numbers, _Numbers]:
    """Code and count of each kind of pair of one group; a kind can be there twice."""
    _, local, numbers = np.unique(extent[members], return_inverse=True, return_counts=True)
    common = int(numbers.argmax())
    # Those with the most common extent last: the larger part of the matrix then needs no look at extents.
    order = np.argsort(local == common, kind="stable")
    members, local = members[order], local[order]
    first_common = len(members) - int(numbers[common])
    shared = _shared(barcodes.known[members[np.unique(local, return_index=True)[1]]])
    values = np.flatnonzero(np.bincount(shared.ravel()) != 0)
    index = np.zeros(_MASK, np.uint16)
    index[values] = np.arange(len(values))
    index = index[shared]
    planes = differing_columns(barcodes, members)
    last_partial = _last_partial(planes[2])
    counter = _Counter(values, int(index[common, common]))
    start, count = 0, len(members)
    while start < count - 1:
        stop = min(start + max(1, _CELLS // (count - start)), count - 1)
        if start < first_common < stop:
            stop = first_common
        differ, transversions = _compared(planes, start, stop, last_partial)
        if start >= first_common:
            counter.add(differ, transversions, None)
        else:
            counter.add(differ, transversions, index[local[start:stop]].take(local[start:], axis=1))
        start = stop
    return counter.total()


def _shared(known: _Words) -> _Small:
    """Columns that two extents share, shape (extents, extents)."""
    words = np.ascontiguousarray(known.T)
    shared = np.zeros((len(known), len(known)), np.uint16)
    for word in words:
        shared += np.bitwise_count(word[:, None] & word[None, :])
    return shared


def differing_columns(barcodes: Framed, members: _Numbers) -> _Planes:
    """The columns in which some barcodes differ: low, high and known as in `Framed`, each of shape (words, members)."""
    rows = [plane[members] for plane in (barcodes.low, barcodes.high, barcodes.known)]
    known = rows[2]
    differ = np.zeros(known.shape[1], np.uint64)
    for plane in rows[:2]:
        differ |= np.bitwise_or.reduce(plane & known, axis=0) & np.bitwise_or.reduce(~plane & known, axis=0)
    columns = np.flatnonzero(np.unpackbits(differ.view(np.uint8)))
    width = -(-len(columns) // 64)
    found = []
    for plane in rows:
        packed = np.zeros((len(members), 8 * width), np.uint8)
        bits = np.packbits(np.unpackbits(plane.view(np.uint8), axis=1).take(columns, axis=1), axis=1)
        packed[:, : bits.shape[1]] = bits
        found.append(np.ascontiguousarray(packed.view(np.uint64).T))
    return found[0], found[1], found[2]


def _last_partial(known: _Words) -> _Numbers:
    """For each word, the last member that lacks a base that another one has; -1 for none."""
    partial = known != np.bitwise_or.reduce(known, axis=1, keepdims=True)
    last: _Numbers = np.where(partial.any(axis=1), partial.shape[1] - 1 - partial[:, ::-1].argmax(axis=1), -1)
    return last


def _compared(planes: _Planes, start: int, stop: int, last_partial: _Numbers) -> tuple[_Small, _Small]:
    """Rows of the matrix of all pairs, from the diagonal on: differences and transversions, shape (rows, columns)."""
    low, high, known = planes
    shape = (stop - start, low.shape[1] - start)
    differ, transversions = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
    other, side, both = (np.empty(shape, np.uint64) for _ in range(3))
    counted = np.empty(shape, np.uint8)
    for word, last in enumerate(last_partial.tolist()):
        np.bitwise_xor(low[word, start:stop, None], low[word, None, start:], out=other)
        np.bitwise_xor(high[word, start:stop, None], high[word, None, start:], out=side)
        if last >= start:
            np.bitwise_and(known[word, start:stop, None], known[word, None, start:], out=both)
            other &= both
            side &= both
        side |= other
        transversions += np.bitwise_count(other, out=counted)  # A and G, and C and T, have the same low bit
        differ += np.bitwise_count(side, out=counted)
    return differ, transversions


class _Counter:
    """Counts the kinds of pairs of a group, whose numbers arrive in parts."""

    def __init__(self, values: _Numbers, common: int) -> None:
        self._values = values
        self._common = common
        self._codes: list[_Numbers] = []
        self._counts: list[_Numbers] = []
        self._waiting: dict[bool, list[tuple[_Small, _Small, _Small | None]]] = {False: [], True: []}
        self._held = {False: 0, True: 0}

    def add(self, differ: _Small, transversions: _Small, index: _Small | None) -> None:
        """Add rows from the diagonal on, and the number of what each pair shares; None for the common one."""
        is_common = index is None
        self._waiting[is_common].append(
            (_above(differ), _above(transversions), None if index is None else _above(index))
        )
        self._held[is_common] += differ.size
        if self._held[is_common] >= _BUFFER:
            self._flush(is_common)

    def _flush(self, is_common: bool) -> None:
        waiting, self._waiting[is_common], self._held[is_common] = self._waiting[is_common], [], 0
        if not waiting:
            return
        differ = np.concatenate([one for one, _, _ in waiting]).astype(np.int64)
        transversions = np.concatenate([one for _, one, _ in waiting])
        wide, tall = int(transversions.max()) + 1, int(differ.max()) + 1
        differ *= wide
        differ += transversions
        if is_common:
            size = tall * wide
        else:
            index = np.concatenate([one for _, _, one in waiting if one is not None]).astype(np.int64)
            index *= tall * wide
            differ += index
            size = len(self._values) * tall * wide
        if size <= min(_TABLE, max(_SPARSE * len(differ), 1 << 16)):
            table = np.bincount(differ, minlength=size)
            kinds = np.flatnonzero(table != 0)
            counts = table[kinds]
        else:
            kinds, counts = np.unique(differ, return_counts=True)
        number, rest = np.divmod(kinds, tall * wide)
        differing, crossing = np.divmod(rest, wide)
        shared = self._values[self._common if is_common else number]
        self._codes.append(_code(np.broadcast_to(shared, differing.shape), differing, crossing))
        self._counts.append(counts.astype(np.int64))

    def total(self) -> tuple[_Numbers, _Numbers]:
        """Code and count of each kind; a kind that arrived in two parts is there twice."""
        self._flush(is_common=False)
        self._flush(is_common=True)
        return np.concatenate(self._codes), np.concatenate(self._counts)


def _above(rows: _Small) -> _Small:
    """What lies above the diagonal of rows that begin at it."""
    width = rows.shape[0]
    square = rows[:, :width]
    return np.concatenate([square[_triangle(width)[:, : square.shape[1]]], rows[:, width:].ravel()])


@lru_cache(64)
def _triangle(width: int) -> npt.NDArray[np.bool_]:
    """Marks what lies above the diagonal of a square."""
    return ~np.tri(width, dtype=np.bool_)
