"""Statistics of the release."""

from __future__ import annotations

import shutil

from bioscan_etl.io.tables import read_parquet
from bioscan_etl.release.layout import STATISTICS
from bioscan_etl.release.rows import released_scan
from bioscan_etl.stages.registry import AUDITED
from bioscan_etl.stages.work import Work
from bioscan_etl.statistics.counted import count_tables, rows_to_count
from bioscan_etl.statistics.definitions import DISTANCE_LEVELS_TABLE
from bioscan_etl.statistics.files import write_tables


def build(work: Work) -> None:
    """Write all tables, those of the distances and of the audit included, as Parquet and CSV."""
    released = released_scan(work.release)
    rows = rows_to_count(released, read_parquet(work.path("barcodes", "barcode_ids.parquet")))
    barcodes = read_parquet(work.path("barcodes", "barcodes.parquet"))
    levels = DISTANCE_LEVELS_TABLE.name
    compared = {levels: read_parquet(work.path("distances", f"{levels}.parquet"))}
    least = work.settings.barcodes.min_shared_columns
    tables = count_tables(released, rows, barcodes, compared, least, work.progress)
    folder = work.out.folder / STATISTICS
    write_tables(tables, folder)
    for stage, files in (("distances", sorted(work.outputs["distances"].files)), ("audit", AUDITED)):
        for name in files:
            shutil.copyfile(work.path(stage, name), folder / name)
    work.out.counts |= {name: table.height for name, table in tables.items()}
