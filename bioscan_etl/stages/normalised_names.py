"""The normalised names of each record."""

from __future__ import annotations

from bioscan_etl import schema
from bioscan_etl.flags import count_flags
from bioscan_etl.io.tables import scan_parquet
from bioscan_etl.stages.work import Work
from bioscan_etl.taxonomy.names import normalise_names


def build(work: Work) -> None:
    """Write one row per record."""
    frame = normalise_names(scan_parquet(work.path("raw_records", "records.parquet")))
    work.out.write(schema.NORMALISED_NAMES, frame)
    work.out.counts["flags"] = count_flags(frame)
