"""Selecting one of several rows of a specimen.

Belongs here: the order of preference, for one batch (`extract`) and for the corpus (`supersede`). The later
snapshot comes first, then the longest ungapped sequence, then the fewest ambiguous bases, then record_id (spec: BOLD
records, from row to specimen).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

MEASURES = (
    (pl.col("nuc").str.len_chars() - pl.col("nuc").str.count_matches("-", literal=True)).fill_null(0).alias("ungapped"),
    pl.col("nuc").str.count_matches("[^ACGTacgt-]").fill_null(0).alias("ambiguous"),
)
"""Expressions over `nuc`: `ungapped`, letters without gaps, and `ambiguous`, letters other than A, C, G, T."""


def prefer(rows: pl.DataFrame, before: Sequence[str] = (), after: Sequence[str] = ()) -> pl.DataFrame:
    """Sort rows by processid, the selected row of each first, and mark it in a column `selected`.

    Args:
        rows: columns processid, record_id, snapshot_date (null counts as earliest), ungapped, ambiguous, and
            those named below.
        before: columns that decide if snapshot dates are equal, the greater value first.
        after: columns that decide if everything else is equal, the smaller value first.
    """
    order = (
        ("processid", False),
        ("snapshot_date", True),
        *((name, True) for name in before),
        ("ungapped", True),
        ("ambiguous", False),
        ("record_id", False),
        *((name, False) for name in after),
    )
    names, descending = zip(*order, strict=True)
    ordered = rows.sort(names, descending=descending, nulls_last=True, maintain_order=True)
    return ordered.with_columns(selected=pl.col("processid").is_first_distinct())
