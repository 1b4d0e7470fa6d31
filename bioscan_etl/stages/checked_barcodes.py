"""The checked barcode of each record."""

from __future__ import annotations

import polars as pl

from bioscan_etl import schema
from bioscan_etl.barcodes.check import check_barcodes
from bioscan_etl.flags import count_flags
from bioscan_etl.stages.work import Work


def build(work: Work) -> None:
    """Write one row per record."""
    records = pl.scan_parquet(work.path("raw_records", "records.parquet"))
    frame = check_barcodes(records, work.settings.barcodes)
    work.out.write(schema.CHECKED_BARCODES, frame)
    work.out.counts["flags"] = count_flags(frame)
    work.out.counts["with_barcode"] = frame["barcode_length"].count()
