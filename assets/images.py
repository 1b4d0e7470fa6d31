"""Specimen images: found, hashed and matched to records; then decoded once, measured and cropped."""

import dagster as dg
import polars as pl

from assets.batches import specimen_batches
from assets.records import raw_records
from assets.stage import report, run, stage
from bioscan_etl import batches, schema, storage
from bioscan_etl.errors import SourceError
from bioscan_etl.images.contact_sheet import contact_sheet
from bioscan_etl.images.detect import detector_fingerprint
from bioscan_etl.images.index import index_images
from bioscan_etl.images.stage import process_images
from bioscan_etl.lake import Draft
from bioscan_etl.progress import Progress
from bioscan_etl.resources import LakeResource

# `original_full` keeps its bytes and is copied from the source, so the image stage does not write it.
WRITTEN_PACKAGES = ("original_256", "cropped", "cropped_256")


# Observations that a run of the image stage leaves on its asset, at most.
_OBSERVATIONS = 20


def observed(context: dg.AssetExecutionContext, progress: Progress) -> Progress:
    """Also tell Dagster how far the images are: as observations of the asset, which the UI shows while it runs.

    Metadata of a materialisation appear only when it is complete; a batch of a million images takes hours.
    """
    told = -1

    def tell(stage: str, done: int, total: int | None = None) -> None:
        nonlocal told
        progress(stage, done, total)
        step = done * _OBSERVATIONS // total if total else _OBSERVATIONS
        if step != told and done:
            told = step
            values = {"stage": stage, "images_done": done, "images_total": total or done}
            context.log_event(dg.AssetObservation(context.asset_key, partition=context.partition_key, metadata=values))

    return tell


@stage(
    group="extract",
    kinds={"opencv", "parquet"},
    table=schema.IMAGE_INDEX,
    deps=[raw_records],
    partitions=specimen_batches,
    pool="batches",
)
def specimen_images(
    context: dg.AssetExecutionContext, lake: LakeResource, progress: dg.ResourceParam[Progress]
) -> dg.MaterializeResult:
    """One row per image file of the batch: the process ID it belongs to, its size and sha256, or why it is left.

    Key: image_file. Source: the batch's folders, zips or S3 prefixes, and its image manifest. Files are read
    where they lie; a path that leads out of its source is never opened.
    """
    home, settings = lake.lake(), lake.settings()
    batch = batches.load(home, context.partition_key)
    records = home.get("raw_records", batch.name)
    sources = [batch.locate(entry.location) for entry in batch.images]
    manifest = batch.image_manifest

    def build(draft: Draft) -> None:
        for entry, source in zip(batch.images, sources, strict=True):
            if batches.images_entry(source).listing != entry.listing:
                raise SourceError(f"{source} has changed since batch {batch.name} landed; land the batch again")
        if manifest and storage.sha256(batch.locate(manifest.location)) != manifest.sha256:
            raise SourceError(f"{manifest.location} has changed since batch {batch.name} landed; land the batch again")
        # A delivery of images alone belongs to records of other batches: all of it is taken.
        known = pl.read_parquet(records.path("records.parquet"), columns=["processid"])["processid"]
        index = index_images(
            sources,
            batch.locate(manifest.location) if manifest else None,
            known if batch.records else None,
            batch.name,
            settings.images,
            progress,
        )
        draft.write(schema.IMAGE_INDEX, index)
        statuses = index["status"].value_counts().sort("status")
        draft.counts["status"] = dict(zip(statuses["status"], statuses["count"], strict=True))

    result = run(
        home,
        settings,
        "specimen_images",
        batch=batch.name,
        delivery=batch.fingerprint,
        inputs={
            "raw_records": records.files["records.parquet"],
            "images": [entry.listing for entry in batch.images],
            "image_manifest": manifest.sha256 if manifest else "",
        },
        build=build,
    )
    return report(result, rows="image_index")


@stage(
    group="extract",
    kinds={"opencv", "parquet"},
    table=schema.BOXES,
    deps=[specimen_images],
    partitions=specimen_batches,
    pool="images",
)
def specimen_boxes(
    context: dg.AssetExecutionContext, lake: LakeResource, progress: dg.ResourceParam[Progress]
) -> dg.MaterializeResult:
    """One row per image: the specimen's box, area fraction, scale factor, organism pixels and image quality.

    Key: process ID. Source: specimen_images. Each image is decoded once; the crops of all packages are written
    beside the table. A killed run resumes at the shard it was at.
    """
    home, settings = lake.lake(), lake.settings()
    batch = batches.load(home, context.partition_key)
    index = home.get("specimen_images", batch.name)
    sources = [batch.locate(entry.location) for entry in batch.images]

    def build(draft: Draft) -> None:
        frame = pl.read_parquet(index.path("image_index.parquet"))
        draft.counts |= process_images(
            frame, sources, settings.images, WRITTEN_PACKAGES, draft.folder, batch.name, observed(context, progress)
        )
        boxes = pl.read_parquet(draft.folder / "boxes.parquet")
        draft.counts["boxes"] = boxes.height
        if boxes.height:
            contact_sheet(boxes, sources, draft.folder / "contact_sheet.jpg", settings.images)

    result = run(
        home,
        settings,
        "specimen_boxes",
        batch=batch.name,
        delivery=batch.fingerprint,
        inputs={
            "image_index": index.files["image_index.parquet"],
            "detector": detector_fingerprint(settings.images),
        },
        sections=("images",),
        build=build,
        resumable=True,
    )
    sheet = result[0].folder / "contact_sheet.jpg"
    extra = {"contact_sheet": dg.MetadataValue.path(str(sheet))} if sheet.is_file() else {}
    return report(result, rows="boxes", **extra)
