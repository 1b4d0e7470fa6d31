"""Distances between the barcodes of each group."""

from __future__ import annotations

from bioscan_etl.barcodes.framed import comparable
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.stages.work import Work
from bioscan_etl.statistics.definitions import LEVELS
from bioscan_etl.statistics.distances import distances
from bioscan_etl.statistics.files import write_tables


def build(work: Work) -> None:
    """Write the tables, as Parquet and CSV."""
    rows = read_parquet(work.path("curated_taxonomy", "curated.parquet"), columns=["processid", *LEVELS])
    rows = rows.join(read_parquet(work.path("barcodes", "barcode_ids.parquet")), on="processid").drop("processid")
    barcodes, least = read_parquet(work.path("barcodes", "barcodes.parquet")), work.settings.barcodes.min_shared_columns
    position, on_frame = comparable(barcodes)
    tables = distances(rows, position, on_frame, work.settings.statistics, least, work.progress)
    write_tables(tables, work.out.folder)
    work.out.counts |= {name: table.height for name, table in tables.items()}
    work.out.counts["pairs"] = int(tables["distance_levels"]["pairs"].sum())
