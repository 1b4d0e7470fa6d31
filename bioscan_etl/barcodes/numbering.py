"""Numbers in place of barcodes.

Belongs here: numbering barcodes so that large tables are grouped by numbers. Does not belong here: which letters
make two barcodes the same (`identity`).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from bioscan_etl.barcodes.identity import barcode_identities


def same_identity(sequences: pl.Series) -> pl.Series:
    """Number sequences, so that those of one barcode have equal numbers; each distinct sequence is rewritten once.

    Args:
        sequences: text, nulls allowed.

    Returns:
        `barcode`, UInt32: the position of the first row with the same `identity.barcode_identity`; null for none.
    """
    sequences = sequences.rechunk()
    numbers = same_barcode(sequences)
    heads = numbers.drop_nulls().unique().sort()
    first = heads.gather(same_barcode(barcode_identities(sequences.gather(heads))))
    places = heads.search_sorted(numbers.fill_null(0)).set(numbers.is_null(), None)
    return first.gather(places).alias("barcode")


def same_barcode(barcodes: pl.Series) -> pl.Series:
    """Number barcodes, so that equal ones have equal numbers: what is grouped by numbers copies no letters.

    Args:
        barcodes: text, nulls allowed; any texts will do.

    Returns:
        `barcode`, UInt32: the position of the first row with the same barcode; null for null.
    """
    barcodes = barcodes.rechunk()  # texts are gathered without a copy from one chunk only
    hashes = barcodes.hash().to_numpy()
    order = np.argsort(hashes, kind="stable")
    starts = np.diff(hashes[order], prepend=~hashes[order[:1]]) != 0
    first = order[starts][np.cumsum(starts) - 1]
    numbers = np.empty(len(order), np.uint32)
    numbers[order] = first
    if not (barcodes.ne_missing(barcodes.gather(pl.Series(numbers)))).any():
        return pl.select(pl.when(barcodes.is_not_null()).then(pl.Series(numbers)).alias("barcode")).to_series()
    # Two barcodes have one hash: one corpus in millions.
    frame = barcodes.to_frame("barcode").with_row_index("row")
    same = pl.when(pl.col("barcode").is_not_null()).then(pl.col("row").min().over("barcode"))
    return frame.select(same.cast(pl.UInt32).alias("barcode")).to_series()
