"""A contact sheet of the images that a curator should review first."""

from __future__ import annotations

from bioscan_etl.images import contact_sheet
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.stages.work import Work


def build(work: Work) -> None:
    """Write the sheet, unless the batch has no image."""
    batch, out = work.delivery, work.out
    boxes = read_parquet(work.path("specimen_boxes", "boxes.parquet"))
    out.counts["images"] = boxes.height
    if boxes.height:
        sources = [batch.locate(entry.location) for entry in batch.images]
        contact_sheet.contact_sheet(boxes, sources, out.folder / "contact_sheet.jpg", work.settings.images)
