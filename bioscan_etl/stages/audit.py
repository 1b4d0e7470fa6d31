"""What barcodes and BINs say of species, and the cases on which a curator should decide."""

from __future__ import annotations

import polars as pl

from bioscan_etl.barcodes.framed import comparable
from bioscan_etl.io.tables import read_parquet, scan_parquet
from bioscan_etl.stages.registry import SPECIES_CASES
from bioscan_etl.stages.work import Work
from bioscan_etl.statistics.audit import audit, gaps
from bioscan_etl.statistics.cases import before_curators, cases
from bioscan_etl.statistics.files import write_tables

_READ = ["processid", "family", "species", "dna_bin"]


def build(work: Work) -> None:
    """Write the tables of the audit as Parquet and CSV, and the cases."""
    rows = read_parquet(work.path("curated_taxonomy", "curated.parquet"), columns=_READ)
    rows = rows.join(read_parquet(work.path("barcodes", "barcode_ids.parquet")), on="processid", how="left")
    least = work.settings.barcodes.min_shared_columns
    before = before_curators(rows, read_parquet(work.path("curated_taxonomy", "changes.parquet")))
    named = pl.concat([frame.drop_nulls("species").select("barcode_id") for frame in (rows, before)]).unique()
    barcodes = scan_parquet(work.path("barcodes", "barcodes.parquet")).join(named.lazy(), on="barcode_id", how="semi")
    position, on_frame = comparable(barcodes.collect())
    apart = gaps(rows.drop_nulls("species"), position, on_frame, least, work.progress)
    tables = audit(rows, apart)
    write_tables(tables, work.out.folder)
    found = cases(rows, before, apart, position, on_frame, least, work.progress)
    found.write_parquet(work.out.folder / SPECIES_CASES, compression="zstd")
    work.out.counts |= {name: table.height for name, table in tables.items()}
    work.out.counts["cases"] = dict(found["rule"].value_counts().sort("rule").iter_rows())
