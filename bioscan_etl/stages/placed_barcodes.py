"""The place of each distinct barcode of the batch on the frame."""

from __future__ import annotations

import polars as pl

from bioscan_etl import schema
from bioscan_etl.barcodes import profile
from bioscan_etl.barcodes.placement import place
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.stages.registry import DISTINCT
from bioscan_etl.stages.work import Work


def build(work: Work) -> None:
    """Write one row per distinct barcode."""
    placed = place(read_parquet(work.path("checked_barcodes", DISTINCT))["barcode"])
    work.out.write(schema.PLACEMENTS, placed)
    doubts = placed["doubt"].value_counts(sort=True, name="barcodes").drop_nulls().sort("doubt")
    work.out.counts["profile"] = profile.notes()["version"]
    work.out.counts["doubts"] = dict(doubts.iter_rows())
    work.out.counts["lacking_codons"] = int((placed["missing_columns"].list.len() > 0).sum())
    work.out.counts["refused_share"] = placed.select(
        (pl.col("doubt") == "NOT_PLACED").fill_null(value=False).mean().fill_null(0.0)
    ).item()
