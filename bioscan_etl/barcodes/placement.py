"""Where a barcode lies on the 658-column frame of COI-5P: its columns, the codons it lacks, the bases it has beside.

Each distinct barcode is placed by itself with the shipped profile (`profile`), so that its place depends on nothing but
its letters. Three steps, each over a block of barcodes at once:

1. **Offset.** The place without gaps, and whether gaps are worth a search: `straight`.
2. **Gaps.** Barcodes that gaps fit better are aligned: `gaps`.
3. **Ends.** Sequencing errors gather at the ends. A base that is missing or read twice there shifts the few codons
   behind it, too few to outweigh a gap, and each would count as several differences. An end that fits much better one
   or two columns away is not placed.

Belongs here: the ends, and what the columns say. Does not belong here: barcodes side by side on the frame (`framed`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.barcodes.codon_weights import (
    LEAST_CODONS,
    LEAST_PER_CODON,
    MOST_LETTERS,
    NO_CODON,
    PAD,
    Letters,
    Numbers,
    table,
    triples,
)
from bioscan_etl.barcodes.columns import COLUMNS, UNKNOWN, codes
from bioscan_etl.barcodes.gaps import aligned
from bioscan_etl.barcodes.straight import straight
from bioscan_etl.schema import PLACEMENTS
from bioscan_etl.threads import cores, ordered_map

Marks = npt.NDArray[np.bool_]

_BLOCK = 8_000  # barcodes at a time
_COMPARED = 2_000  # of these, so many are compared with the frame together
_ALIGNED = 250  # and so many are aligned
_SHIFTED_END = 550  # by which an end must fit better elsewhere; of 2,482 real barcodes none lies between 488 and 583
_END = 24  # codons that an end can have


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
    numbers = triples(letters)
    offsets, scores = np.zeros_like(lengths), np.zeros_like(lengths)
    bends = np.zeros(len(lengths), np.bool_)
    for part, width in _pieces(lengths, np.arange(len(lengths)), _COMPARED):
        offsets[part], scores[part], bends[part] = straight(letters[part, :width], numbers[part, :width], lengths[part])
    without, bent = np.flatnonzero(~bends), np.flatnonzero(bends)
    described = [
        _described_straight(numbers[without], offsets[without], lengths[without], scores[without]),
        *_described_bent(numbers[bent], offsets[bent], lengths[bent]),
    ]
    order = np.empty(len(lengths), np.int64)
    order[np.concatenate([without, bent])] = np.arange(len(lengths))
    return PLACEMENTS.conform(pl.concat(described)[order].with_columns(barcodes.alias("barcode")))


def _pieces(lengths: Numbers, chosen: Numbers, size: int) -> Iterator[tuple[Numbers, int]]:
    """The chosen barcodes, some at a time and those of a length together, each with the letters of its longest."""
    by_length = chosen[np.argsort(lengths[chosen], kind="stable")]
    for start in range(0, len(by_length), size):
        part = by_length[start : start + size]
        yield part, max(int(lengths[part].max()), 1)


def _described_straight(numbers: Letters, offsets: Numbers, lengths: Numbers, scores: Numbers) -> pl.DataFrame:
    """What `PLACEMENTS` says, without the barcode, of barcodes without gaps."""
    begin = np.maximum(_end(numbers, None, offsets, lengths, 1), -offsets)
    end = np.minimum(_end(numbers, None, offsets, lengths, -1), np.minimum(lengths, COLUMNS - offsets))
    count = np.maximum(end - begin, 0)
    none = np.zeros((len(lengths), 1), np.bool_)
    return _frame(begin, begin + offsets + 1, end + offsets, count, scores, none, none)


def _described_bent(numbers: Letters, offsets: Numbers, lengths: Numbers) -> Iterator[pl.DataFrame]:
    """The same of barcodes with gaps."""
    if not len(lengths):
        return
    columns: Numbers = np.full(numbers.shape, -1, np.int64)
    scores = np.zeros_like(lengths)
    for part, width in _pieces(lengths, np.arange(len(lengths)), _ALIGNED):
        columns[part, :width], scores[part] = aligned(numbers[part, :width], offsets[part], lengths[part])
    position = np.arange(columns.shape[1])[None, :]
    begin, end = (_end(numbers, columns, offsets, lengths, sign) for sign in (1, -1))
    columns[(position < begin[:, None]) | (position >= end[:, None])] = -1
    yield _described(columns, lengths, scores)


def _end(numbers: Letters, columns: Numbers | None, offsets: Numbers, lengths: Numbers, sign: int) -> Numbers:
    """Where the placed bases begin (`sign` 1) or end (-1): ends that fit better elsewhere are not placed.

    Args:
        numbers: of `codon_weights.triples`, shape (barcodes, bases).
        columns: the column of each base, the same shape; None if `offsets` say it.
        offsets: the column, from 0, of the first base.
        lengths: bases of each barcode.
        sign: which end.

    Returns:
        The first placed base, or the one behind the last, from 0; shape (barcodes,).
    """
    every = np.arange(len(lengths))
    at = np.zeros_like(lengths) if sign > 0 else np.maximum(lengths - 1, 0)
    offset = offsets if columns is None else columns[every, at] - at
    # The last base of each codon of the end, the outermost codon first; offset + base is 0 modulo 3 there.
    outermost = at + (-(at + offset) % 3) if sign > 0 else at - (at + offset) % 3
    ends = outermost[:, None] + sign * 3 * np.arange(_END)[None, :]
    own = _weights_at(numbers, ends, offset, lengths)
    gain = np.full(ends.shape, -1)
    for shift in (-2, -1, 1, 2):
        gain = np.maximum(gain, np.cumsum(_weights_at(numbers, ends, offset + shift, lengths) - own, axis=1))
    if columns is not None:
        # An end reaches to the first gap at most: behind it, the barcode has another offset.
        inside = np.clip(ends, 0, columns.shape[1] - 1)
        is_end = np.logical_and.accumulate(
            np.take_along_axis(columns, inside, axis=1) - inside == offset[:, None], axis=1
        )
        gain[~is_end] = -1
    codon = gain.argmax(axis=1)
    is_shifted = gain[every, codon] >= _SHIFTED_END
    edge = ends[every, codon]
    kept: Numbers = np.where(is_shifted, edge + 1, 0) if sign > 0 else np.where(is_shifted, edge - 2, lengths)
    return kept


def _weights_at(numbers: Letters, ends: Numbers, offset: Numbers, lengths: Numbers) -> Numbers:
    """Weights of the codons that end at some bases, if these lie in the columns of an offset; 0 beside the frame."""
    # A codon of another offset ends one or two bases later.
    moved = ends + (-(ends + offset[:, None]) % 3)
    inside = (moved >= 0) & (moved < lengths[:, None])
    moved = np.where(inside, moved, 0)
    number = np.where(inside, np.take_along_axis(numbers, moved, axis=1), NO_CODON)
    column = np.clip(moved + offset[:, None] + PAD, 0, len(table()) - 1)
    found: Numbers = table()[column, number].astype(np.int64)
    return found


def _described(columns: Numbers, lengths: Numbers, scores: Numbers) -> pl.DataFrame:
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
    return _frame(start, first + 1, last + 1, on.sum(axis=1), scores, missing, beside)


def _frame(
    start: Numbers, first: Numbers, last: Numbers, count: Numbers, scores: Numbers, missing: Marks, beside: Marks
) -> pl.DataFrame:
    """`PLACEMENTS` without the barcode.

    Args:
        start: the first placed base, from 0.
        first: its column, from 1.
        last: the column of the last one.
        count: placed bases; 0 for none.
        scores: weights.
        missing: the columns, from 0, between them that have no base; shape (barcodes, any).
        beside: the bases, from 0, between them that are in no column.
    """
    codons = np.maximum(count // 3, 1)
    number = np.round(scores / codons).astype(np.int32)
    shifted = (_partial(missing) | _partial(beside)) & (count > 0)
    refused = (count == 0) | (number < LEAST_PER_CODON) | (codons < LEAST_CODONS)
    frame = pl.DataFrame(
        {
            "start": start,
            "first": first,
            "last": last,
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


def _partial(marked: Marks) -> Marks:
    """Whether a row has a run of marks whose length is no multiple of 3."""
    padded = np.pad(marked, ((0, 0), (1, 1)))
    edges = np.diff(padded.astype(np.int8), axis=1)
    row, begin = np.nonzero(edges == 1)
    _, end = np.nonzero(edges == -1)
    found = np.zeros(len(marked), np.bool_)
    found[row[(end - begin) % 3 != 0]] = True
    return found


def _listed(marked: Marks, first: int) -> pl.Series:
    """The positions of the marks of each row, counted from `first`; a list of Int16."""
    row, at = np.nonzero(marked)
    found = (
        pl.DataFrame({"row": row, "at": at + first}, schema={"row": pl.Int64, "at": pl.Int16})
        .group_by("row", maintain_order=True)
        .agg("at")
    )
    rows = pl.DataFrame({"row": np.arange(len(marked))}).join(found, on="row", how="left", maintain_order="left")
    return rows["at"].fill_null(pl.lit([], pl.List(pl.Int16)))
