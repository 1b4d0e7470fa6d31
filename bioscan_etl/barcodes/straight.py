"""The place of a barcode without gaps, and whether gaps are worth a search.

Belongs here: the offset between a base and its column. Does not belong here: gaps (`gaps`), ends that are not placed
(`placement`).

Most barcodes begin in column 1 or end in column 658; of the others, most lie where the 165 bases in their middle fit
best. A barcode whose codons fit there needs no further search. Of the rest, each stretch of 165 bases is compared with
the frame at every offset, by a Fourier transform. The stretch that fits best says where the barcode lies. Stretches,
not the whole: an indel shifts what is behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes import profile
from bioscan_etl.barcodes.codon_weights import (
    CODON_NUMBERS,
    GAP_OF_BASES,
    GAP_OF_CODONS,
    LEAST_CODONS,
    LEAST_PER_CODON,
    NO_CODON,
    PAD,
    PER_BASE,
    PER_CODON,
    Letters,
    Numbers,
    Weights,
    table,
)
from bioscan_etl.barcodes.columns import CODONS, COLUMNS, UNKNOWN

_STEP = 250  # barcodes that are compared together
_STRETCH = 165  # bases; four stretches make a barcode
_TWICE = 400  # the weight of a codon that counts twice
_SIZE = 1024  # of the Fourier transform: at least a stretch and the frame
_NEAR = 12  # columns away from the best offset within which a better one for a stretch is looked for
# Whole codons lie between the offsets of one part.
_PARTS = tuple(tuple(shift for shift in range(-_NEAR, _NEAR + 1) if shift % 3 == phase) for phase in range(3))
_SHIFTS = np.array([shift for part in _PARTS for shift in part])
# Of equally good offsets, the first of these is taken.
_PREFERRED = np.lexsort((_SHIFTS, abs(_SHIFTS)))
# The least that gaps cost. Where a gap is no whole codon, one codon may count at both offsets.
_WITHIN_A_PART = GAP_OF_CODONS + PER_CODON
_BETWEEN_PARTS = GAP_OF_BASES + PER_BASE - _TWICE
_LEFT_OUT = np.array([*(PER_CODON for _ in _PARTS), 3 * PER_BASE], np.int32)[:, None]
_COST_OF_PART = np.array([*(_WITHIN_A_PART for _ in _PARTS), _BETWEEN_PARTS], np.int32)[:, None]
_NEVER = -(1 << 29)


def straight(letters: Letters, triples: Letters, lengths: Numbers) -> tuple[Numbers, Numbers, npt.NDArray[np.bool_]]:
    """The best offset without a gap, the weight there, and whether gaps are worth a search.

    Two things must hold. The barcode fits better in pieces, at offsets at most 12 columns away, than as a whole; the
    least cost of the gaps between the pieces is subtracted. And some 40 codons in a row fit the frame: a sequence
    without them is no COI-5P.

    Args:
        letters: of `columns.codes`, shape (barcodes, bases).
        triples: of `codon_weights.triples`.
        lengths: bases of each barcode.

    Returns:
        Offsets (the column, from 0, of the first base), int64; weights, int64; whether to search for gaps.
    """
    numbers = np.full((triples.shape[1] + 3, len(triples)), NO_CODON, np.uint8)
    numbers[:-3] = np.where(np.arange(triples.shape[1])[None, :] < lengths[:, None], triples, NO_CODON).T
    offsets, totals = np.zeros(len(triples), np.int64), np.zeros(len(triples), np.int64)
    bends = np.zeros(len(triples), np.bool_)
    enough = LEAST_PER_CODON * np.maximum(lengths // 3, LEAST_CODONS)
    left = np.arange(len(triples))
    for guess in (_in_column_1, _to_the_last_column, _middle):
        guessed = guess(letters[left], lengths[left])
        total, most = _bounds(numbers[:, left], guessed)
        fits = total >= enough[left]
        is_best = fits & (most <= total)
        at = left[is_best]
        offsets[at], totals[at] = guessed[is_best], total[is_best]
        unsure, is_unsure = left[fits & ~is_best], guessed[fits & ~is_best]
        found = _near(numbers[:, unsure], is_unsure)
        # Where another offset is better, the barcode begins or ends elsewhere; it is compared at all offsets.
        sure = found[0] == is_unsure
        at = unsure[sure]
        offsets[at], totals[at], bends[at] = (one[sure] for one in found)
        left = np.sort(np.concatenate([left[~fits], unsure[~sure]]))
    if len(left):
        searched = _searched(letters[left], lengths[left])
        offsets[left], totals[left], bends[left] = _near(numbers[:, left], searched)
    return offsets, totals, bends


def _in_column_1(_: Letters, lengths: Numbers) -> Numbers:
    return np.zeros_like(lengths)


def _to_the_last_column(_: Letters, lengths: Numbers) -> Numbers:
    return COLUMNS - lengths


def _middle(letters: Letters, lengths: Numbers) -> Numbers:
    """The offset at which the stretch in the middle of each barcode fits best."""
    start = np.maximum((lengths - _STRETCH) // 2, 0)
    places = np.minimum(start[:, None] + np.arange(_STRETCH)[None, :], letters.shape[1] - 1)
    stretch = np.take_along_axis(letters, places, axis=1)
    stretch[places >= lengths[:, None]] = UNKNOWN
    found = np.empty_like(lengths)
    for part in _parts_of(len(lengths)):
        found[part] = _best_place(stretch[part])[0] - start[part]
    return found


def _searched(letters: Letters, lengths: Numbers) -> Numbers:
    """The column, from 0, of the first base, by the stretch that fits the frame best; int64, shape (barcodes,)."""
    best = np.zeros(len(letters), np.int64)
    offsets = np.zeros(len(letters), np.int64)
    for part in _parts_of(len(letters)):
        for start in range(0, letters.shape[1], _STRETCH):
            place, score = _best_place(letters[part, start : start + _STRETCH])
            better = (score > best[part]) & (lengths[part] > start)
            best[part] = np.where(better, score, best[part])
            offsets[part] = np.where(better, place - start, offsets[part])
    return offsets


def _best_place(stretch: Letters) -> tuple[Numbers, Numbers]:
    """The column, from 0, of the first base where a stretch fits best, and its weight there; shape (barcodes,)."""
    spectra = _spectra()
    spectrum = sum(
        spectra[base] * np.conj(np.fft.rfft((stretch == base).astype(np.float64), _SIZE, axis=1)) for base in range(4)
    )
    # The weights are whole numbers, so the sums are: rounding makes them the same on every machine.
    scores = np.rint(np.fft.irfft(spectrum, _SIZE, axis=1)).astype(np.int64)
    place = scores.argmax(axis=1)
    return np.where(place > COLUMNS, place - _SIZE, place), scores[np.arange(len(scores)), place]


def _parts_of(count: int) -> Iterator[slice]:
    """Some barcodes at a time: their scores at all offsets fit into the processor's cache."""
    return (slice(start, start + _STEP) for start in range(0, count, _STEP))


