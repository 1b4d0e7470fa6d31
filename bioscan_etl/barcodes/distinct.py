"""The distinct barcodes of a corpus, as numbers: what follows runs on them, not on letters.

Belongs here: numbering the barcodes of specimens, their places, and which of them are connected. Does not belong here:
placing (`placement`) and comparing (`framed`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.barcodes.framed import framed
from bioscan_etl.barcodes.identity import barcode_identities
from bioscan_etl.barcodes.placement import place
from bioscan_etl.barcodes.same import same_pairs
from bioscan_etl.schema import BARCODE_IDS, BARCODES, PLACEMENTS


def numbered(specimens: pl.LazyFrame, placements: pl.LazyFrame, least: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Number the distinct barcodes of specimens, in lexical order, and say where each lies and what it is the same as.

    Args:
        specimens: processid and dna_barcode (text), one row per specimen.
        placements: rows of `schema.PLACEMENTS`, as the batches have them; a barcode may occur in several. A barcode
            that has none, such as one that a curator set, is placed here.
        least: columns that two barcodes must share before they can be the same (setting `barcodes.min_shared_columns`).

    Returns:
        `schema.BARCODES`, sorted by barcode_id, and `schema.BARCODE_IDS`, sorted by processid.
    """
    # Each distinct sequence is rewritten once.
    texts = (
        specimens.select(text="dna_barcode")
        .drop_nulls()
        .group_by("text")
        .agg(records=pl.len().cast(pl.UInt32))
        .collect(engine="streaming")
        .rechunk()
    )
    texts = texts.hstack([barcode_identities(texts["text"])]).drop_nulls().sort("barcode")
    texts = texts.with_columns(barcode_id=pl.col("barcode").rle_id())
    counts = texts.group_by("barcode_id").agg(pl.col("barcode").first(), pl.col("records").sum()).sort("barcode_id")
    on_frame = placed(counts, placements)
    group = pl.Series("group", groups(on_frame, least), pl.UInt32)
    barcodes = BARCODES.conform(counts.hstack(on_frame.drop("barcode")).with_columns(group))
    # Two hashes instead of 658 letters: a specimen's barcode is looked up without a copy of its text.
    keys = [pl.col("text").hash(1).alias("first_key"), pl.col("text").hash(2).alias("second_key")]
    ids = (
        specimens.select("processid", text="dna_barcode")
        .select("processid", *keys)
        .collect(engine="streaming")
        .join(texts.select("barcode_id", *keys), on=["first_key", "second_key"], how="left")
        .sort("processid")
    )
    return barcodes, BARCODE_IDS.conform(ids)


def placed(barcodes: pl.DataFrame, placements: pl.LazyFrame) -> pl.DataFrame:
    """The places of barcodes: known ones are looked up, the others are placed here.

    Args:
        barcodes: column barcode, distinct identities without nulls.
        placements: the columns of `schema.PLACEMENTS`; a barcode may occur in several rows, which are the same.

    Returns:
        `schema.PLACEMENTS`, a row per barcode, sorted by barcode.
    """
    known = (
        placements.select(PLACEMENTS.names())
        .join(barcodes.lazy().select("barcode"), on="barcode", how="semi")
        .collect(engine="streaming")
        .unique("barcode", keep="any")
    )
    new = barcodes.join(known, on="barcode", how="anti")
    return pl.concat([known, place(new["barcode"])]).sort("barcode")


def groups(placements: pl.DataFrame, least: int) -> npt.NDArray[np.int64]:
    """The position of the first barcode that each is connected with, by being the same over shared columns.

    Args:
        placements: the columns of `schema.PLACEMENTS`.
        least: columns that two barcodes must share.

    Returns:
        int64, shape (rows,).
    """
    return connected(placements.height, *same_pairs(framed(placements), least))


def connected(count: int, one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The smallest number that each number is connected with, directly or by others.

    Args:
        count: numbers, from 0.
        one: the first number of each pair.
        other: the second.

    Returns:
        int64, shape (count,).

    >>> connected(4, np.array([1, 2]), np.array([2, 3])).tolist()
    [0, 1, 1, 1]
    """
    label = np.arange(count)
    while True:
        before = label.copy()
        smaller = np.minimum(label[one], label[other])
        np.minimum.at(label, one, smaller)
        np.minimum.at(label, other, smaller)
        label = label[label]
        if np.array_equal(before, label):
            return label
