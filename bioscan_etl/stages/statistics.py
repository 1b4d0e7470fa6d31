"""Statistics of the release."""

from __future__ import annotations

import shutil

from bioscan_etl.io.tables import read_parquet
from bioscan_etl.release.layout import STATISTICS
from bioscan_etl.release.rows import released_scan
from bioscan_etl.stages.work import Work
from bioscan_etl.statistics.completeness import completeness
from bioscan_etl.statistics.files import write_tables
from bioscan_etl.statistics.leakage_curve import leakage_curve
from bioscan_etl.statistics.tables import READ, missing, statistics


def build(work: Work) -> None:
    """Write all tables, those of the distances included, as Parquet and CSV."""
    released = released_scan(work.release)
    ids = read_parquet(work.path("barcodes", "barcode_ids.parquet"))
    rows = released.select("processid", *READ).collect().join(ids, on="processid", how="left").drop("processid")
    barcodes = read_parquet(work.path("barcodes", "barcodes.parquet"))
    work.progress("statistics", 1, 4)
    tables = statistics(rows, barcodes)
    work.progress("statistics", 2, 4)
    tables |= completeness(rows)
    work.progress("statistics", 3, 4)
    tables["missing"] = missing(released)
    work.progress("statistics", 4, 4)
    least = work.settings.barcodes.min_shared_columns
    tables["leakage_curve"] = leakage_curve(rows, barcodes, least, work.progress)
    folder = work.out.folder / STATISTICS
    write_tables(tables, folder)
    distances = work.outputs["distances"]
    for name in sorted(distances.files):
        shutil.copyfile(distances.path(name), folder / name)
    work.out.counts |= {name: table.height for name, table in tables.items()}
