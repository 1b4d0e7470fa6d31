"""The distinct barcodes of a corpus, as numbers: what follows runs on them, not on letters.

Belongs here: numbering the barcodes of specimens, their places, and which of them are connected. Does not belong here:
placing (`placement`) and comparing (`framed`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.barcodes.framed import framed
from bioscan_etl.barcodes.identities import barcode_identities
from bioscan_etl.barcodes.numbering import KEYS, hashes
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
    # Most specimens have the barcode of a placement, letter by letter. Which one is looked up by two hashes instead of
    # 658 letters; only other texts are kept and rewritten, each once.
    keys = placements.select(hashes("barcode")).collect(engine="streaming").with_row_index("place")
    known_keys = keys.unique(KEYS, keep="first", maintain_order=True)
    looked_up = (
        specimens.select("processid", text="dna_barcode")
        .with_columns(hashes("text"))
        # Left to choose the side that is held, polars keeps the texts of all specimens until it has chosen.
        .join(known_keys.lazy(), on=KEYS, how="left", build_side="force_right")
    )
    is_other = pl.col("place").is_null() & pl.col("text").is_not_null()
    # Copied, because a text that is kept keeps all that were read with it.
    text = pl.col("text").map_batches(_copied, pl.String, is_elementwise=True)
    rows, others = pl.collect_all(
        [
            looked_up.select("processid", "place", *KEYS),
            looked_up.filter(is_other).select(text, *KEYS).unique(KEYS, keep="any"),
        ],
        engine="streaming",
    )
    found, new = _rewritten(others, known_keys, beyond=keys.height)
    ids = (
        rows.join(found, on=KEYS, how="left").select("processid", place=pl.coalesce("place", "other")).sort("processid")
    )
    counts = ids.drop_nulls().group_by("place").agg(records=pl.len().cast(pl.UInt32))
    known = (
        placements.select(PLACEMENTS.names())
        .with_row_index("place")
        .join(counts.lazy().select("place"), on="place", how="semi", build_side="force_right")
        .collect(engine="streaming")
    )
    on_frame = pl.concat([known, new.select("place").hstack(place(new["barcode"]))]).sort("barcode")
    on_frame = on_frame.with_row_index("barcode_id").join(counts, on="place", maintain_order="left")
    group = pl.Series("group", groups(on_frame, least), pl.UInt32)
    barcodes = BARCODES.conform(on_frame.with_columns(group))
    ids = ids.join(on_frame.select("place", "barcode_id"), on="place", how="left", maintain_order="left")
    return barcodes, BARCODE_IDS.conform(ids)


def _copied(texts: pl.Series) -> pl.Series:
    return pl.Series(texts.name, texts.to_arrow(compat_level=pl.CompatLevel.oldest()), pl.String)


def _rewritten(others: pl.DataFrame, keys: pl.DataFrame, beyond: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Number the barcodes of texts that are no placement's as they are.

    Args:
        others: text and its two hashes, distinct.
        keys: place and the two hashes of its barcode, distinct.
        beyond: first place of barcodes that have no placement.

    Returns:
        The two hashes of each text that has a barcode and the place of this (other); and new barcodes with their
        places, sorted by barcode.
    """
    others = others.rechunk()
    found = others.with_columns(barcode_identities(others["text"])).drop_nulls("barcode")
    distinct = found.select("barcode").unique().sort("barcode").with_columns(hashes("barcode"))
    distinct = distinct.join(keys, on=KEYS, how="left", maintain_order="left")
    is_new = pl.col("place").is_null()
    number = (beyond + is_new.cum_sum() - 1).cast(pl.UInt32)
    distinct = distinct.with_columns(pl.when(is_new).then(number).otherwise("place").alias("place"), is_new=is_new)
    places = found.join(distinct.select("barcode", other="place"), on="barcode").select(*KEYS, "other")
    return places, distinct.filter("is_new").select("place", "barcode")


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
