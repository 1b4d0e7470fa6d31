"""Groups of rows whose labels are not all the same.

Belongs here: finding them by numbers in place of texts. Does not belong here: what differs, and what follows from it
(`conflicts`, `inference`, `invariants`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def varied(rows: pl.DataFrame, group: str, names: Sequence[str]) -> pl.DataFrame:
    """The rows of groups in which some text differs; null counts as a text.

    Most barcodes and BINs have the same labels throughout. Numbers are compared several times faster than texts, so
    that texts are left to the groups that are found here.

    Args:
        rows: `group` of any type, and text columns.
        group: the column by which rows are grouped; a null is in no group.
        names: the text columns to compare.

    Returns:
        Rows of `rows`, with all columns.
    """
    # A category's number depends on what else the process has read: it only tells texts apart.
    codes = (pl.col(name).cast(pl.Categorical).to_physical().cast(pl.Int64).fill_null(-1) for name in names)
    differs = (pl.col(name).min() != pl.col(name).max() for name in names)
    found = (
        rows.lazy()
        .select(group, *codes)
        .filter(pl.col(group).is_not_null())
        .group_by(group)
        .agg(differs=pl.any_horizontal(differs))
        .filter("differs")
        .collect()
    )
    return rows.join(found.select(group), on=group, how="semi")
