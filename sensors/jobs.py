"""The jobs of the graph: what is done per batch, what needs the whole corpus, and the tuning of the detector."""

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
    "metadata_jsonld",
    "partitioned_metadata",
    "split_manifests",
    "barcodebert_tables",
    "image_packages",
    "image_tables",
    "image_hdf5",
    "clibd_hdf5",
    "image_archives",
    "statistics",
    "figures",
    "quality_report",
    "release_manifest",
    "release_mirror",
)

DETECTOR_ASSETS = ("reviewed_boxes", "tuned_detector", "promoted_detector")

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

propose_reviews = dg.define_asset_job(
    "propose_reviews",
    selection=dg.AssetSelection.assets("boxes_to_review"),
    description="Write the CSV of images that are worth a curator's look. The curation does not wait for it.",
)

fine_tune_detector = dg.define_asset_job(
    "fine_tune_detector",
    selection=dg.AssetSelection.assets(*DETECTOR_ASSETS),
    description="Let the detector learn from reviewed boxes, measure it, and promote it unless it became worse.",
)
