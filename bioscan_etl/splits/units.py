"""Units: clusters of records that are kept together, of one barcode or, if set, of one BIN or of barcodes that overlap.

Belongs here: giving each record the number of its unit. Does not belong here: the partition of a unit (`stable`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Units:
    """The units of two tables, with common numbers.

    Attributes:
        count: number of units.
        barcodes: number of the barcode of each row of the table, int64, shape (rows,). Each row without a barcode has
            a number of its own.
        units: unit of each row of the table, from 0, int64, shape (rows,); `barcodes` unless more is kept together.
        earlier_barcodes: barcode of each earlier row, int64, shape (earlier rows,).
        earlier_units: unit of each earlier row, int64, shape (earlier rows,).
    """

    count: int
    barcodes: NDArray[np.int64]
    units: NDArray[np.int64]
    earlier_barcodes: NDArray[np.int64]
    earlier_units: NDArray[np.int64]


def barcode_keys() -> tuple[pl.Expr, pl.Expr]:
    """What tells barcodes apart, in 16 bytes a record: columns first and second, uint64.

    The barcodes of 5 million records take as much memory as a second table; two hashes of 64 bits take 80 MB and
    coincide for distinct barcodes with a probability of 1e-26. They are compared within one run only, so that no
    outcome depends on how polars hashes. Records without a barcode have keys of their own.

    Returns:
        Expressions over columns processid and dna_barcode (identities, see `barcodes.identity`), text.
    """
    alone = pl.col("processid").cast(pl.String)
    identity = pl.col("dna_barcode").cast(pl.String)

    def keyed(seed: int, name: str) -> pl.Expr:
        # Another seed keeps a process ID from being taken for a barcode.
        return pl.when(identity.is_null()).then(alone.hash(seed + 2)).otherwise(identity.hash(seed)).alias(name)

    return keyed(1, "first"), keyed(2, "second")


def number_units(
    current: pl.DataFrame,
    earlier: pl.DataFrame,
    bins: pl.Series | None = None,
    earlier_bins: pl.Series | None = None,
    groups: pl.DataFrame | None = None,
) -> Units:
    """Number the barcodes and units of a table and of an earlier one.

    Args:
        current: `barcode_keys` of the table.
        earlier: `barcode_keys` of the earlier one.
        bins: BIN of each row of the table, text; None if units are barcodes.
        earlier_bins: BIN of each earlier row, text; null where it no longer counts. None if units are barcodes.
        groups: first, second (`barcode_keys`) and group (Int64) of barcodes that are kept together; None for none.
    """
    codes, count = _codes(
        np.concatenate([current["first"].to_numpy(), earlier["first"].to_numpy()]),
        np.concatenate([current["second"].to_numpy(), earlier["second"].to_numpy()]),
    )
    barcodes, earlier_barcodes = codes[: len(current)], codes[len(current) :]
    labels = []
    if bins is not None and earlier_bins is not None:
        together = pl.DataFrame({"barcode": codes, "bin": pl.concat([bins, earlier_bins]).cast(pl.String)})
        labels.append(
            together.drop_nulls().unique().select("barcode", label=pl.col("bin").rank("dense").cast(pl.Int64) - 1)
        )
    if groups is not None:
        keys = pl.concat([current.select("first", "second"), earlier.select("first", "second")])
        named = keys.with_columns(barcode=codes).unique("barcode").join(groups, on=["first", "second"])
        labels.append(named.select("barcode", label="group"))
    if not labels:
        return Units(count, barcodes, barcodes, earlier_barcodes, earlier_barcodes)
    merged, count = _merge(labels, count)
    return Units(count, barcodes, merged[barcodes], earlier_barcodes, merged[earlier_barcodes])


def _codes(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> tuple[NDArray[np.int64], int]:
    """Number the distinct pairs from 0; returns the number of each row and the number of pairs."""
    order = np.argsort(first)
    differs = np.diff(first[order]) != 0
    if np.any(~differs & (np.diff(second[order]) != 0)):  # two barcodes of one first hash may be interleaved
        order = np.lexsort((second, first))
        differs = (np.diff(first[order]) != 0) | (np.diff(second[order]) != 0)
    codes = np.empty(len(first), dtype=np.int64)
    codes[order] = np.concatenate([[0], np.cumsum(differs)])[: len(first)]
    return codes, int(codes.max(initial=-1)) + 1


def _merge(labels: Sequence[pl.DataFrame], count: int) -> tuple[NDArray[np.int64], int]:
    """The unit of each barcode if barcodes with one label are merged, by all labels; and the number of units.

    Args:
        labels: barcode and label (Int64), one frame for each kind of label, such as BINs.
        count: number of barcodes.
    """
    pairs = [(frame["barcode"].to_numpy(), frame["label"].to_numpy()) for frame in labels]
    label = np.arange(count)
    while True:  # as many rounds as the longest chain of barcodes with two labels, mostly two
        before = label.copy()
        for barcode, kind in pairs:
            smallest = np.full(int(kind.max(initial=-1)) + 1, count, dtype=np.int64)
            np.minimum.at(smallest, kind, label[barcode])
            np.minimum.at(label, barcode, smallest[kind])
        if np.array_equal(before, label):
            break
    _, merged = np.unique(label, return_inverse=True)
    return merged.astype(np.int64), int(merged.max(initial=-1)) + 1
