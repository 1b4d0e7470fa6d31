"""Curated labels: conflicts resolved, one lineage per name, gaps filled, every change logged."""

from pathlib import Path

import dagster as dg
import polars as pl

from assets.specimens import read_specimens, specimens
from assets.stage import report, run, stage
from bioscan_etl import schema, storage
from bioscan_etl.changes import number_changes
from bioscan_etl.lake import Draft
from bioscan_etl.resources import LakeResource
from bioscan_etl.specimens import accepted
from bioscan_etl.taxonomy.curate import curate
from bioscan_etl.taxonomy.invariants import require
from bioscan_etl.taxonomy.overrides import read_overrides


@stage(
    group="curate",
    kinds={"polars", "parquet"},
    table=schema.CURATED,
    deps=[specimens],
    checks=[
        dg.AssetCheckSpec(
            "taxonomy_invariants",
            asset="curated_taxonomy",
            blocking=True,
            description="Identical barcodes carry identical labels; no gaps; no invented label; the log can be undone.",
        )
    ],
    pool="corpus",
)
def curated_taxonomy(lake: LakeResource) -> dg.MaterializeResult:
    """One row per accepted specimen with its final labels; beside it the change log.

    Key: process ID. Source: specimens, and the curators' overrides. Rules: barcode conflicts by majority, one
    parent per name, inference from identical barcodes, fillers, overrides. Each change keeps the value before
    and after, its rule and its evidence.
    """
    home, settings = lake.lake(), lake.settings()
    source = home.get("specimens")
    overrides_file = settings.taxonomy.overrides
    overrides = storage.sha256(overrides_file) if overrides_file else ""

    def build(draft: Draft) -> None:
        frame = accepted(read_specimens(home))
        chosen = read_overrides(Path(overrides_file), _names(frame)) if overrides_file else None
        curated = curate(frame, settings.taxonomy, chosen)
        require(draft.write(schema.CURATED, curated.lazy()), curated.changes, frame)
        values = pl.read_parquet(source.path("value_changes.parquet"))
        values = values.join(curated.labels, on="processid", how="semi")
        draft.write(schema.CHANGES, number_changes([values, curated.changes]))
        curated.conflicts.write_parquet(draft.folder / "conflicts.parquet", compression="zstd")
        curated.typos.write_parquet(draft.folder / "typos.parquet", compression="zstd")
        draft.counts["report"] = curated.report

    result = run(
        home,
        settings,
        "curated_taxonomy",
        inputs={"specimens": source.content, "overrides": overrides},
        sections=("taxonomy",),
        build=build,
    )
    # An output exists only if `require` let it through.
    held = dg.AssetCheckResult(check_name="taxonomy_invariants", passed=True)
    return report(result, rows="curated", checks=[held])


def _names(specimens: pl.LazyFrame) -> pl.DataFrame:
    """What tells which process IDs and names an override can mean."""
    verbatim = (f"{rank}_verbatim" for rank in schema.RANKS)
    return specimens.select("processid", *schema.RANKS, *verbatim).collect()
