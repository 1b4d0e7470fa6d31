"""The CSVs in the layout of BarcodeBERT."""

from __future__ import annotations

from typing import Any

from bioscan_etl.release.image_parts import build_barcodebert
from bioscan_etl.stages.work import Work


def build(work: Work) -> dict[str, Any]:
    """Write the part, if the settings ask for it."""
    settings = work.settings.release
    build_barcodebert(work.release, settings)
    return {"asked_for": settings.wants("barcodebert")}
