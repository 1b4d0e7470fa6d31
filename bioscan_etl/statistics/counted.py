"""All tables that are counted from the rows of a release, in the order in which one needs the other.

Belongs here: which tables there are, and what each is counted from; a release and a table of one's own are counted in
the same way. Does not belong here: counting (`tables`, `completeness`, `leakage_curve`, `published`), and distances and
the audit, which take minutes and are stages of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from bioscan_etl.progress import Progress, silent
from bioscan_etl.statistics.completeness import completeness
from bioscan_etl.statistics.leakage_curve import leakage_curve
from bioscan_etl.statistics.published import published
from bioscan_etl.statistics.tables import READ, missing, statistics

_STEPS = 4


def rows_to_count(released: pl.LazyFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """`tables.READ` and barcode_id of each specimen.

    Args:
        released: processid and `tables.READ`.
        ids: `schema.BARCODE_IDS`.
    """
    return released.select("processid", *READ).collect().join(ids, on="processid", how="left").drop("processid")


def count_tables(
    released: pl.LazyFrame,
    rows: pl.DataFrame,
    barcodes: pl.DataFrame,
    compared: Mapping[str, pl.DataFrame],
    least: int,
    progress: Progress = silent,
) -> dict[str, pl.DataFrame]:
    """The tables of `definitions.TABLES` that `compared` lacks, by name.

    Args:
        released: all columns of the rows, of which missing values are counted.
        rows: of `rows_to_count`.
        barcodes: `schema.BARCODES`.
        compared: tables of distances and of the audit by name, beside which published numbers stand.
        least: columns that two barcodes must share to be compared (setting `barcodes.min_shared_columns`).
        progress: reports the steps.
    """
    tables = statistics(rows, barcodes)
    progress("statistics", 1, _STEPS)
    tables |= completeness(rows)
    progress("statistics", 2, _STEPS)
    tables["missing"] = missing(released)
    progress("statistics", 3, _STEPS)
    tables["leakage_curve"] = leakage_curve(rows, barcodes, least, progress)
    tables["published"] = published({**compared, **tables})
    progress("statistics", _STEPS, _STEPS)
    return tables
