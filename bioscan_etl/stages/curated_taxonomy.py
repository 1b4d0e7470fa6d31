"""Curated labels: conflicts resolved, one lineage per name, gaps filled, every change logged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.changes import number_changes
from bioscan_etl.io.read import file_sha256
from bioscan_etl.specimens.accepted import accepted
from bioscan_etl.stages.registry import STAGES
from bioscan_etl.stages.work import Work
from bioscan_etl.taxonomy import invariants
from bioscan_etl.taxonomy.curate import curate
from bioscan_etl.taxonomy.overrides import read_overrides

if TYPE_CHECKING:
    from bioscan_etl.stages.situation import Situation


def extra(situation: Situation) -> dict[str, Any]:
    """The content of the curators' overrides."""
    path = situation.settings.taxonomy.overrides
    return {"overrides": file_sha256(path) if path else ""}


def build(work: Work) -> None:
    """Write curated labels, the change log and the lists for curators, and check the invariants."""
    out = work.out
    frame = accepted(pl.scan_parquet(work.path("specimens", "specimens.parquet")))
    overrides = None
    if work.settings.taxonomy.overrides:
        overrides = read_overrides(Path(work.settings.taxonomy.overrides), _names(frame))
        overrides.left_out.write_parquet(out.folder / "overrides_left_out.parquet", compression="zstd")
    curated = curate(frame, work.settings.taxonomy, overrides.lines if overrides else None)
    written = out.write(schema.CURATED, curated.lazy(work.progress))
    breaches = invariants.check(written, curated.changes, frame)
    out.findings += invariants.outcome(breaches, curated.breaking_override)
    left_out = overrides.left_out if overrides else pl.DataFrame()
    out.findings.append(
        STAGES["curated_taxonomy"].finding(
            "overrides_applied",
            passed=left_out.is_empty(),
            count=left_out.height,
            samples=tuple(f"line {line}: {problem}" for line, problem in left_out.select("line", "problem").iter_rows())
            if left_out.height
            else (),
        )
    )
    values = pl.read_parquet(work.path("specimens", "value_changes.parquet"))
    values = values.join(curated.labels, on="processid", how="semi")
    out.write(schema.CHANGES, number_changes([values, curated.changes]))
    curated.conflicts.write_parquet(out.folder / "conflicts.parquet", compression="zstd")
    curated.typos.write_parquet(out.folder / "typos.parquet", compression="zstd")
    out.counts["report"] = curated.report


def _names(specimens: pl.LazyFrame) -> pl.DataFrame:
    """The process IDs and names that an override can refer to."""
    verbatim = (f"{rank}_verbatim" for rank in vocabulary.RANKS)
    return specimens.select("processid", *vocabulary.RANKS, *verbatim).collect()
