"""The best k-mer candidates again, by identity in the overlap: what BLAST-like tools do after their k-mer search.

Belongs here: the order of candidates. Does not belong here: finding them (`search`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
from rapidfuzz.distance import Levenshtein

from bioscan_etl.barcodes.framed import compared
from bioscan_etl.evaluation.records import Numbers, Records

CANDIDATES = 20
"""Candidates of a query that are compared again."""
LEAST_SHARED = 100
"""Columns that two barcodes must share to be compared on the frame."""


def by_overlap(records: Records, queries: Numbers, candidates: Numbers) -> Numbers:
    """Sort candidates by the share of differing columns, of those that both have; of equal ones, the first stays first.

    Args:
        records: the release.
        queries: barcodes, as their numbers, shape (queries,).
        candidates: barcodes, the best first, shape (queries, k); -1 for none.

    Returns:
        The candidates in their new order.
    """
    order = np.argsort(overlap_distances(records, queries, candidates), axis=1, kind="stable")
    return np.take_along_axis(candidates, order, axis=1)


def overlap_distances(records: Records, queries: Numbers, candidates: Numbers) -> npt.NDArray[np.float64]:
    """The share of differing columns, of those that both have.

    A pair that shares too few columns, or of which one has no place on the frame, is compared by edit distance over the
    length of the longer one: an upper bound of what its overlap would show.

    Args:
        records: the release.
        queries: barcodes, as their numbers, shape (queries,).
        candidates: barcodes, shape (queries, k); -1 for none.

    Returns:
        0 to 1, shape (queries, k); infinite for none.
    """
    distance = np.full(candidates.shape, np.inf)
    for column in range(candidates.shape[1]):
        known = np.flatnonzero(candidates[:, column] >= 0)
        one, other = queries[known], candidates[known, column]
        mine, theirs = records.frame_positions[one], records.frame_positions[other]
        shared, differ = compared(records.on_frame, mine, theirs)
        found = differ / np.maximum(shared, 1)
        doubtful = (shared < LEAST_SHARED) | ~records.is_placed[mine] | ~records.is_placed[theirs]
        for pair in np.flatnonzero(doubtful).tolist():
            a, b = records.barcodes[int(one[pair])], records.barcodes[int(other[pair])]
            found[pair] = Levenshtein.distance(a, b) / max(len(a), len(b))
        distance[known, column] = found
    return distance


def by_edits(barcodes: pl.Series, queries: Numbers, candidates: Numbers) -> Numbers:
    """Sort candidates by edit distance (Levenshtein); of equal ones, the first stays first.

    Args:
        barcodes: text.
        queries: as of `by_overlap`.
        candidates: as of `by_overlap`.
    """
    letters = barcodes.to_list()
    distance = np.full(candidates.shape, np.inf)
    for row, (query, others) in enumerate(zip(queries.tolist(), candidates.tolist(), strict=True)):
        best = None
        for column, other in enumerate(others):
            if other >= 0:
                # Beyond the best so far the exact number does not matter, so the search stops there.
                distance[row, column] = Levenshtein.distance(letters[query], letters[other], score_cutoff=best)
                best = int(min(distance[row, column], np.inf if best is None else best))
    order = np.argsort(distance, axis=1, kind="stable")
    return np.take_along_axis(candidates, order, axis=1)
