"""Near-duplicate barcodes across partitions (spec: partitioning, leakage).

Barcodes are compared over the columns that both have, so that missing ends are no difference, and by edits, which need
no place on the frame.

Comparing the edits of all pairs would take too long (118,000 by 18,000 barcodes of 658 bp). Two edits change at most
two of three segments of a barcode, so a near duplicate contains one segment unchanged, shifted by the insertions and
deletions before it. Barcodes that share such a segment are candidates, and only these are compared base by base. No
pair is missed, and the work grows with the number of close relatives, not of pairs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bioscan_etl.barcodes.framed import Framed, comparable
from bioscan_etl.barcodes.within import are_within, within
from bioscan_etl.splits.leakage import barcode_splits
from bioscan_etl.vocabulary import LEAKAGE_PAIRS

MAX_EDITS = 2

_SEGMENTS = MAX_EDITS + 1
_BATCH = 2_000  # evaluation barcodes looked up at a time, to bound the candidates in memory
# Difference of lengths (evaluated minus known) and shift of the unchanged segment: `shift` is the net number of
# insertions before it, the rest of the difference comes after it, and both together are at most MAX_EDITS.
_SHIFTS = tuple(
    (difference, shift)
    for difference in range(-MAX_EDITS, MAX_EDITS + 1)
    for shift in range(-MAX_EDITS, MAX_EDITS + 1)
    if abs(shift) + abs(difference - shift) <= MAX_EDITS
)


def near_duplicates(barcodes: pl.DataFrame, ids: pl.DataFrame, partitions: pl.DataFrame, least: int) -> pl.DataFrame:
    """Count pairs of distinct barcodes that are nearly the same across partitions.

    Two barcodes are if they differ in at most `MAX_EDITS` of the columns of the frame that both have, wherever they
    begin and end; or if as many insertions, deletions and substitutions make one of the other, which finds those whose
    place on the frame is in doubt.

    Args:
        barcodes: `schema.BARCODES`.
        ids: `schema.BARCODE_IDS`.
        partitions: columns processid, split; the same process IDs.
        least: columns that two barcodes must share (setting `barcodes.min_shared_columns`).

    Returns:
        One row per pair of `LEAKAGE_PAIRS`, in that order: known (training or key partition), evaluated (partition);
        barcodes (distinct ones of `evaluated`), near (how many of them have a near duplicate in `known`), pairs
        (pairs of barcodes that are nearly the same, including identical ones if there are any), int64.

    Raises:
        InvariantError: the tables do not hold the same process IDs.
    """
    names = sorted({name for pair in LEAKAGE_PAIRS for name in pair})
    split = barcode_splits(ids, partitions).filter(pl.col("split").is_in(names))
    held = barcodes.join(split.select("barcode_id").unique(), on="barcode_id", how="semi")
    position, on_frame = comparable(held)
    by_split = {
        name: split.filter(pl.col("split") == name)
        .join(held.select("barcode_id", "barcode"), on="barcode_id")
        .join(position, on="barcode_id", how="left")
        .sort("barcode_id")
        for name in names
    }
    rows = []
    for known, evaluated in LEAKAGE_PAIRS:
        near, pairs = _count(by_split[known], by_split[evaluated], on_frame, least)
        rows.append((known, evaluated, by_split[evaluated].height, near, pairs))
    return pl.DataFrame(
        rows,
        schema={
            "known": pl.String,
            "evaluated": pl.String,
            "barcodes": pl.Int64,
            "near": pl.Int64,
            "pairs": pl.Int64,
        },
        orient="row",
    )


def near_pairs(known: pl.Series, evaluated: pl.Series) -> Iterator[pl.DataFrame]:
    """Pairs within two edits, in batches of `evaluated`.

    Args:
        known: distinct barcodes, text without nulls.
        evaluated: distinct barcodes, text without nulls.

    Yields:
        Columns known and evaluated (positions in the two series, uint32) and edits (uint8), sorted.
    """
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import cpdist

    index = _segments(known)
    known_texts = _objects(known)
    for start in range(0, len(evaluated), _BATCH):
        batch = evaluated.slice(start, _BATCH)
        pairs = (
            _windows(batch)
            .join(index, on=["length", "segment", "hash"])
            .select("known", "evaluated")
            .unique()
            .sort("evaluated", "known")
        )
        texts = _objects(batch)
        edits = cpdist(
            known_texts[pairs["known"].to_numpy()],
            texts[pairs["evaluated"].to_numpy()],
            scorer=Levenshtein.distance,
            score_cutoff=MAX_EDITS,
            dtype=np.uint8,
        )
        yield pairs.with_columns(pl.col("evaluated") + start, pl.Series("edits", edits, dtype=pl.UInt8)).filter(
            pl.col("edits") <= MAX_EDITS
        )


def _count(known: pl.DataFrame, evaluated: pl.DataFrame, on_frame: Framed, least: int) -> tuple[int, int]:
    """How many evaluated barcodes are nearly the same as a known one, and the pairs; both with barcode and at."""
    found = np.zeros(evaluated.height, np.int64)
    is_placed = evaluated["at"].is_not_null().to_numpy()
    wanted, offered = (frame["at"].drop_nulls().to_numpy().astype(np.int64) for frame in (evaluated, known))
    found[is_placed] = within(on_frame, wanted, offered, least, MAX_EDITS)
    for batch in near_pairs(known["barcode"], evaluated["barcode"]):
        pairs = batch.select(
            "evaluated", one=evaluated["at"].gather(batch["evaluated"]), other=known["at"].gather(batch["known"])
        )
        # Pairs that are found on the frame are counted already.
        placed = pairs.drop_nulls()
        one, other = (placed[side].to_numpy().astype(np.int64) for side in ("one", "other"))
        only = placed.filter(~pl.Series(are_within(on_frame, one, other, least, MAX_EDITS)))
        unplaced = pairs.filter(pl.col("one").is_null() | pl.col("other").is_null())
        found += np.bincount(pl.concat([only, unplaced])["evaluated"].to_numpy(), minlength=len(found))
    return int((found > 0).sum()), int(found.sum())


def _objects(texts: pl.Series) -> NDArray[np.object_]:
    """The texts as Python strings, which can be picked by position without copying them."""
    return np.array(texts.to_list(), dtype=object)


def _segment(segment: int, length: pl.Expr, shift: int = 0) -> tuple[pl.Expr, pl.Expr]:
    """Start, moved by `shift`, and width of a segment of a barcode of this length; the last takes the remainder."""
    width = length // _SEGMENTS
    last = segment == _SEGMENTS - 1
    return width * segment + shift, length - width * segment if last else width


def _segments(barcodes: pl.Series) -> pl.DataFrame:
    """Columns known (position), length, segment and hash: three rows per barcode."""
    frame = pl.DataFrame({"barcode": barcodes}).with_row_index("known")
    length = pl.col("barcode").str.len_chars().cast(pl.Int64)
    parts = []
    for segment in range(_SEGMENTS):
        start, width = _segment(segment, length)
        parts.append(
            frame.select(
                "known",
                length=length,
                segment=pl.lit(segment, dtype=pl.Int8),
                hash=pl.col("barcode").str.slice(start, width).hash(),
            )
        )
    return pl.concat(parts)


def _windows(barcodes: pl.Series) -> pl.DataFrame:
    """Columns evaluated (position), length, segment and hash: possible positions of a shared segment."""
    frame = pl.DataFrame({"barcode": barcodes}).with_row_index("evaluated")
    parts = []
    for difference, shift in _SHIFTS:
        length = pl.col("barcode").str.len_chars().cast(pl.Int64) - difference
        for segment in range(_SEGMENTS):
            start, width = _segment(segment, length, shift)
            parts.append(
                frame.filter(length >= 0, start >= 0).select(
                    "evaluated",
                    length=length,
                    segment=pl.lit(segment, dtype=pl.Int8),
                    hash=pl.col("barcode").str.slice(start, width).hash(),
                )
            )
    return pl.concat(parts)
