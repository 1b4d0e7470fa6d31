"""The categories of an attribute, and how many specimens each has.

Belongs here: what a category is. Does not belong here: what is said of all of them (`tables`).
"""

from __future__ import annotations

import polars as pl

COORDINATES = ("coord-lat", "coord-lon")


def category(attribute: str) -> pl.Expr:
    """The category of each row for an attribute; null is unlabelled.

    A site is a distinct pair of latitude and longitude. Barcodes are compared without N at their ends.
    """
    if attribute == "site":
        is_known = pl.all_horizontal(pl.col(name).is_not_null() for name in COORDINATES)
        return pl.when(is_known).then(pl.struct(lat="coord-lat", lon="coord-lon"))
    return pl.col("barcode_id" if attribute == "dna_barcode" else attribute)


def group_sizes(rows: pl.DataFrame, attribute: str) -> pl.DataFrame:
    """Records per category: columns category and size, the largest first, then by category."""
    named = rows.lazy().select(category=category(attribute)).drop_nulls()
    return named.group_by("category").agg(size=pl.len().cast(pl.Int64)).sort(
        "size", "category", descending=[True, False]
    ).collect()  # fmt: skip
