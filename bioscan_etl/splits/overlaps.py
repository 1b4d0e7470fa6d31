"""Which barcodes must be kept together so that no evaluated one was trained on, sequenced to another extent.

Belongs here: the groups of barcodes that are the same over shared columns, for a table and an earlier one. Does not
belong here: what makes two barcodes the same (`barcodes.same`), and the partition of a group (`stable`).
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.barcodes.distinct import groups, placed
from bioscan_etl.schema import PLACEMENTS
from bioscan_etl.splits.units import barcode_keys


def barcode_groups(
    table: pl.DataFrame,
    earlier: pl.DataFrame | pl.LazyFrame | None,
    least: int,
    placements: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The group of each barcode: barcodes that are the same over shared columns, directly or by others.

    Args:
        table: column dna_barcode, text; barcodes are identities (`barcodes.identity`).
        earlier: the same of an earlier table, or None.
        least: columns that two barcodes must share (setting `barcodes.min_shared_columns`).
        placements: columns of `schema.PLACEMENTS`, for barcodes that are placed already; the others are placed here.

    Returns:
        first and second (`units.barcode_keys` of the barcode) and group (Int64), one row per distinct barcode of both.
    """
    texts = [table.lazy().select(pl.col("dna_barcode").cast(pl.String))]
    if earlier is not None:
        texts.append(earlier.lazy().select(pl.col("dna_barcode").cast(pl.String)))
    distinct = (
        pl.concat(texts)
        .drop_nulls()
        .unique()
        .sort("dna_barcode")
        .collect(engine="streaming")
        .rename({"dna_barcode": "barcode"})
    )
    known = (PLACEMENTS.empty() if placements is None else placements).lazy()
    on_frame = placed(distinct, known)
    named = on_frame.select(dna_barcode="barcode", processid=pl.lit(""))
    return named.with_columns(group=pl.Series(groups(on_frame, least))).select(*barcode_keys(), "group")
