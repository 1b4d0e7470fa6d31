"""Barcodes side by side on the frame: which letter is in which column, as bits that are compared many at a time.

Belongs here: letters on the frame and their comparison. Does not belong here: finding a barcode's place (`placement`),
and which barcodes are the same (`same`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.barcodes.columns import COLUMNS, UNKNOWN, codes
from bioscan_etl.threads import cores, ordered_map

MISSING = 5
"""Number of a column between a barcode's first and last that holds no base: the barcode lacks a codon."""

BLOCKS = 14
"""Blocks of 47 columns, which together are the frame."""
_WIDTH = COLUMNS // BLOCKS
_TRIPLES = -(-_WIDTH // 3)  # of a block
_KINDS = MISSING + 1  # of letters
_WORDS = -(-COLUMNS // 64)
_PART = 2_000  # barcodes whose letters are held at a time
_PLACE = ("start", "first", "last")

_Letters = npt.NDArray[np.uint8]
_Words = npt.NDArray[np.uint64]
_Numbers = npt.NDArray[np.int64]
Counts = npt.NDArray[np.uint32]


def letters(placements: pl.DataFrame) -> _Letters:
    """The letter in each column of the frame.

    Args:
        placements: rows of `schema.PLACEMENTS`.

    Returns:
        uint8, shape (rows, 658): A, C, G, T as 0 to 3, `columns.UNKNOWN` for N and where the barcode does not reach,
        `MISSING` for a codon that it lacks. A barcode that is not placed has `UNKNOWN` everywhere.
    """
    found = codes(placements["barcode"])
    framed = np.full((len(found), COLUMNS), UNKNOWN, np.uint8)
    width = min(found.shape[1], COLUMNS)
    framed[:, :width] = found[:, :width]  # right for nearly all: whole barcodes begin in the first column
    is_placed = placements["first"].is_not_null().to_numpy()
    framed[~is_placed] = UNKNOWN
    # Most others fill their columns without a gap: a stretch of letters that is moved as a whole.
    uneven = pl.any_horizontal(pl.col("missing_columns", "inserted_bases").list.len() > 0).fill_null(value=False)
    is_uneven = placements.select(uneven).to_series().to_numpy()
    start, first, last = (placements[name].fill_null(0).to_numpy().astype(np.int64) for name in _PLACE)
    beyond = placements["barcode"].str.len_bytes().to_numpy() > start + last - first + 1
    moved = np.flatnonzero(is_placed & ~is_uneven & ((first > 1) | (start > 0) | beyond))
    spread = np.flatnonzero(is_placed & is_uneven)
    framed[moved] = _moved(start[moved], first[moved], last[moved], found[moved])
    if len(spread):
        framed[spread] = _spread(placements[spread], found[spread])
    return framed


def _moved(start: _Numbers, first: _Numbers, last: _Numbers, found: _Letters) -> _Letters:
    """The letter in each column, of barcodes that lack no codon and have no base beside the frame."""
    framed = np.full((len(found), COLUMNS), UNKNOWN, np.uint8)
    shift = first - 1 - start
    for by in np.unique(shift).tolist():
        rows = np.flatnonzero(shift == by)
        begin, end = max(by, 0), min(found.shape[1] + by, COLUMNS)
        framed[rows, begin:end] = found[rows, begin - by : end - by]
    column = np.arange(1, COLUMNS + 1, dtype=np.int64)[None, :]
    framed[(column < first[:, None]) | (column > last[:, None])] = UNKNOWN
    return framed


def _spread(placements: pl.DataFrame, found: _Letters) -> _Letters:
    """The letter in each column, of placed barcodes."""
    framed = np.full((len(found), COLUMNS), UNKNOWN, np.uint8)
    start, first, last = (placements[name].to_numpy()[:, None] for name in _PLACE)
    column, at = np.arange(1, COLUMNS + 1)[None, :], np.arange(found.shape[1])[None, :]
    missing = _marked(placements["missing_columns"], COLUMNS + 1)[:, 1:]
    beside = _marked(placements["inserted_bases"], found.shape[1])
    free = (column >= first) & (column <= last) & ~missing
    # As many letters as there are columns for them: the first free column holds the first letter, and so on.
    count = free.sum(axis=1, keepdims=True) + beside.sum(axis=1, keepdims=True)
    framed[free] = found[(at >= start) & (at < start + count) & ~beside]
    framed[missing] = MISSING
    return framed


def _marked(positions: pl.Series, width: int) -> npt.NDArray[np.bool_]:
    """Positions, a list per row, as marks of shape (rows, width)."""
    marks = np.zeros((len(positions), width), np.bool_)
    rows = np.repeat(np.arange(len(positions)), positions.list.len().fill_null(0).to_numpy())
    marks[rows, positions.explode(empty_as_null=False, keep_nulls=False).to_numpy()] = True
    return marks


@dataclass(frozen=True, slots=True)
class Framed:
    """Barcodes on the frame, as bits.

    Attributes:
        low, high: the two bits of A, C, G, T in each column, uint64, shape (barcodes, 11).
        known: where a base is, the same shape.
        lacking: where a codon is lacking, the same shape.
        beside: where bases follow that lie in no column, the same shape.
        texts: these bases, by barcode and column; only of barcodes that have some.
        hashes: sums of the hashed letters up to each block, uint64, shape (barcodes, 15).
        clean: bits of the blocks in which every column has a base or lacks one, int64, shape (barcodes,).
    """

    low: _Words
    high: _Words
    known: _Words
    lacking: _Words
    beside: _Words
    texts: Mapping[int, Mapping[int, str]]
    hashes: _Words
    clean: _Numbers


def framed(placements: pl.DataFrame) -> Framed:
    """Put barcodes on the frame.

    Args:
        placements: rows of `schema.PLACEMENTS`; what is not placed has no known column.
    """
    rows = placements.height
    low, high, known, lacking = (np.zeros((rows, _WORDS), np.uint64) for _ in range(4))
    hashes = np.zeros((BLOCKS + 1, rows), np.uint64).T  # two columns of all barcodes are read at a time
    clean = np.zeros(rows, np.int64)
    sums = _sums_of_triples()
    wholes = _packed(np.repeat(np.eye(BLOCKS, dtype=np.bool_), _WIDTH, axis=1))

    def fill(start: int) -> None:
        part = slice(start, start + _PART)
        found = letters(placements[part])
        # The numbers' bits are those of A, C, G, T; `MISSING` has the first one, too, `UNKNOWN` none of both.
        odd, high[part] = (_packed(found & np.uint8(bit)) for bit in (1, 2))
        known[part] = _packed(found < UNKNOWN)
        low[part], lacking[part] = odd & known[part], odd & ~known[part]
        np.cumsum(_block_sums(found, sums), axis=1, out=hashes[part, 1:])
        covered = known[part] | lacking[part]
        for block, whole in enumerate(wholes):
            words = np.flatnonzero(whole)
            is_clean = ((covered[:, words] & whole[words]) == whole[words]).all(axis=1)
            clean[part] |= is_clean.astype(np.int64) << block

    for _ in ordered_map(fill, range(0, rows, _PART), cores()):
        pass
    texts = _texts(placements)
    return Framed(low, high, known, lacking, _where(texts, rows), texts, hashes, clean)


def _sums_of_triples() -> _Words:
    """The hashes of three letters beside each other, added, for each place of a triple; shape (224, 216).

    A block of 47 columns is 16 triples; the last one has two letters.
    """
    table = np.random.default_rng(20260).integers(0, 1 << 64, (COLUMNS, _KINDS), np.uint64)
    padded = np.zeros((BLOCKS, _TRIPLES * 3, _KINDS), np.uint64)
    padded[:, :_WIDTH] = table.reshape(BLOCKS, _WIDTH, _KINDS)
    one, two, three = padded.reshape(-1, 3, _KINDS).swapaxes(0, 1)
    return (one[:, :, None, None] + two[:, None, :, None] + three[:, None, None, :]).reshape(len(one), -1)


def _block_sums(found: _Letters, sums: _Words) -> _Words:
    """The sum of the hashed letters of each block, looked up three letters at a time; shape (rows, 14).

    Args:
        found: as of `letters`.
        sums: of `_sums_of_triples`.
    """
    wide = np.zeros((len(found), BLOCKS, _TRIPLES * 3), np.uint8)
    wide[:, :, :_WIDTH] = found.reshape(-1, BLOCKS, _WIDTH)
    triples = wide.reshape(len(found), -1, 3)
    which = (triples[:, :, 0] * np.uint8(_KINDS) + triples[:, :, 1]) * np.uint8(_KINDS) + triples[:, :, 2]
    places = which.astype(np.intp)
    places += np.arange(0, sums.size, sums.shape[1])
    added: _Words = sums.ravel().take(places).reshape(-1, BLOCKS, _TRIPLES).sum(axis=2)
    return added


def comparable(barcodes: pl.DataFrame) -> tuple[pl.DataFrame, Framed]:
    """The barcodes that distances can rest on: those whose place on the frame is without doubt.

    Args:
        barcodes: `schema.BARCODES`.

    Returns:
        barcode_id and its position in the second (at, UInt32), ascending; and these barcodes on the frame.
    """
    usable = barcodes.filter(pl.col("doubt").is_null()).sort("barcode_id")
    return usable.select("barcode_id").with_row_index("at"), framed(usable)


def full_blocks(barcodes: Framed, members: _Numbers) -> _Numbers:
    """The blocks in which each of some barcodes has a base in every column, as bits, int64, shape (members,)."""
    found = barcodes.clean[members]
    # Nearly no barcode lacks a codon.
    lacking = np.flatnonzero((barcodes.lacking[members] != 0).any(axis=1))
    bits = np.unpackbits(barcodes.lacking[members[lacking]].view(np.uint8), axis=1, count=COLUMNS)
    holes = np.logical_or.reduceat(bits, np.arange(0, COLUMNS, _WIDTH), axis=1)
    found[lacking] &= ~(holes @ (np.int64(1) << np.arange(BLOCKS, dtype=np.int64)))
    return found


def compared(barcodes: Framed, one: _Numbers | int, other: _Numbers) -> tuple[Counts, Counts]:
    """Compare pairs of barcodes.

    Args:
        barcodes: on the frame.
        one: the position of the first barcode of each pair, or of the one that all are compared with.
        other: the position of the second.

    Returns:
        Columns in which both have a base, and those of them in which the bases differ; uint32, shape (pairs,).
    """
    both = barcodes.known[one] & barcodes.known[other]
    bits = (barcodes.low[one] ^ barcodes.low[other]) | (barcodes.high[one] ^ barcodes.high[other])
    return bits_of(both), bits_of(bits & both)


def known_columns(barcodes: Framed, members: _Numbers) -> _Numbers:
    """Columns in which each of some barcodes has a base, int64, shape (members,)."""
    return bits_of(barcodes.known[members]).astype(np.int64)


def bits_of(words: _Words) -> Counts:
    """The number of bits that are set in each row of words, shape (rows,)."""
    counted = np.bitwise_count(words)
    found = np.zeros(len(words), np.uint32)
    for word in range(words.shape[1]):  # a sum along short rows takes several times as long
        found += counted[:, word]
    return found


def _packed(marks: npt.NDArray[np.bool_] | _Letters) -> _Words:
    """Bits as words of 64, shape (rows, 11): which columns hold anything but 0."""
    wide = np.zeros((len(marks), 8 * _WORDS), np.uint8)
    packed = np.packbits(marks, axis=1)
    wide[:, : packed.shape[1]] = packed
    return wide.view(np.uint64)


def _texts(placements: pl.DataFrame) -> dict[int, dict[int, str]]:
    """Bases that lie in no column, by row and by the column, from 0, that they follow. Few barcodes have any."""
    rows = (
        placements.select("barcode", "start", "first", "missing_columns", "inserted_bases")
        .with_row_index("row")
        .filter(pl.col("inserted_bases").list.len() > 0)
    )
    texts: dict[int, dict[int, str]] = {}
    for row, barcode, start, first, missing, inserted in rows.iter_rows():
        found: dict[int, str] = {}
        for number, at in enumerate(inserted):
            column = first + at - start - number - 1  # of the base before, if no codon is missing
            for gap in missing:
                column += gap <= column
            found[column - 1] = found.get(column - 1, "") + barcode[at]
        texts[row] = found
    return texts


def _where(texts: Mapping[int, Mapping[int, str]], rows: int) -> _Words:
    """The columns of `_texts` as bits, shape (rows, 11)."""
    marks = np.zeros((rows, _WORDS), np.uint64)
    for row, found in texts.items():
        flags = np.zeros((1, COLUMNS), np.bool_)
        flags[0, list(found)] = True
        marks[row] = _packed(flags)[0]
    return marks
