"""The checked barcode of each record."""

from __future__ import annotations

from bioscan_etl import schema
from bioscan_etl.barcodes.check import check_barcodes
from bioscan_etl.flags import count_flags
from bioscan_etl.io.tables import scan_parquet
from bioscan_etl.stages.registry import DISTINCT
from bioscan_etl.stages.work import Work


def build(work: Work) -> None:
    """Write one row per record."""
    records = scan_parquet(work.path("raw_records", "records.parquet"))
    frame = check_barcodes(records, work.settings.barcodes)
    work.out.write(schema.CHECKED_BARCODES, frame)
    # By itself, so that another threshold, which changes flags alone, places no barcode anew.
    distinct = frame.select("barcode").drop_nulls().unique().sort("barcode")
    distinct.write_parquet(work.out.folder / DISTINCT, compression="zstd")
    work.out.counts["flags"] = count_flags(frame)
    work.out.counts["with_barcode"] = frame["barcode_length"].count()