@cache
def _spectra() -> npt.NDArray[np.complex128]:
    """The transformed weights of single bases, shape (4, …): of each, that of the best codon with it in its place."""
    weights = profile.weights().reshape(CODONS, 5, 5, 5)[:, :4, :4, :4]
    columns = np.zeros((4, COLUMNS))
    # The best, not the mean: rare codons with the same base must not count against it.
    for position, others in enumerate(((2, 3), (1, 3), (1, 2))):
        columns[:, 1 + position :: 3] = weights.max(axis=others).T
    return np.fft.rfft(columns, _SIZE, axis=1)


def _bounds(numbers: Letters, offsets: Numbers) -> tuple[Numbers, Numbers]:
    """The weight at given offsets, and at least as much as a barcode can weigh near them, with gaps and without.

    As `_near` and `_compared`, but the offsets of a part are taken together: each codon has the weight of the one that
    suits it best. A barcode that fits well at the given offset exceeds even that.

    Args:
        numbers: as of `_near`.
        offsets: shape (barcodes,).
    """
    totals, most = np.zeros_like(offsets), np.zeros_like(offsets)
    for phase in range(3):
        chosen = np.flatnonzero(offsets % 3 == phase)
        if len(chosen):
            weights = _of_parts(numbers[:, chosen], offsets[chosen], phase)
            totals[chosen] = weights[:, 0].sum(axis=0, dtype=np.int64)
            most[chosen] = _most(weights)
    return totals, most


