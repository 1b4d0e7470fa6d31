"""The release's rows with their images, as Parquet."""

from __future__ import annotations

from typing import Any

from bioscan_etl.release.image_parts import build_data_images
from bioscan_etl.stages.work import Work


def build(work: Work) -> dict[str, Any]:
    """Write the part, if the settings ask for it."""
    settings = work.settings.release
    build_data_images(work.release, settings, work.progress)
    return {"asked_for": settings.wants("data_images")}
