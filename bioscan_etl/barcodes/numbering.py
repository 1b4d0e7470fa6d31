"""Numbers in place of barcodes.

Belongs here: numbering barcodes so that large tables are grouped by numbers. Does not belong here: which letters
make two barcodes the same (`identity`).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from bioscan_etl.barcodes.identities import barcode_identities

KEYS = ("first_key", "second_key")
"""Names of the two hashes of a barcode."""


def identity_keys(sequence: pl.Expr) -> pl.Expr:
    """The hashes (`hashes`) of the `identity.barcode_identity`, by which rows of one barcode are found.

    Collect it with the streaming engine, which reads some sequences at a time.

    Args:
        sequence: text, nulls allowed.

    Returns:
        Struct of `first_key` and `second_key` (UInt64), both null for a sequence that has no barcode.
    """
    dtype = pl.Struct(dict.fromkeys(KEYS, pl.UInt64()))
    return sequence.map_batches(_hashed, return_dtype=dtype, is_elementwise=True)


def _hashed(sequences: pl.Series) -> pl.Series:
    has_barcode = pl.col("barcode").is_not_null()
    keys = [pl.when(has_barcode).then(key).alias(key.meta.output_name()) for key in hashes("barcode")]
    return barcode_identities(sequences).to_frame().select(keys).to_struct(sequences.name)


def hashes(column: str) -> list[pl.Expr]:
    """Two hashes of each text of a column, `KEYS`, UInt64: rows with the same two hashes have the same text.

    Each hash has 64 bits. That two of a billion barcodes have the same two hashes happens once in 10**20 corpora.
    """
    return [pl.col(column).hash(seed).alias(name) for seed, name in enumerate(KEYS, start=1)]


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
