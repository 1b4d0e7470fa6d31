"""The image packages of the release."""

from __future__ import annotations

from typing import Any

from bioscan_etl import landing
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.release.images import Drawn, Originals
from bioscan_etl.release.parts import build_images
from bioscan_etl.stages.work import Work
from bioscan_etl.vocabulary import ORIGINALS


def build(work: Work) -> dict[str, Any]:
    """Write one image per specimen and package; returns packages and number of images."""
    settings = work.settings.release
    curated = read_parquet(work.path("curated_taxonomy", "curated.parquet"), columns=["processid", "image_batch"])
    used = curated["image_batch"].drop_nulls().unique().sort()
    boxes = work.by_batch["specimen_boxes"]
    crops = [(batch, boxes[batch].folder) for batch in used]
    originals = {}
    if ORIGINALS in settings.image_packages:
        for batch in used:
            landed = landing.load(work.lake, batch)
            sources = tuple(landed.locate(entry.location) for entry in landed.images)
            originals[batch] = Originals(boxes[batch].path("boxes.parquet"), sources)
    build_images(work.release, curated, crops, settings, work.progress, originals, _drawn(work))
    return {"packages": list(settings.image_packages), "images": curated["image_batch"].count()}


def _drawn(work: Work) -> dict[str, Drawn]:
    """The images whose box a curator drew, by batch."""
    output = work.outputs["drawn_boxes"]
    boxes = read_parquet(output.path("boxes.parquet"), columns=["batch", "processid"])
    return {
        str(batch): Drawn(output.folder / str(batch), frozenset(rows["processid"]))
        for (batch,), rows in boxes.group_by("batch", maintain_order=True)
    }
