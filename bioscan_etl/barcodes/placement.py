"""Where a barcode lies on the 658-column frame of COI-5P: its columns, the codons it lacks, the bases it has beside.

Each distinct barcode is placed by itself with the shipped profile (`profile`), so that its place depends on nothing but
its letters. Four steps, each over a block of barcodes at once:

1. **Offset.** Each stretch of 165 bases is compared with the frame at every offset, by a Fourier transform. The
   stretch that fits best says where the barcode lies. Stretches, not the whole: an indel shifts what is behind it.
2. **Gaps or none.** Nearly all barcodes are placed without gaps. Gaps are searched for only if another offset, at
   most 12 columns away, fits some stretch of the barcode so much better that it outweighs the cost of the cheapest
   gap. If no stretch fits the frame at all, the sequence is another gene or noise, and no gaps are searched for.
3. **Gaps.** The others are aligned by dynamic programming over offsets (Viterbi). Whole codons are cheap to lack or to
   have beside, single bases are dear: COI codes for a protein.
4. **Ends.** Sequencing errors gather at the ends. A base that is missing or read twice there shifts the few codons
   behind it, too few to outweigh a gap, and each would count as several differences. An end that fits much better one
   or two columns away is not placed.

Belongs here: the search and its costs. Does not belong here: barcodes side by side on the frame (`framed`).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.barcodes import profile
from bioscan_etl.barcodes.columns import CODONS, COLUMNS, UNKNOWN, codes
from bioscan_etl.schema import PLACEMENTS
from bioscan_etl.threads import cores, ordered_map

MOST_LETTERS = 2_000
"""Longer sequences are not placed: they are no barcodes. The whole gene has about 1,540 bp."""

_BLOCK = 500  # barcodes at a time; their scores at all offsets fit into the processor's cache
_ALIGNED = 250  # the same for those with gaps
_STRETCH = 165  # bases; four stretches make a barcode
_SIZE = 1024  # of the Fourier transform: at least a stretch and the frame
_NEAR = 12  # columns away from the best offset within which a better one for a stretch is looked for
_REACH = 18  # the same for barcodes with gaps; wasps of the family Scelionidae lack 15 columns altogether
_JUMPS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 18)  # lengths of one gap
# Costs in hundredths of a natural logarithm of odds, as the weights of the profile.
_GAP_OF_CODONS, _PER_CODON = 900, 150
_GAP_OF_BASES, _PER_BASE = 1_600, 150
_INSIDE_A_CODON = 400  # more if a gap of whole codons begins inside a codon
_SHIFTED_END = 550  # by which an end must fit better elsewhere; of 2,482 real barcodes none lies between 488 and 583
_END = 24  # codons that an end can have
_LEAST_PER_CODON = 60  # mean weight of a codon below which a sequence is not taken for COI-5P
_LEAST_CODONS = 40  # codons on the frame below which no place is certain

_Letters = npt.NDArray[np.uint8]
_Numbers = npt.NDArray[np.int64]
_Weights = npt.NDArray[np.int32]

_PAD = 3 * _REACH + MOST_LETTERS
_NO_CODON = 124  # three unknown letters


def place(barcodes: pl.Series) -> pl.DataFrame:
    """Place barcodes on the frame (spec: DNA barcodes, one frame).

    Args:
        barcodes: distinct identities (`identity.barcode_identity`) without nulls. Their order decides nothing but the
            order of the rows.

    Returns:
        `schema.PLACEMENTS`, a row per barcode in the order given.
    """
    starts = range(0, len(barcodes), _BLOCK)
    blocks = ordered_map(
        lambda start: _placed(barcodes[start : start + _BLOCK]), starts, threads=cores(), ahead=cores()
    )
    return pl.concat([PLACEMENTS.empty(), *(block for _, block in blocks)])


def _placed(barcodes: pl.Series) -> pl.DataFrame:
    short = pl.select(
        pl.when(barcodes.str.len_bytes() <= MOST_LETTERS).then(barcodes).otherwise(pl.lit(""))
    ).to_series()
    lengths = short.str.len_bytes().to_numpy().astype(np.int64)
    letters = codes(short)
    if not letters.shape[1]:
        letters = np.full((len(short), 1), UNKNOWN, np.uint8)
    triples = _triples(letters)
    offsets, scores, bends = _straight(triples, _offsets(letters, lengths), lengths)
    columns = np.arange(letters.shape[1])[None, :] + offsets[:, None]
    bent = np.flatnonzero(bends)
    for start in range(0, len(bent), _ALIGNED):
        part = bent[start : start + _ALIGNED]
        columns[part], scores[part] = _aligned(triples[part], offsets[part], lengths[part])
    _clip(columns, triples, lengths)
    return PLACEMENTS.conform(_described(columns, lengths, scores).with_columns(barcodes.alias("barcode")))


def _offsets(letters: _Letters, lengths: _Numbers) -> _Numbers:
    """The column, from 0, of the first base, by the stretch that fits the frame best; int64, shape (barcodes,)."""
    best = np.zeros(len(letters), np.int64)
    offsets = np.zeros(len(letters), np.int64)
    spectra = _spectra()
    for start in range(0, letters.shape[1], _STRETCH):
        stretch = letters[:, start : start + _STRETCH]
        spectrum = sum(
            spectra[base] * np.conj(np.fft.rfft((stretch == base).astype(np.float64), _SIZE, axis=1))
            for base in range(4)
        )
        # The weights are whole numbers, so the sums are: rounding makes them the same on every machine.
        scores = np.rint(np.fft.irfft(spectrum, _SIZE, axis=1)).astype(np.int64)
        place = scores.argmax(axis=1)
        score = scores[np.arange(len(scores)), place]
        offset = np.where(place > COLUMNS, place - _SIZE, place) - start
        better = (score > best) & (lengths > start)
        best[better], offsets[better] = score[better], offset[better]
    return offsets


@cache
def _spectra() -> npt.NDArray[np.complex128]:
    """The transformed weights of single bases, shape (4, …): of each, that of the best codon with it in its place."""
    weights = profile.weights().reshape(CODONS, 5, 5, 5)[:, :4, :4, :4]
    columns = np.zeros((4, COLUMNS))
    # The best, not the mean: rare codons with the same base must not count against it.
    for position, others in enumerate(((2, 3), (1, 3), (1, 2))):
        columns[:, 1 + position :: 3] = weights.max(axis=others).T
    return np.fft.rfft(columns, _SIZE, axis=1)


def _triples(letters: _Letters) -> _Numbers:
    """The number of the three letters that end at each base (see `profile.weights`); int64, shape of the letters."""
    triples = np.full(letters.shape, _NO_CODON, np.int64)
    wide = letters.astype(np.int64)
    triples[:, 2:] = wide[:, :-2] * 25 + wide[:, 1:-1] * 5 + wide[:, 2:]
    return triples


@cache
def _table() -> _Weights:
    """Weights by the column in which a codon ends, with room on both sides; int32, shape (columns, 125)."""
    table = np.zeros((COLUMNS + 2 * _PAD, 125), np.int32)
    table[_PAD + 3 : _PAD + COLUMNS : 3] = profile.weights()
    return table


def _straight(
    triples: _Numbers, offsets: _Numbers, lengths: _Numbers
) -> tuple[_Numbers, _Numbers, npt.NDArray[np.bool_]]:
    """The best offset without a gap, the weight there, and whether gaps are worth a search.

    They are if another offset explains a stretch much better, and if any stretch fits the frame at all: a sequence of
    which no 40 codons do is no COI-5P, wherever its gaps are.
    """
    table = _table()
    third = np.arange(0, triples.shape[1], 3)[None, :]

    def scored(shift: int) -> _Numbers:
        """Weights of the codons at an offset, one for each three bases."""
        ends = third + (-(offsets + shift) % 3)[:, None]
        inside = ends < lengths[:, None]
        ends = np.where(inside, ends, 0)
        number = np.where(inside, np.take_along_axis(triples, ends, axis=1), _NO_CODON)
        weights: _Numbers = table[ends + (offsets + shift)[:, None] + _PAD, number].astype(np.int64)
        return weights

    by_shift = {shift: scored(shift) for shift in range(-_NEAR, _NEAR + 1)}
    shifts = sorted(by_shift, key=lambda shift: (abs(shift), shift))
    totals = np.stack([by_shift[shift].sum(axis=1) for shift in shifts])
    chosen = totals.argmax(axis=0)
    own = np.stack([by_shift[shift] for shift in shifts])[chosen, np.arange(len(offsets))]
    gain = np.zeros(len(offsets), np.int64)
    for codons in by_shift.values():
        ahead = np.cumsum(codons - own, axis=1)
        low = np.minimum.accumulate(
            np.concatenate([np.zeros((len(ahead), 1), np.int64), ahead[:, :-1]], axis=1), axis=1
        )
        gain = np.maximum(gain, (ahead - low).max(axis=1, initial=0))
    bends = (gain >= _GAP_OF_CODONS + _PER_CODON) & _fits_somewhere(own)
    return offsets + np.array(shifts)[chosen], totals.max(axis=0), bends


def _fits_somewhere(weights: _Numbers) -> npt.NDArray[np.bool_]:
    """Whether any `_LEAST_CODONS` codons in a row fit the frame, on the average."""
    sums = np.cumsum(np.pad(weights, ((0, 0), (1, 0))), axis=1)
    width = min(_LEAST_CODONS, weights.shape[1])
    best: npt.NDArray[np.int64] = (sums[:, width:] - sums[:, :-width]).max(axis=1, initial=np.iinfo(np.int64).min)
    fits: npt.NDArray[np.bool_] = best >= _LEAST_PER_CODON * width
    return fits


def _aligned(triples: _Numbers, offsets: _Numbers, lengths: _Numbers) -> tuple[_Numbers, _Numbers]:
    """Align barcodes with gaps: the column of each base (-1: beside the frame's columns), and the weight.

    A state is an offset, at most `_REACH` away from the given one. A larger offset than before leaves columns out, a
    smaller one leaves bases out.
    """
    rows, width = triples.shape
    table = _table().ravel()
    base = offsets[:, None] + np.arange(-_REACH, _REACH + 1)[None, :]
    # Where a codon begins in the next column a gap of codons costs less; it depends on the column modulo 3 alone.
    inside = [np.where((base + phase) % 3 != 1, _INSIDE_A_CODON, 0).astype(np.int32) for phase in range(3)]
    places = ((base + _PAD) * 125).astype(np.int32)
    numbers = triples.astype(np.int32)
    scores = np.full((width, rows, base.shape[1]), -(1 << 28), np.int32)
    steps = np.zeros((width, rows, base.shape[1]), np.int8)
    scores[0] = 0
    for at in range(1, width):
        best, step = scores[at], steps[at]
        np.copyto(best, scores[at - 1])
        for jump in _JUMPS:
            cost = np.int32(_GAP_OF_BASES + _PER_BASE * jump)
            more: npt.NDArray[np.int32] | None = None
            if jump % 3 == 0:
                cost, more = np.int32(_GAP_OF_CODONS + _PER_CODON * (jump // 3)), inside[at % 3]
            _improve(best[:, jump:], step[:, jump:], scores[at - 1][:, :-jump], cost, more, jump)
            if at > jump:
                _improve(best[:, :-jump], step[:, :-jump], scores[at - 1 - jump][:, jump:], cost, more, -jump)
        best += table[places + 125 * at + numbers[:, at, None]]
    return _traced(scores, steps, base, lengths)


def _improve(
    best: npt.NDArray[np.int32],
    step: npt.NDArray[np.int8],
    before: npt.NDArray[np.int32],
    cost: np.int32,
    more: npt.NDArray[np.int32] | None,
    jump: int,
) -> None:
    """Take a gap of `jump` columns where it is better: from the states `before` to those of `best`."""
    candidate = before - cost
    if more is not None:
        candidate -= more[:, jump:] if jump > 0 else more[:, :jump]
    better = candidate > best
    np.copyto(best, candidate, where=better)
    np.copyto(step, np.int8(jump), where=better)


def _traced(
    scores: npt.NDArray[np.int32], steps: npt.NDArray[np.int8], base: _Numbers, lengths: _Numbers
) -> tuple[_Numbers, _Numbers]:
    """Follow the best path back from the last base of each barcode."""
    width, rows, _ = scores.shape
    every = np.arange(rows)
    last = scores[lengths - 1, every]
    state = last.argmax(axis=1)
    columns = np.full((rows, width), -1, np.int64)
    left_out = np.zeros(rows, np.int64)
    for at in range(width - 1, -1, -1):
        active = (at < lengths) & (left_out == 0)
        left_out = np.maximum(left_out - 1, 0)
        row = every[active]
        columns[row, at] = base[row, state[row]] + at
        step = steps[at, row, state[row]].astype(np.int64)
        state[row] -= step
        left_out[row] = np.maximum(-step, 0)
    return columns, last.max(axis=1).astype(np.int64)


def _clip(columns: _Numbers, triples: _Numbers, lengths: _Numbers) -> None:
    """Take the columns from the bases of ends that fit the frame better one or two columns away."""
    every = np.arange(len(columns))
    last = np.maximum(lengths - 1, 0)
    for at, sign in ((np.zeros(len(columns), np.int64), 1), (last, -1)):
        offset = columns[every, at] - at
        # The last base of each codon of the end, the outermost codon first; offset + base is 0 modulo 3 there.
        outermost = at + (-(at + offset) % 3) if sign > 0 else at - (at + offset) % 3
        ends = outermost[:, None] + sign * 3 * np.arange(_END)[None, :]
        own = _weights_at(triples, ends, offset, lengths)
        # An end reaches to the first gap at most: behind it, the barcode has another offset.
        inside = np.clip(ends, 0, columns.shape[1] - 1)
        is_end = np.logical_and.accumulate(
            np.take_along_axis(columns, inside, axis=1) - inside == offset[:, None], axis=1
        )
        gain = np.full(ends.shape, -1)
        for shift in (-2, -1, 1, 2):
            gain = np.maximum(gain, np.cumsum(_weights_at(triples, ends, offset + shift, lengths) - own, axis=1))
        gain[~is_end] = -1
        codon = gain.argmax(axis=1)
        is_shifted = gain[every, codon] >= _SHIFTED_END
        edge = ends[every, codon]
        position = np.arange(columns.shape[1])[None, :]
        clipped = position <= edge[:, None] if sign > 0 else position >= edge[:, None] - 2
        columns[clipped & is_shifted[:, None]] = -1


def _weights_at(triples: _Numbers, ends: _Numbers, offset: _Numbers, lengths: _Numbers) -> _Numbers:
    """Weights of the codons that end at some bases, if these lie in the columns of an offset; 0 beside the frame."""
    # A codon of another offset ends one or two bases later.
    moved = ends + (-(ends + offset[:, None]) % 3)
    inside = (moved >= 0) & (moved < lengths[:, None])
    moved = np.where(inside, moved, 0)
    number = np.where(inside, np.take_along_axis(triples, moved, axis=1), _NO_CODON)
    column = np.clip(moved + offset[:, None] + _PAD, 0, len(_table()) - 1)
    found: _Numbers = _table()[column, number].astype(np.int64)
    return found


def _described(columns: _Numbers, lengths: _Numbers, scores: _Numbers) -> pl.DataFrame:
    """What the columns of the bases say, as `PLACEMENTS` without the barcode."""
    rows, width = columns.shape
    positions = np.arange(width)[None, :]
    on = (columns >= 0) & (columns < COLUMNS) & (positions < lengths[:, None])
    some = on.any(axis=1)
    start = np.where(some, on.argmax(axis=1), 0)
    end = np.where(some, width - 1 - on[:, ::-1].argmax(axis=1), -1)
    every = np.arange(rows)
    first, last = columns[every, start], columns[every, np.maximum(end, 0)]
    beside = ~on & (positions > start[:, None]) & (positions < end[:, None])
    taken = np.zeros((rows, COLUMNS + 1), np.bool_)
    row, at = np.nonzero(on)
    taken[row, columns[row, at]] = True
    column = np.arange(COLUMNS + 1)[None, :]
    missing = ~taken & (column > first[:, None]) & (column < last[:, None])
    codons = np.maximum(on.sum(axis=1) // 3, 1)
    number = np.round(scores / codons).astype(np.int32)
    shifted = (_partial(missing) | _partial(beside)) & some
    refused = ~some | (number < _LEAST_PER_CODON) | (codons < _LEAST_CODONS)
    frame = pl.DataFrame(
        {
            "start": start,
            "first": first + 1,
            "last": last + 1,
            "missing_columns": _listed(missing, 1),
            "inserted_bases": _listed(beside, 0),
            "weight": number,
            "doubt": pl.select(
                pl.when(pl.Series(refused)).then(pl.lit("NOT_PLACED")).when(pl.Series(shifted)).then(pl.lit("SHIFTED"))
            ).to_series(),
        }
    )
    placed = pl.Series(~refused)
    others = [name for name in frame.columns if name not in {"weight", "doubt"}]
    return frame.with_columns(pl.when(placed).then(pl.col(name)).alias(name) for name in others)


def _partial(marked: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Whether a row has a run of marks whose length is no multiple of 3."""
    padded = np.pad(marked, ((0, 0), (1, 1)))
    edges = np.diff(padded.astype(np.int8), axis=1)
    row, begin = np.nonzero(edges == 1)
    _, end = np.nonzero(edges == -1)
    found = np.zeros(len(marked), np.bool_)
    found[row[(end - begin) % 3 != 0]] = True
    return found


def _listed(marked: npt.NDArray[np.bool_], first: int) -> pl.Series:
    """The positions of the marks of each row, counted from `first`; a list of Int16."""
    row, at = np.nonzero(marked)
    found = (
        pl.DataFrame({"row": row, "at": at + first}, schema={"row": pl.Int64, "at": pl.Int16})
        .group_by("row", maintain_order=True)
        .agg("at")
    )
    rows = pl.DataFrame({"row": np.arange(len(marked))}).join(found, on="row", how="left", maintain_order="left")
    return rows["at"].fill_null(pl.lit([], pl.List(pl.Int16)))
