"""Barcodes with gaps, aligned with the frame by dynamic programming over offsets (Viterbi).

Whole codons are cheap to lack or to have beside, single bases are dear: COI codes for a protein. Belongs here: the
costs of gaps and the search. Does not belong here: which barcodes are searched (`straight`).

Arrays have the shape (bases, offsets, barcodes), so that a step of all barcodes lies together in memory. Only the
scores are stored. The way back is found from them: a gap is where the score says that one was taken.
"""

from __future__ import annotations

import numpy as np

from bioscan_etl.barcodes.codon_weights import (
    CODON_NUMBERS,
    GAP_OF_BASES,
    GAP_OF_CODONS,
    PAD,
    PER_BASE,
    PER_CODON,
    REACH,
    Letters,
    Numbers,
    Weights,
    table,
)

_JUMPS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 18)  # lengths of one gap
_INSIDE_A_CODON = 400  # more if a gap of whole codons begins inside a codon
_STATES = 2 * REACH + 1
_NEVER = -(1 << 29)
_COSTS = {
    jump: GAP_OF_BASES + PER_BASE * jump if jump % 3 else GAP_OF_CODONS + PER_CODON * (jump // 3) for jump in _JUMPS
}


def aligned(triples: Letters, offsets: Numbers, lengths: Numbers) -> tuple[Numbers, Numbers]:
    """Align barcodes: the column of each base (-1: beside the frame's columns), and the weight.

    A state is an offset, at most `REACH` away from the given one. A larger offset than before leaves columns out, a
    smaller one leaves bases out. Of ways with the same weight, the one without a gap is taken, otherwise that with the
    first of `_JUMPS`, columns before bases.

    Args:
        triples: of `codon_weights.triples`, shape (barcodes, bases).
        offsets: the column, from 0, of the first base of each barcode without gaps.
        lengths: bases of each barcode, at least 1.

    Returns:
        Columns, int64, shape (barcodes, bases); weights, int64, shape (barcodes,).
    """
    rows, width = triples.shape
    base = offsets + np.arange(-REACH, REACH + 1)[:, None]
    places = (base + PAD) * CODON_NUMBERS
    numbers = np.ascontiguousarray(triples.T)
    # Where a codon begins in the next column a gap of codons costs less; it depends on the column modulo 3 alone.
    inside = [np.where((base + phase) % 3 != 1, _INSIDE_A_CODON, 0).astype(np.int32) for phase in range(3)]
    scores = np.empty((width, _STATES, rows), np.int32)
    scores[0] = 0
    for at in range(1, width):
        _step(scores, at, inside[at % 3])
        scores[at] += _weight(places + numbers[at], at)
    return _traced(scores, base, numbers, lengths)


def _weight(places: Numbers, at: int) -> Weights:
    """The weights of codons that end at a base, from their places in the table at the first base."""
    return table().ravel()[places + CODON_NUMBERS * at]


def _step(scores: Weights, at: int, inside: Weights) -> None:
    """The best score before each state of the base `at`."""
    best = scores[at]
    np.copyto(best, scores[at - 1])
    by_codons = np.full_like(best, _NEVER)
    candidate = np.empty_like(best)
    for jump in _JUMPS:
        taken, cost = (best if jump % 3 else by_codons), np.int32(_COSTS[jump])
        part = candidate[: _STATES - jump]
        np.subtract(scores[at - 1, :-jump], cost, out=part)
        np.maximum(taken[jump:], part, out=taken[jump:])
        if at > jump:
            np.subtract(scores[at - 1 - jump, jump:], cost, out=part)
            np.maximum(taken[:-jump], part, out=taken[:-jump])
    by_codons -= inside
    np.maximum(best, by_codons, out=best)


def _traced(scores: Weights, base: Numbers, numbers: Letters, lengths: Numbers) -> tuple[Numbers, Numbers]:
    """Follow the best path back from the last base of each barcode."""
    width, _, rows = scores.shape
    every = np.arange(rows)
    last = scores[lengths - 1, :, every]
    state = last.argmax(axis=1)
    columns = np.full((rows, width), -1, np.int64)
    left_out = np.zeros(rows, np.int64)
    for at in range(width - 1, -1, -1):
        active = (at < lengths) & (left_out == 0)
        left_out = np.maximum(left_out - 1, 0)
        row = every[active]
        column = base[state[row], row] + at
        columns[row, at] = column
        if not at:
            break
        before = scores[at, state[row], row] - table()[column + PAD, numbers[at, row]]
        jumped = np.flatnonzero(before != scores[at - 1, state[row], row])
        for one in jumped:  # a few gaps in some of the barcodes: trying all ways for all of them takes longer
            step = _jump(scores, at, int(row[one]), int(state[row[one]]), int(column[one]), int(before[one]))
            state[row[one]] -= step
            left_out[row[one]] = max(-step, 0)
    return columns, last.max(axis=1).astype(np.int64)


def _jump(scores: Weights, at: int, row: int, state: int, column: int, before: int) -> int:
    """The gap that led to a state whose score was `before`; negative if it leaves bases out."""
    for jump in _JUMPS:
        cost = _COSTS[jump] + (_INSIDE_A_CODON if jump % 3 == 0 and column % 3 != 1 else 0)
        if state >= jump and scores[at - 1, state - jump, row] - cost == before:
            return jump
        if at > jump and state + jump < _STATES and scores[at - 1 - jump, state + jump, row] - cost == before:
            return -jump
    raise AssertionError("each score is that of a state before it")
