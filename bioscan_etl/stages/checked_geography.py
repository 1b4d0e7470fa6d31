"""The checked place and dates of each record."""

from __future__ import annotations

from bioscan_etl import schema
from bioscan_etl.flags import count_flags
from bioscan_etl.geography.check import check_geography
from bioscan_etl.io.tables import scan_parquet
from bioscan_etl.stages.work import Work


def build(work: Work) -> None:
    """Write one row per record."""
    records = scan_parquet(work.path("raw_records", "records.parquet"))
    frame = check_geography(records, work.settings.geography)
    work.out.write(schema.CHECKED_GEOGRAPHY, frame)
    work.out.counts["flags"] = count_flags(frame)
