"""Specimen images: found, hashed and matched to records."""

from __future__ import annotations

from bioscan_etl import landing, schema
from bioscan_etl.errors import SourceError
from bioscan_etl.images.index import index_images
from bioscan_etl.io.read import file_sha256
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.stages.work import Work


def build(work: Work) -> None:
    """Write the image index of a delivery.

    Raises:
        SourceError: a source has changed since the batch landed.
    """
    batch = work.delivery
    sources = [batch.locate(entry.location) for entry in batch.images]
    manifest = batch.image_manifest
    for entry, source in zip(batch.images, sources, strict=True):
        if landing.images_changed(batch, entry):
            raise SourceError(f"{source} has changed since batch {batch.name} landed; land the batch again")
    if manifest and file_sha256(batch.locate(manifest.location)) != manifest.sha256:
        raise SourceError(f"{manifest.location} has changed since batch {batch.name} landed; land the batch again")
    # If a delivery has only images, they belong to records of other batches, so all of them are used.
    known = read_parquet(work.path("raw_records", "records.parquet"), columns=["processid"])["processid"]
    index = index_images(
        sources,
        batch.locate(manifest.location) if manifest else None,
        known if batch.records else None,
        batch.name,
        work.settings.images,
        work.progress,
    )
    work.out.write(schema.IMAGE_INDEX, index)
    statuses = index["status"].value_counts().sort("status")
    work.out.counts["status"] = dict(zip(statuses["status"], statuses["count"], strict=True))
