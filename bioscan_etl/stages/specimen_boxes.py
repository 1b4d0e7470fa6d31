"""Specimen boxes: decode each image once, measure and crop it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bioscan_etl.images.detect import detector_fingerprint
from bioscan_etl.images.stage import process_images
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.stages.work import Work
from bioscan_etl.vocabulary import MADE_PACKAGES

if TYPE_CHECKING:
    from bioscan_etl.stages.situation import Situation


def extra(situation: Situation) -> dict[str, Any]:
    """The detector: its name, with the hash of its model."""
    return {"detector": detector_fingerprint(situation.settings.images)}


def build(work: Work) -> None:
    """Write boxes and crops."""
    batch, out = work.delivery, work.out
    sources = [batch.locate(entry.location) for entry in batch.images]
    frame = read_parquet(work.path("specimen_images", "image_index.parquet"))
    out.counts |= process_images(
        frame, sources, work.settings.images, MADE_PACKAGES, out.folder, batch.name, work.progress
    )
    out.counts["boxes"] = out.counts["images"]
