"""The corpus' records from those of all batches: the latest row of each process ID.

Belongs here: the choice between batches. Does not belong here: the choice within one (`extract`).
"""

from __future__ import annotations

from typing import TypeVar

import polars as pl

from bioscan_etl.records.choose import MEASURES, prefer
from bioscan_etl.schema import SET_ASIDE

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

_ROW = ("processid", "batch", "source_file", "source_line")


def latest(records: Frame) -> tuple[Frame, pl.DataFrame]:
    """Keep one row per process ID: by the later snapshot, then the later batch name, then the better sequence.

    The result does not depend on the order of the rows. Only repeated process IDs are held in
    memory; a lazy frame remains lazy, so that the caller can select columns or stream the rows.

    Args:
        records: `schema.RECORDS` rows of any number of batches, with any further columns.

    Returns:
        The selected rows, sorted by processid, with all columns of `records`; and `schema.SET_ASIDE` rows of
        reason `superseded`, sorted by processid and batch, that name the row used instead.
    """
    lazy = records.lazy()
    contested = lazy.select("processid").filter(pl.col("processid").is_duplicated()).unique().collect().to_series()
    # A row without a known line (null) equals itself here, so joins compare nulls as equal.
    rows = (
        lazy.select(
            "processid", "batch", "record_id", "marker_code", "source_file", "source_line", "snapshot_date", "nuc"
        )
        # Sequences are read of the row groups that have such a record: often there is none.
        .filter(pl.col("processid").is_in(contested.implode()))
        .with_columns(MEASURES)
        .drop("nuc")
        .collect()
    )
    ordered = prefer(rows, before=("batch",), after=("source_file", "source_line"))
    losers = ordered.filter(~pl.col("selected"))
    selected = ordered.filter("selected").select("processid", kept_batch="batch", kept_record_id="record_id")
    set_aside = losers.join(selected, on="processid", how="left").with_columns(reason=pl.lit("superseded"))
    set_aside = SET_ASIDE.conform(set_aside.sort("processid", "batch", "record_id", "source_file", "source_line"))
    kept = lazy
    if losers.height:
        kept = kept.join(losers.lazy().select(_ROW), on=_ROW, how="anti", nulls_equal=True)
    kept = kept.sort("processid")
    return (kept.collect() if isinstance(records, pl.DataFrame) else kept), set_aside
