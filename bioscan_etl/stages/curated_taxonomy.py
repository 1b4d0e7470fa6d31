"""Curated labels: conflicts resolved, one lineage per name, gaps filled, every change logged."""

from __future__ import annotations

import polars as pl

from bioscan_etl import schema
from bioscan_etl.changes import number_changes
from bioscan_etl.io.tables import read_parquet, scan_parquet
from bioscan_etl.specimens.accepted import accepted
from bioscan_etl.stages.registry import ON_LABELS, STAGES
from bioscan_etl.stages.work import Work
from bioscan_etl.taxonomy import invariants
from bioscan_etl.taxonomy.curate import curate


def build(work: Work) -> None:
    """Write curated labels, the change log and the lists for curators, and check the invariants."""
    out = work.out
    frame = accepted(scan_parquet(work.path("specimens", "specimens.parquet")))
    curated = curate(frame, work.settings.taxonomy, read_parquet(work.path("decisions", ON_LABELS)))
    written = out.write(schema.CURATED, curated.lazy(work.progress))
    out.findings += invariants.outcome(invariants.check(written, curated.changes, frame, curated.barcodes))
    out.write(schema.DECISION_EFFECTS, curated.effects)
    breaking = curated.effects.filter(pl.col("status") == "left_out")
    out.findings.append(
        STAGES["curated_taxonomy"].finding(
            "decisions_consistent",
            passed=breaking.is_empty(),
            count=breaking.height,
            samples=tuple(breaking["detail"].head(10)),
        )
    )
    values = read_parquet(work.path("specimens", "value_changes.parquet"))
    values = values.join(curated.labels, on="processid", how="semi")
    out.write(schema.CHANGES, number_changes([values, curated.changes]))
    curated.conflicts.write_parquet(out.folder / "conflicts.parquet", compression="zstd")
    curated.typos.write_parquet(out.folder / "typos.parquet", compression="zstd")
    out.counts["report"] = curated.report
