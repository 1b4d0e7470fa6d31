"""The nearest references of queries by inner product, exactly and in blocks.

Belongs here: the search. Does not belong here: what the vectors are (`kmers`, `images`, `networks`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bioscan_etl.evaluation.records import Numbers
from bioscan_etl.progress import Progress, silent

Vectors = npt.NDArray[np.float32]
_QUERIES, _KEYS = 1024, 8192  # vectors of a block


class Embedded(Protocol):
    """Vectors that are made as they are needed."""

    def __len__(self) -> int:
        """Number of vectors."""

    def at(self, positions: Numbers) -> Vectors:
        """The vectors of some positions, normalised, float32, shape (positions, width)."""


class Stored:
    """Vectors that are held in memory."""

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = normalised(vectors)

    def __len__(self) -> int:
        return len(self.vectors)

    def at(self, positions: Numbers) -> Vectors:
        """As of `Embedded`."""
        return self.vectors[positions]


class Held:
    """Vectors of some of many things, held in memory.

    Attributes:
        places: of each thing in `vectors`, int64; -1 for one without a vector.
        vectors: of length 1, float32.
    """

    def __init__(self, things: Numbers, vectors: Vectors, of: int) -> None:
        """Hold.

        Args:
            things: which have a vector, different ones.
            vectors: theirs, shape (things, width).
            of: how many things there are.
        """
        self.places = np.full(of, -1, np.int64)
        self.places[things] = np.arange(len(things))
        self.vectors = normalised(vectors)

    def __len__(self) -> int:
        return len(self.places)

    def at(self, positions: Numbers) -> Vectors:
        """As of `Embedded`; the things must have vectors."""
        return self.vectors[self.places[positions]]


def normalised(vectors: npt.NDArray[np.floating]) -> Vectors:
    """Vectors of length 1, float32; a vector of zeros stays one."""
    wide = np.asarray(vectors, np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", wide, wide, dtype=np.float64))[:, None]
    return (wide / np.where(length > 0, length, 1)).astype(np.float32)


def nearest(
    embedded: Embedded,
    queries: Numbers,
    keys: Numbers,
    k: int,
    *,
    keyed: Embedded | None = None,
    apart: Callable[[Numbers, Numbers], npt.NDArray[np.bool_]] | None = None,
    progress: Progress = silent,
    label: str = "searching",
) -> tuple[Numbers, Vectors]:
    """The k nearest keys of each query, the nearest first; of keys as near as each other, the first.

    Args:
        embedded: vectors of the queries, and of the keys without `keyed`.
        queries: positions.
        keys: positions.
        k: how many, at least 1.
        keyed: vectors of the keys, of the same width, if they are others.
        apart: for some queries and keys, shape (queries, keys): which pairs must not meet.
        progress: reports queries.
        label: what it reports them as.

    Returns:
        Positions within `keys`, int64, shape (queries, k), -1 where there are fewer keys; and their similarity,
        float32.
    """
    offered = embedded if keyed is None else keyed
    which = np.full((len(queries), k), -1, np.int64)
    similar = np.full((len(queries), k), -np.inf, np.float32)
    # As many queries at a time as there are keys in a block: keys are made once per block of queries.
    for start in range(0, len(queries), _KEYS):
        part = queries[start : start + _KEYS]
        asked = embedded.at(part)
        for first in range(0, len(keys), _KEYS):
            block = keys[first : first + _KEYS]
            vectors = offered.at(block)
            for at in range(0, len(part), _QUERIES):
                rows = slice(start + at, start + min(at + _QUERIES, len(part)))
                found = asked[at : at + _QUERIES] @ vectors.T
                if apart is not None:
                    found[apart(part[at : at + _QUERIES], block)] = -np.inf
                similar[rows], which[rows] = _merged(similar[rows], which[rows], found, first, k)
        progress(label, min(start + len(part), len(queries)), len(queries))
    which[np.isneginf(similar)] = -1
    return which, similar


def _merged(similar: Vectors, which: Numbers, found: Vectors, first: int, k: int) -> tuple[Vectors, Numbers]:
    """The best k of those so far and of a block, by similarity and then by position."""
    if k == 1:
        best = found.argmax(axis=1)
        value = found[np.arange(len(found)), best]
        better = value > similar[:, 0]
        return np.where(better, value, similar[:, 0])[:, None], np.where(better, best + first, which[:, 0])[:, None]
    if found.shape[1] > k:
        # The k-th best of the block; all that are as near are kept, so that the first of them wins.
        limit = np.partition(found, found.shape[1] - k, axis=1)[:, -k][:, None]
        limit = np.maximum(limit, similar[:, -1:])
        row, column = np.nonzero(found >= limit)
    else:
        row, column = np.nonzero(np.isfinite(found))
    count = np.bincount(row, minlength=len(found))
    width = int(count.max()) if len(row) else 0
    if not width:
        return similar, which
    offset = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    values = np.full((len(found), width), -np.inf, np.float32)
    places = np.full((len(found), width), -1, np.int64)
    values[row, offset], places[row, offset] = found[row, column], column + first
    values, places = np.concatenate([similar, values], axis=1), np.concatenate([which, places], axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(places, order, axis=1)
