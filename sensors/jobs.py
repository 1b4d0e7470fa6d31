"""The two jobs of the graph: what is done per batch, and what needs the whole corpus."""

import dagster as dg

from assets.batches import specimen_batches
from bioscan_etl.batches import BATCH_ASSETS

INGEST_JOB = "ingest_batch"
CORPUS_JOB = "curate_and_release"
CORPUS_ASSETS = (
    "specimens",
    "curated_taxonomy",
    "partitions",
    "release_metadata",
    "image_packages",
    "image_hdf5",
    "split_manifests",
    "statistics",
    "figures",
    "quality_report",
    "release_manifest",
)

ingest_batch = dg.define_asset_job(
    INGEST_JOB,
    selection=dg.AssetSelection.assets(*BATCH_ASSETS),
    partitions_def=specimen_batches,
    description="Read, check and crop one specimen batch. Running it again replaces that batch and nothing else.",
)

curate_and_release = dg.define_asset_job(
    CORPUS_JOB,
    selection=dg.AssetSelection.assets(*CORPUS_ASSETS),
    description="Curate all ingested batches together and make the next release, if anything changed.",
)
