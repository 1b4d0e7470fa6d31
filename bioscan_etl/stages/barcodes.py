"""The distinct barcodes of the corpus, as numbers."""

from __future__ import annotations

import polars as pl

from bioscan_etl import schema
from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.io.tables import scan_parquet
from bioscan_etl.stages.work import Work


def build(work: Work) -> None:
    """Write one row per distinct barcode, and the number of each specimen's barcode."""
    curated = scan_parquet(work.path("curated_taxonomy", "curated.parquet"))
    batches = [output.path("placements.parquet") for _, output in sorted(work.by_batch["placed_barcodes"].items())]
    placements = scan_parquet(batches) if batches else schema.PLACEMENTS.empty().lazy()
    barcodes, ids = numbered(curated, placements, work.settings.barcodes.min_shared_columns)
    out = work.out
    out.write(schema.BARCODES, barcodes)
    out.write(schema.BARCODE_IDS, ids)
    # "Unique" has two meanings; both are counted.
    out.counts["unique"] = {"as_written": barcodes.height, "over_shared_columns": barcodes["group"].n_unique()}
    out.counts["largest_group"] = barcodes.select(pl.len().over("group").max()).item() or 0
    out.counts["doubts"] = dict(
        barcodes["doubt"].value_counts(sort=True, name="barcodes").drop_nulls().sort("doubt").iter_rows()
    )