def _of_parts(numbers: Letters, offsets: Numbers, phase: int) -> Weights:
    """Weights of the codons at the offset, and the most at the others of each part; int32, (codons, 4, barcodes)."""
    bases = len(numbers) - 3
    places = (np.arange(len(numbers))[:, None] + offsets + PAD) * CODON_NUMBERS + numbers
    weights = np.empty(((bases + 2) // 3, 1 + len(_PARTS), len(offsets)), np.int32)
    for row, (part, by_place) in enumerate(zip((0, *range(len(_PARTS))), _tables(), strict=True)):
        weights[:, row] = by_place[places[-(phase + part) % 3 :: 3][: len(weights)]]
    return weights


@cache
def _tables() -> tuple[Weights, ...]:
    """`table`, flat, and for each of `_PARTS` the most over its shifts other than 0."""
    padded = np.pad(table(), ((_NEAR, _NEAR), (0, 0)))
    rows = len(table())
    highest = [np.max([padded[_NEAR + shift :][:rows] for shift in part if shift], axis=0) for part in _PARTS]
    return tuple(one.ravel() for one in (table(), *highest))


def _most(weights: Weights) -> Weights:
    """The most that barcodes can weigh with any gaps, by `_of_parts`; shape (barcodes,)."""
    most = np.zeros(weights.shape[1:], np.int32)
    moved = np.full((len(_PARTS) + 1, weights.shape[2]), _NEVER, np.int32)
    before = np.empty_like(moved)
    for codons in weights:
        np.maximum(most[0], most[1], out=before[0])
        before[1:-1] = most[2:]
        np.max(before[:-1], axis=0, out=before[-1])
        before -= _COST_OF_PART
        np.subtract(moved, _LEFT_OUT, out=moved)
        np.maximum(moved, before, out=moved)
        np.maximum(moved[:-1], moved[-1], out=before[:-1])
        np.maximum(most[0], before[0], out=most[0])
        np.maximum(most[1:], before[:-1], out=most[1:])
        most += codons
    highest: Weights = np.max(most, axis=0)
    return highest


def _near(numbers: Letters, offsets: Numbers) -> tuple[Numbers, Numbers, npt.NDArray[np.bool_]]:
    """The best of the offsets around given ones, the weight there, and whether gaps are worth a search.

    Args:
        numbers: codons by the base in which they end, shape (bases, barcodes): barcodes lie side by side in memory, so
            that each step works on all of them.
        offsets: shape (barcodes,).
    """
    best, totals = np.zeros_like(offsets), np.zeros_like(offsets)
    bends = np.zeros(len(offsets), np.bool_)
    # Of barcodes whose offset is the same modulo 3, the codons end at the same bases.
    for phase in range(3):
        of_phase = np.flatnonzero(offsets % 3 == phase)
        for part in _parts_of(len(of_phase)):
            chosen = of_phase[part]
            weights = _weights(numbers[:, chosen], offsets[chosen], phase)
            shift, totals[chosen], bends[chosen] = _compared(weights)
            best[chosen] = offsets[chosen] + shift
    return best, totals, bends


def _weights(numbers: Letters, offsets: Numbers, phase: int) -> Weights:
    """Weights of the codons at each offset, one for each three bases; int32, shape (codons, `_SHIFTS`, barcodes)."""
    bases = len(numbers) - 3
    places = (np.arange(len(numbers))[:, None] + offsets + PAD) * CODON_NUMBERS + numbers
    by_place = table().ravel()
    weights = np.empty(((bases + 2) // 3, len(_SHIFTS), len(offsets)), np.int32)
    for number, shift in enumerate(_SHIFTS):
        ends = places[-(phase + shift) % 3 :: 3][: len(weights)]
        weights[:, number] = by_place[ends + CODON_NUMBERS * shift]
    return weights


def _compared(weights: Weights) -> tuple[Numbers, Numbers, npt.NDArray[np.bool_]]:
    """The best of `_SHIFTS`, the weight there, and whether gaps are worth a search."""
    totals = weights.sum(axis=0, dtype=np.int64)
    best = _PREFERRED[totals[_PREFERRED].argmax(axis=0)]
    every = np.arange(weights.shape[2])
    # The most that codons can weigh up to each one, by the offset of that one.
    most = np.zeros(weights.shape[1:], np.int32)
    parts = np.split(most, np.cumsum([len(part) for part in _PARTS])[:-1])  # views
    moved = np.full((len(_PARTS) + 1, weights.shape[2]), _NEVER, np.int32)
    for codons in weights:
        of_parts = np.stack([part.max(axis=0) for part in parts])
        # A gap may leave out bases: the codons that they would be weigh nothing then.
        moved -= _LEFT_OUT
        np.maximum(moved[:-1], of_parts - np.int32(_WITHIN_A_PART), out=moved[:-1])
        np.maximum(moved[-1], of_parts.max(axis=0) - np.int32(_BETWEEN_PARTS), out=moved[-1])
        for part, of_part in zip(parts, moved, strict=False):
            np.maximum(part, np.maximum(of_part, moved[-1]), out=part)
        most += codons
    bends = (most.max(axis=0) > totals[best, every]) & _fits_somewhere(weights[:, best, every])
    return _SHIFTS[best], totals[best, every], bends


def _fits_somewhere(weights: Weights) -> npt.NDArray[np.bool_]:
    """Whether any `LEAST_CODONS` codons in a row fit the frame, on the average; weights of shape (codons, barcodes)."""
    sums = np.cumsum(np.pad(weights, ((1, 0), (0, 0))), axis=0, dtype=np.int64)
    width = min(LEAST_CODONS, len(weights))
    best: Numbers = (sums[width:] - sums[:-width]).max(axis=0, initial=np.iinfo(np.int64).min)
    fits: npt.NDArray[np.bool_] = best >= LEAST_PER_CODON * width
    return fits
